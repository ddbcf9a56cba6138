"""A table: named columns, and what is wrong with its rows."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nearkin.data.picture import Picture
from nearkin.errors import SourceError

# Faults that a message lists; it counts the others.
_SHOWN = 5


@dataclass(frozen=True)
class Table:
    """Named columns of equal length, None where a cell is empty.

    Args:
        name: of the file, for messages.
        columns: values by column name.
        rows: number of each row as an editor or spreadsheet shows it; a header is row 1.
        typed: False where every value is text, as in CSV.
        embedded: columns that hold the pictures themselves; their bytes are read when they are needed.
        decimal_comma: whether 1,5 is a number in a column of text.
    """

    name: str
    columns: dict[str, list[Any]]
    rows: Sequence[int]
    typed: bool = True
    embedded: Mapping[str, Sequence[Picture]] = field(default_factory=dict)
    decimal_comma: bool = False


def raise_faults(name: str, faults: Sequence[str], expected: str = "") -> None:
    """One SourceError that lists the first faults and counts the others; nothing if there are none."""
    if faults:
        more = [f"and {len(faults) - _SHOWN} more faults"] if len(faults) > _SHOWN else []
        raise SourceError(f"{name}: {'; '.join([*faults[:_SHOWN], *more])}{expected}")


def is_index(name: str) -> bool:
    """Whether a column is the index that pandas writes beside the columns of a frame."""
    return re.fullmatch(r"__index_level_\d+__|Unnamed: 0(\.\d+)?", name) is not None


def check_names(path: object, names: Sequence[str]) -> None:
    """Refuses two columns of one name."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SourceError(f"{path}: two columns have the same name: {', '.join(twice)}: rename one of them")
