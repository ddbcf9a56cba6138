"""A frame of pandas or polars, or an Arrow table; none of these packages is imported for it."""

import sys
from pathlib import Path
from typing import Any

from nearkin.data.cells import empty_as_none
from nearkin.data.items import Items
from nearkin.data.names import plain_text
from nearkin.data.picture import Picture
from nearkin.data.sources._source import ColumnNames, Source, items_of_table
from nearkin.data.tables import Table
from nearkin.data.tables._table import check_names, is_index
from nearkin.errors import SourceError


def _is(source: Any, package: str, kind: str) -> bool:
    """Whether it is of this class; a package that was never imported has made no object."""
    module = sys.modules.get(package)
    return module is not None and isinstance(source, getattr(module, kind, ()))


def _applies(source: Any) -> bool:
    frames = (("pandas", "DataFrame"), ("polars", "DataFrame"), ("pyarrow", "Table"))
    return any(_is(source, package, kind) for package, kind in frames)


def _read(source: Any, columns: ColumnNames) -> Items:
    if not len(source):
        raise SourceError("the frame holds no rows")
    if _is(source, "pandas", "DataFrame"):
        table = _table_of_pandas(source)
    else:
        from nearkin.data.tables.arrow import table_of_arrow

        arrow = source.to_arrow() if _is(source, "polars", "DataFrame") else source
        table = table_of_arrow(arrow, "frame", Path.cwd())
    return items_of_table(table, Path.cwd(), columns)


def _table_of_pandas(frame: Any) -> Table:
    named = [name for name in frame.index.names if name is not None and name not in frame.columns]
    if named:  # An index with a name says something, such as the path; row numbers say nothing.
        unnamed = [level for level, name in enumerate(frame.index.names) if name not in named]
        frame = (frame.reset_index(level=unnamed, drop=True) if unnamed else frame).reset_index()
    names = [plain_text(str(name).strip()) or f"column {position}" for position, name in enumerate(frame.columns, 1)]
    check_names("frame", names)
    columns: dict[str, list[Any]] = {}
    embedded = {}
    for position, name in enumerate(names):
        cells = empty_as_none(frame.iloc[:, position].tolist())
        encoded = [_encoded(cell) for cell in cells]
        if any(one is not None for one in encoded):
            embedded[name] = [Picture(f"frame#{row}", _InMemory(one)) for row, one in enumerate(encoded, 1)]
        elif not is_index(name):
            columns[name] = cells
    return Table("frame", columns, range(1, len(frame) + 1), embedded=embedded)


def _encoded(cell: Any) -> bytes | None:
    """The bytes of an embedded picture."""
    if isinstance(cell, dict):
        cell = cell.get("bytes")
    return cell if isinstance(cell, bytes) else None


class _InMemory:
    """Bytes at hand, or none."""

    def __init__(self, encoded: bytes | None) -> None:
        self.encoded = encoded

    def __call__(self) -> bytes:
        if self.encoded is None:
            raise OSError("this row holds no picture")
        return self.encoded


SOURCE = Source("a frame of pandas, polars or Arrow", _applies, _read, order=10)
