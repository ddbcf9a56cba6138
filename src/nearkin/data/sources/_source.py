"""What a kind of source declares of itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nearkin.data.box import split_region
from nearkin.data.column_roles import build_items
from nearkin.data.items import Items
from nearkin.data.picture_column import find_pictures
from nearkin.data.tables import Table
from nearkin.errors import SourceError


@dataclass(frozen=True)
class ColumnNames:
    """Names of columns that a user has chosen; None where the usual names serve.

    Args:
        path: column of the pictures' files.
        label: column of class names; in a tree of folders "path" or "folder".
        captions: columns of texts.
    """

    path: str | None = None
    label: str | None = None
    captions: Sequence[str] | None = None


@dataclass(frozen=True)
class Source:
    """A kind of source: `SOURCE` in a module of `nearkin.data.sources`.

    Args:
        shape: what it looks like, for the message where nothing applies: "a folder".
        applies: whether this is such a source. Looks at names only, or at one file.
        read: its items.
        order: kinds are asked in this order, the most special first.
    """

    shape: str
    applies: Callable[[Any], bool]
    read: Callable[[Any, ColumnNames], Items]
    order: int


def as_path(source: Any) -> Path | None:
    """The source as a path, without the box of a region; None if it is something else."""
    if not isinstance(source, str | Path):
        return None
    path = Path(source).expanduser()
    return path if "#xywh=" not in path.name or path.exists() else Path(split_region(str(path))[0])


def items_of_table(table: Table, folder: Path, columns: ColumnNames) -> Items:
    """Items of a table whose paths begin in this folder.

    Raises:
        SourceError: the table is at fault; row and column are named.
        UnknownName: no such column.
    """
    column, pictures = find_pictures(table, folder, column=columns.path)
    return build_items(table, pictures, label=columns.label, captions=columns.captions, taken=[column])


def refuse_columns(what: str, columns: ColumnNames, *, label_too: bool = True) -> None:
    """Refuses names of columns for a source that has none.

    Raises:
        SourceError: one is given.
    """
    given = {"path": columns.path, "captions": columns.captions, "label": columns.label if label_too else None}
    for name, value in given.items():
        if value is not None:
            raise SourceError(f"{what} has no columns of {name}: name a table")
