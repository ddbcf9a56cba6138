"""The table of index kinds in the docs, from what the kinds declare.

python -m nearkin.gallery.index.kinds_table docs/indexes.md    # writes it there, between its two marks
"""

import sys
from pathlib import Path

from nearkin.gallery.index.kinds import KINDS

BEGIN, END = "<!-- kinds -->", "<!-- end of kinds -->"
_DIM = 128


def kinds_table() -> str:
    """A row for each kind: its name, the first line of its docstring, its least memory, and when to choose it.

    Example:
        >>> kinds_table().splitlines()[0]
        '| kind | what it is | bytes a vector of 128 dimensions | choose it |'
    """
    rows = [f"| kind | what it is | bytes a vector of {_DIM} dimensions | choose it |", "|---|---|---|---|"]
    for name, kind in KINDS.items():
        what = (kind.__doc__ or "").splitlines()[0]
        rows.append(f"| `{name}` | {what} | {kind.floor_bytes(_DIM):.0f} | {kind.when} |")
    tried = [f"`{name}`" for name, kind in KINDS.items() if kind.in_auto]
    rows.append(
        f"| `auto` | `exact` up to 50,000 vectors; above, the fastest for single queries of `exact`, "
        f"{', '.join(tried[:-1])} and {tried[-1]}, in a trial on your vectors. | | when you would rather not choose |"
    )
    return "\n".join(rows) + "\n"


def updated(text: str) -> str:
    """A page of docs with the table as it is now."""
    before, rest = text.split(BEGIN + "\n", 1)
    after = rest.split(END + "\n", 1)[1]
    return f"{before}{BEGIN}\n{kinds_table()}{END}\n{after}"


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(updated(page.read_text(encoding="utf-8")), encoding="utf-8")
