"""A folder with a table that describes its pictures, or with one in each folder of a split."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nearkin.data.column_roles import build_items
from nearkin.data.items import Items, Picture, split_name
from nearkin.data.picture_column import find_pictures, has_picture_column
from nearkin.data.sources._source import ColumnNames, Source, as_path, items_of_table
from nearkin.data.sources.folder import SOURCE as FOLDER
from nearkin.data.tables import READERS, Table, read_table
from nearkin.errors import SourceError

# A table of one of these names directly in a folder describes the folder's pictures.
TABLE_STEMS = ("metadata", "captions", "labels")


def _applies(source: Any) -> bool:
    path = as_path(source)
    return path is not None and path.is_dir() and any(_tables_of(path, _split_folders(path)))


def _read(source: str | Path, columns: ColumnNames) -> Items:
    root = Path(source).expanduser().resolve()
    folders = _split_folders(root)
    if table := _table_of(root):
        return items_of_table(table, root, columns)
    tables = {folder.name: table for folder in folders if (table := _table_of(folder))}
    if not tables:
        return FOLDER.read(source, columns)
    pictures: list[Picture] = []
    for split, table in tables.items():
        column, found = find_pictures(table, root / split, column=columns.path)
        table.columns.pop(column, None)
        pictures += found
    merged = _merged(str(root), tables)
    return build_items(merged, pictures, label=columns.label, captions=columns.captions)


def _split_folders(root: Path) -> list[Path]:
    try:
        return sorted(path for path in root.iterdir() if split_name(path.name) and path.is_dir())
    except OSError:
        return []  # The reader of folders says why.


def _tables_of(root: Path, folders: list[Path]) -> Iterator[Path]:
    for folder in (root, *folders):
        yield from filter(Path.is_file, (folder / f"{stem}{suffix}" for stem in TABLE_STEMS for suffix in READERS))


def _table_of(folder: Path) -> Table | None:
    """The one table that describes the folder's pictures; None if there is none."""
    tables = [table for table in map(read_table, _tables_of(folder, [])) if has_picture_column(table)]
    if len(tables) > 1:
        raise SourceError(f"{folder} holds several tables: name one of {', '.join(table.name for table in tables)}")
    return tables[0] if tables else None


def _merged(name: str, tables: dict[str, Table]) -> Table:
    """The tables of all splits as one with a column `split`; row numbers are those within each."""
    names = dict.fromkeys(column for table in tables.values() for column in table.columns if column.lower() != "split")
    columns: dict[str, list[Any]] = {
        column: [cell for table in tables.values() for cell in table.columns.get(column, [None] * len(table.rows))]
        for column in names
    }
    columns["split"] = [split for split, table in tables.items() for _ in table.rows]
    rows = [row for table in tables.values() for row in table.rows]
    return Table(name, columns, rows, typed=all(table.typed for table in tables.values()))


SOURCE = Source("a folder with a table in it", _applies, _read, order=40)
