"""Tables in the docs are what the code says."""

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent.parent / "docs"
MAKE = runpy.run_path(str(DOCS / "make_tables.py"))


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_tables_are_up_to_date(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert MAKE["updated"](text) == text, "run python docs/make_tables.py"


def test_every_table_stands_in_a_page() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in DOCS.glob("*.md"))
    for name in MAKE["TABLES"]:
        assert f"<!-- table: {name} -->" in pages
