"""Table files: CSV, TSV, JSON lines and Parquet as named columns."""

import csv
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

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
    """

    name: str
    columns: dict[str, list[Any]]
    rows: Sequence[int]
    typed: bool = True


def raise_faults(name: str, faults: Sequence[str], wanted: str = "") -> None:
    """One SourceError that lists the first faults and counts the others; nothing if there are none."""
    if faults:
        more = [f"and {len(faults) - _SHOWN} more faults"] if len(faults) > _SHOWN else []
        raise SourceError(f"{name}: {'; '.join([*faults[:_SHOWN], *more])}{wanted}")


def empty_as_none(cells: Sequence[Any]) -> list[Any]:
    """The cells, with None for blank text and NaN."""
    return [None if _is_empty(cell) else cell for cell in cells]


def _is_empty(cell: Any) -> bool:
    return (
        cell is None or (isinstance(cell, str) and not cell.strip()) or (isinstance(cell, float) and math.isnan(cell))
    )


def read_table(path: Path) -> Table:
    """The table of a file, by its extension: see `READERS`.

    CSV and TSV are UTF-8 (or UTF-16, as Excel saves Unicode text) with a header line; CSV may use ; or tabs instead
    of commas. A TSV whose quotes do not match is read as one without quoting.

    Raises:
        SourceError: cannot be read, is empty, has two columns of one name, or rows of another length.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "cats.csv")
        ...     _ = path.write_text("path,label\\na.png,cat\\nb.png,\\n")
        ...     read_table(path).columns
        {'path': ['a.png', 'b.png'], 'label': ['cat', None]}
    """
    try:
        table = READERS[path.suffix.lower()](path)
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{path}: cannot be read: {error}") from error
    if not table.rows:
        raise SourceError(f"{path}: holds no rows")
    return table


def _read_csv(path: Path) -> Table:
    text = _text(path)
    header = text.partition("\n")[0]
    return _delimited(path, text, max(",;\t", key=header.count))


def _read_tsv(path: Path) -> Table:
    text = _text(path)
    try:
        return _delimited(path, text, "\t")
    except SourceError:
        return _delimited(path, text, "\t", quoting=False)


def _read_jsonl(path: Path) -> Table:
    records: dict[int, dict[str, Any]] = {}
    for row, line in enumerate(_text(path).split("\n"), 1):
        if line.strip():
            try:
                records[row] = dict(json.loads(line))
            except (ValueError, TypeError) as error:
                raise SourceError(f"{path}: row {row}: wanted a JSON object: {error}") from error
    names = dict.fromkeys(name for record in records.values() for name in record)
    columns = {name: empty_as_none([record.get(name) for record in records.values()]) for name in names}
    return Table(str(path), columns, list(records))


def _read_parquet(path: Path) -> Table:
    table = pq.read_table(path)
    columns = {name: empty_as_none(table[name].to_pylist()) for name in table.column_names}
    return Table(str(path), columns, range(1, len(table) + 1))


READERS: dict[str, Callable[[Path], Table]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}


def _text(path: Path) -> str:
    encoded = path.read_bytes()
    try:
        return encoded.decode("utf-16" if encoded[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        row = encoded.count(b"\n", 0, error.start) + 1
        raise SourceError(f"{path}: row {row} is not in UTF-8: save the table as UTF-8") from error


def _delimited(path: Path, text: str, delimiter: str, *, quoting: bool = True) -> Table:
    try:
        reader = csv.reader(
            StringIO(text, newline=""),
            delimiter=delimiter,
            strict=True,
            quoting=csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE,
        )
        records = {row: cells for row, cells in enumerate(reader, 1) if any(cell.strip() for cell in cells)}
    except csv.Error as error:
        raise SourceError(f"{path}: row {reader.line_num}: {error}: mend its quotes") from error
    header = [name.strip() or f"column {place}" for place, name in enumerate(records.pop(1, []), 1)]
    if not header:
        raise SourceError(f"{path}: row 1 is empty, wanted the names of the columns")
    if len(set(header)) < len(header):
        raise SourceError(f"{path}: two columns have the same name: {', '.join(header)}")
    raise_faults(
        str(path),
        [f"row {row}: {len(cells)} cells" for row, cells in records.items() if len(cells) != len(header)],
        f"; wanted {len(header)} as in row 1 (a text that holds {delimiter!r} needs quotes)",
    )
    columns = {name: empty_as_none([cells[place] for cells in records.values()]) for place, name in enumerate(header)}
    return Table(str(path), columns, list(records), typed=False)
