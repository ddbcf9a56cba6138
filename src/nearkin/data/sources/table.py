"""A table file with a row per picture, or per caption."""

from pathlib import Path
from typing import Any

from nearkin.data.decoding import EXTENSIONS
from nearkin.data.items import Items
from nearkin.data.picture import not_a_file
from nearkin.data.sources._source import ColumnNames, Source, as_path, items_of_table
from nearkin.data.tables import READERS, read_table
from nearkin.errors import SourceError


def _applies(source: Any) -> bool:
    path = as_path(source)
    return path is not None and path.exists() and not path.is_dir() and path.suffix.lower() not in EXTENSIONS


def _read(source: str | Path, columns: ColumnNames) -> Items:
    path = Path(source).expanduser()
    if kind := not_a_file(path.stat().st_mode):
        raise SourceError(f"{path}: {kind}, expected a table ({', '.join(READERS)}) or a folder")
    return items_of_table(read_table(path), path.parent.resolve(), columns)


SOURCE = Source(f"a table ({', '.join(READERS)})", _applies, _read, order=50)
