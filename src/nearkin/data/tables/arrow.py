"""Arrow tables, from Parquet files or memory: plain columns at once, pictures within them one by one."""

import json
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nearkin.data.cells import empty_as_none
from nearkin.data.names import plain_text
from nearkin.data.picture import Picture, read_file
from nearkin.data.tables._table import Table, check_names, is_index
from nearkin.errors import PictureError

# Rows that are read from a Parquet file at once, and how many such batches are kept for threads that are behind.
_BATCH = 8
_KEPT = 16


def read_parquet(path: Path) -> Table:
    """A Parquet file; columns of bytes, or of the structs {bytes, path} of `datasets`, are pictures."""
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        check_names(path, schema.names)
        pictures = [field.name for field in schema if holds_pictures(field.type) and not _is_text(file, field)]
        plain = [name for name in schema.names if name not in pictures]
        columns = columns_of(file.read(columns=plain) if plain else pa.table({}))
        count = file.metadata.num_rows
        embedded = {}
        for name in pictures:
            paths = _stored_paths(file, schema.field(name))
            embedded[name] = [
                _picture(path.parent, f"{path}#{row + 1}", stored, _ParquetCell(str(path), name, row))
                for row, stored in enumerate(paths or [None] * count)
            ]
    return Table(str(path), columns, range(1, count + 1), embedded=embedded)


def table_of_arrow(arrow: pa.Table, name: str, folder: Path) -> Table:
    """An Arrow table in memory; pictures stay in its memory and are not copied.

    Args:
        arrow: the table.
        name: for messages.
        folder: where paths within structs begin.
    """
    check_names(name, arrow.column_names)
    pictures = [
        field.name
        for field in arrow.schema
        if holds_pictures(field.type) and not (_is_bytes(field.type) and _are_texts(arrow[field.name][:_BATCH]))
    ]
    embedded = {}
    for column in pictures:
        cells = arrow[column]
        paths = [None] * len(arrow)
        if pa.types.is_struct(cells.type) and cells.type.get_field_index("path") >= 0:
            paths = pc.struct_field(cells, "path").to_pylist()
        embedded[column] = [
            _picture(folder, f"{name}#{row + 1}", stored, _ArrowCell(cells, row)) for row, stored in enumerate(paths)
        ]
    columns = columns_of(arrow.drop_columns(pictures))
    return Table(name, columns, range(1, len(arrow) + 1), embedded=embedded)


def holds_pictures(kind: pa.DataType) -> bool:
    """Whether a column of this type can hold encoded pictures: bytes, or a struct of bytes and path."""
    if pa.types.is_struct(kind):
        names = {field.name for field in kind}
        return "bytes" in names and holds_pictures(kind.field("bytes").type)
    return _is_bytes(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return any(
        test(kind) for test in (pa.types.is_binary, pa.types.is_large_binary, getattr(pa.types, "is_binary_view", _no))
    )


def _is_text(file: pq.ParquetFile, field: pa.Field) -> bool:
    """Whether a column of bytes holds text, as programs write that do not say so of their strings."""
    if not _is_bytes(field.type) or not file.metadata.num_rows:
        return False
    try:
        return _are_texts(next(file.iter_batches(_BATCH, columns=[field.name])).column(0))
    except (pa.ArrowException, OSError):
        return False  # Damaged pictures are named one by one.


def _are_texts(cells: Iterable[pa.Scalar]) -> bool:
    found = [cell.as_py() for cell in cells if cell.is_valid]
    try:
        return bool(found) and all(encoded.decode().isprintable() for encoded in found)
    except UnicodeDecodeError:
        return False


def _no(kind: pa.DataType) -> bool:
    return False


def columns_of(arrow: pa.Table) -> dict[str, list[Any]]:
    """The columns as Python values; classes that `datasets` numbered by their names, without the index of pandas."""
    classes = _class_names(arrow.schema.metadata or {})
    columns = {}
    for field in arrow.schema:
        if is_index(field.name):
            continue
        cells = empty_as_none(_values(arrow[field.name]))
        if names := classes.get(field.name):
            cells = [_class_of(cell, names) for cell in cells]
        columns[plain_text(field.name)] = cells
    return columns


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Times of nanoseconds need pandas as Python values; microseconds do not. Bytes are those of texts."""
    if _is_bytes(column.type):
        return [None if cell is None else os.fsdecode(cell) for cell in column.to_pylist()]
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    elif pa.types.is_duration(column.type) and column.type.unit == "ns":
        column = column.cast(pa.duration("us"), safe=False)
    elif pa.types.is_time64(column.type) and column.type.unit == "ns":
        column = column.cast(pa.time64("us"), safe=False)
    return column.to_pylist()


def _class_names(metadata: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """Names of classes by column, as `datasets` states them beside the table."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return {
            name: feature["names"]
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and feature.get("names")
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _class_of(cell: Any, names: Sequence[str]) -> Any:
    if cell == -1:
        return None
    return names[cell] if isinstance(cell, int) and 0 <= cell < len(names) else cell


def _stored_paths(file: pq.ParquetFile, field: pa.Field) -> list[str | None] | None:
    """The paths beside embedded bytes, read without the bytes; None if there are none."""
    if not pa.types.is_struct(field.type) or field.type.get_field_index("path") < 0:
        return None
    column = file.read(columns=[f"{field.name}.path"])[field.name]
    return pc.struct_field(column, "path").to_pylist()


def _picture(folder: Path, uri: str, path: str | None, cell: "_ParquetCell | _ArrowCell") -> Picture:
    return Picture(uri, _BytesOrFile(cell, str(folder / path) if path else None))


@dataclass(frozen=True)
class _BytesOrFile:
    """Embedded bytes; where there are none, the file that the cell names."""

    cell: "_ParquetCell | _ArrowCell"
    path: str | None

    def __call__(self) -> bytes:
        encoded = self.cell()
        if encoded is not None:
            return encoded
        if self.path is None:
            raise PictureError("this row holds no picture")
        return read_file(self.path)


@dataclass(frozen=True)
class _ArrowCell:
    cells: pa.ChunkedArray
    row: int

    def __call__(self) -> bytes | None:
        return _bytes_of(self.cells[self.row])


@dataclass(frozen=True)
class _ParquetCell:
    path: str
    column: str
    row: int

    def __call__(self) -> bytes | None:
        try:
            return _reader(self.path, self.column).read(self.row)
        except pa.ArrowException as error:
            raise PictureError(str(error)) from error


def _bytes_of(cell: pa.Scalar) -> bytes | None:
    value = cell["bytes"] if pa.types.is_struct(cell.type) and cell.is_valid else cell
    found: bytes | None = value.as_py() if value.is_valid else None
    return found


@lru_cache(maxsize=8)
def _reader(path: str, column: str) -> "_ParquetRows":
    return _ParquetRows(path, column)


class _ParquetRows:
    """One column of a file, read forward in small batches; a step back begins again at that row's group."""

    def __init__(self, path: str, column: str) -> None:
        self._column = column
        self._file = pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
        counts = [self._file.metadata.row_group(number).num_rows for number in range(self._file.num_row_groups)]
        self._starts = [sum(counts[:number]) for number in range(len(counts))]
        self._kept: deque[tuple[int, pa.Array]] = deque(maxlen=_KEPT)
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._next = 0
        self._group = -1
        self._lock = Lock()

    def read(self, row: int) -> bytes | None:
        with self._lock:
            for start, cells in self._kept:
                if start <= row < start + len(cells):
                    return _bytes_of(cells[row - start])
            group = sum(start <= row for start in self._starts) - 1
            if group != self._group or row < self._next:
                self._batches = self._file.iter_batches(_BATCH, row_groups=[group], columns=[self._column])
                self._group, self._next = group, self._starts[group]
            while True:
                cells = next(self._batches).column(0)
                start, self._next = self._next, self._next + len(cells)
                self._kept.append((start, cells))
                if row < self._next:
                    return _bytes_of(cells[row - start])
