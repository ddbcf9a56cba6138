"""Which column of a table names or holds the pictures."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from nearkin.data.cells import shown
from nearkin.data.file_finder import FileFinder
from nearkin.data.names import plain_text
from nearkin.data.picture import Picture
from nearkin.data.tables import Table, raise_faults
from nearkin.errors import SourceError, UnknownName

PICTURE_COLUMNS = ("path", "file_name", "file", "image", "filename")


def has_picture_column(table: Table) -> bool:
    """Whether a column holds pictures, or is called as if it named their files."""
    return bool(table.embedded or _usual_columns(table))


def find_pictures(table: Table, folder: Path, *, column: str | None = None) -> tuple[str, list[Picture]]:
    """The column of the pictures, and the picture of each row.

    The first of `PICTURE_COLUMNS` with any value that is a file: below the folder, below its subfolder images, or
    absolute; else the first column that holds pictures. Files that are missing beside others count as broken pictures
    later on.

    Args:
        table: as read.
        folder: that of the table.
        column: the column, where it is called otherwise.

    Raises:
        SourceError: no such column, none of its files exists, or a cell is empty.
        UnknownName: no column of this name.
    """
    if column is not None:
        names = [_named(table, column)]
    else:
        names = [name for name in _usual_columns(table) if name not in table.embedded]
        if not names and not table.embedded:
            raise SourceError(_without_pictures(table, folder))
    finder = FileFinder(folder, folder / "images")
    for name in names:
        if name in table.embedded:
            return name, list(table.embedded[name])
        cells = table.columns[name]
        if any(finder.find(text) for text in {_path_of(cell) for cell in cells} if text):
            return name, _pictures(table, name, finder)
    if table.embedded:
        usual = [name for name in PICTURE_COLUMNS if name in table.embedded]
        name = (usual or list(table.embedded))[0]
        return name, list(table.embedded[name])
    raise SourceError(_without_files(table, names[0], folder, finder))


def _named(table: Table, column: str) -> str:
    columns = [*table.columns, *table.embedded]
    if plain_text(column) not in columns:
        raise UnknownName("column", column, columns)
    return plain_text(column)


def _usual_columns(table: Table) -> list[str]:
    columns = [*table.columns, *table.embedded]
    return [name for usual in PICTURE_COLUMNS for name in columns if name.lower() == usual]


def _path_of(cell: Any) -> str:
    """A cell as a path; "" if it is none."""
    if isinstance(cell, PathLike):
        cell = cell.__fspath__()
    return cell if isinstance(cell, str) else str(cell) if isinstance(cell, int | float) else ""


def _pictures(table: Table, name: str, finder: FileFinder) -> list[Picture]:
    cells = table.columns[name]
    faults = [
        f"row {row}: '{name}' is {'empty' if cell is None else f'{shown(cell)}, expected a path'}"
        for row, cell in zip(table.rows, cells, strict=True)
        if not _path_of(cell)
    ]
    raise_faults(table.name, faults)
    found: dict[str, Picture] = {}
    return [found.get(path) or found.setdefault(path, finder.picture(path)) for path in map(_path_of, cells)]


def _without_pictures(table: Table, folder: Path) -> str:
    finder = FileFinder(folder, folder / "images")
    first = next((name for name in table.columns if finder.find(name)), None)
    if first is not None:
        return (
            f"{table.name}: row 1 names the file '{first}', expected the names of the columns: "
            "add a first line such as path,label"
        )
    column = next((name for name, cells in table.columns.items() if any(map(finder.find, _some_paths(cells)))), None)
    way_out = f"; '{column}' holds files: name it as the column of paths" if column else ""
    lists = next((name for name, cells in table.columns.items() if any(map(_is_list_of_pictures, cells[:20]))), None)
    if lists is not None:
        return f"{table.name}: column '{lists}' holds lists of pictures: expected one picture in each row"
    return (
        f"{table.name}: no column names the pictures' files: found {', '.join(table.columns)}; expected one of "
        f"{', '.join(PICTURE_COLUMNS)}{way_out}"
    )


def _is_list_of_pictures(cell: Any) -> bool:
    first = cell[0] if isinstance(cell, list | tuple) and cell else None
    return isinstance(first, bytes) or (isinstance(first, dict) and isinstance(first.get("bytes"), bytes))


def _some_paths(cells: Sequence[Any]) -> list[str]:
    return [path for path in map(_path_of, cells[:20]) if path]


def _without_files(table: Table, name: str, folder: Path, finder: FileFinder) -> str:
    cells = table.columns[name]
    if any(map(_is_list_of_pictures, cells[:20])):
        return f"{table.name}: column '{name}' holds lists of pictures: expected one picture in each row"
    row, cell = next((pair for pair in zip(table.rows, cells, strict=True) if pair[1] is not None), (table.rows[0], ""))
    near = finder.other_case(_path_of(cell))
    way_out = f"'{near}' differs in upper and lower case" if near else "move the table beside its pictures"
    if "://" in _path_of(cell):
        return f"{table.name}: row {row}: {shown(cell)} is an address: download the pictures, and name their files"
    return (
        f"{table.name}: none of the files in column '{name}' exists; row {row}: {shown(cell)} is neither in {folder} "
        f"nor in {folder / 'images'}: {way_out}"
    )
