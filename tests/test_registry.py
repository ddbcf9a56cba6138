"""A file is an entry; names cost no import."""

import sys
from pathlib import Path

import pytest

from nearkin.errors import UnknownName
from nearkin.registry import Registry


@pytest.fixture
def fruit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry[int]:
    package = tmp_path / "some_fruit"
    package.mkdir()
    for name, text in {"__init__": "", "_shared": "1/0", "red_apple": "COUNT = 3", "pear": "COUNT = 1/0"}.items():
        (package / f"{name}.py").write_text(text)
    (package / "sub").mkdir()
    (package / "sub" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    return Registry("some_fruit", "COUNT", "fruit", "others grow elsewhere")


def test_names_are_the_files_and_nothing_is_imported(fruit: Registry[int]) -> None:
    assert list(fruit) == ["pear", "red-apple"]
    assert len(fruit) == 2
    assert "some_fruit.pear" not in sys.modules


def test_an_entry_is_imported_when_asked_for(fruit: Registry[int]) -> None:
    assert fruit["red-apple"] == fruit["red_apple"] == 3
    assert fruit.get("red-apple") == 3


def test_a_new_file_is_a_new_entry(fruit: Registry[int], tmp_path: Path) -> None:
    (tmp_path / "some_fruit" / "plum.py").write_text("COUNT = 9")
    assert fruit["plum"] == 9


def test_an_unknown_name_suggests_others(fruit: Registry[int]) -> None:
    assert "peer" not in fruit
    assert 3 not in fruit
    assert fruit.get("peer") is None
    with pytest.raises(UnknownName, match=r"unknown fruit 'peer': did you mean pear\?.*; others grow elsewhere"):
        fruit["peer"]
