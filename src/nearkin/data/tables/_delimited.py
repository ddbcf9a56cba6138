"""CSV and TSV in every dialect that spreadsheets and programs write."""

import csv
import re
import sys
from io import StringIO
from itertools import islice
from pathlib import Path

from nearkin.data.cells import empty_as_none, stripped
from nearkin.data.names import plain_text
from nearkin.data.tables._table import Table, check_names, is_index, raise_faults
from nearkin.data.tables._text import read_text
from nearkin.errors import SourceError

DELIMITERS = ",;\t|"
# Names that tell a header that was parted rightly.
_KNOWN = {
    *("path", "file_name", "file", "image", "filename", "uri", "label", "caption", "captions", "text", "split"),
    *("a", "b", "path_a", "path_b", "image_a", "image_b", "left", "right", "path1", "path2", "same", "fold"),
    *("run", "role"),
}
# Rows that are looked at to tell the delimiter.
_SAMPLE_ROWS = 50
_SAMPLE_LETTERS = 200_000
# Excel's own line that names the delimiter.
_SEP = re.compile(r"\s*\"?sep=(.)\"?\s*\r?\n", re.IGNORECASE)

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))


def read_csv(path: Path) -> Table:
    text = read_text(path)
    skipped = 0
    if named := _SEP.match(text):
        text, skipped, delimiter = text[named.end() :], 1, named[1]
    else:
        delimiter = delimiter_of(text)
    return _delimited(path, text, delimiter, first_row=1 + skipped)


def read_tsv(path: Path) -> Table:
    text = read_text(path)
    try:
        return _delimited(path, text, "\t")
    except SourceError:
        return _delimited(path, text, "\t", quoting=False)


def delimiter_of(text: str) -> str:
    """The sign that parts the cells: the one under which the rows agree with a header of known names.

    Args:
        text: of the table, or its first lines.

    Example:
        >>> delimiter_of('path,label,"a;b;c;d"\\n0.png,x,3\\n')
        ','
    """
    return max(DELIMITERS, key=lambda delimiter: _fit(text, delimiter))


def _fit(text: str, delimiter: str) -> tuple[bool, float, int]:
    """How well a delimiter fits: whether a name is known, the share of rows as long as the header, its length."""
    sample = text[:_SAMPLE_LETTERS]
    reader = csv.reader(StringIO(sample, newline=""), delimiter=delimiter, skipinitialspace=True)
    header, *rows = [*islice(filter(any, reader), _SAMPLE_ROWS)] or [[]]
    if len(sample) < len(text) and len(rows) < _SAMPLE_ROWS - 1:
        rows = rows[:-1]  # It may have been cut.
    if len(header) < 2:
        return False, 0.0, 0
    known = any(name.strip().lower() in _KNOWN for name in header)
    return known, sum(len(row) == len(header) for row in rows) / (len(rows) or 1), len(header)


def _records(text: str, delimiter: str, *, quoting: bool, first_row: int) -> dict[int, list[str]]:
    """Cells by row, without blank rows.

    Raises:
        _Quotes: they do not match.
    """
    reader = csv.reader(
        StringIO(text, newline=""),
        delimiter=delimiter,
        strict=True,
        skipinitialspace=delimiter != "\t",
        quoting=csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE,
    )
    try:
        return {row: cells for row, cells in enumerate(reader, first_row) if any(cell.strip() for cell in cells)}
    except csv.Error as error:
        raise _Quotes(f"row {reader.line_num + first_row - 1}: {error}: correct its quotes") from error


class _Quotes(ValueError):
    """Quotes that do not match."""


def _without_spaces_after_quotes(text: str, delimiter: str) -> str:
    """The text with `"cat" ,` as `"cat",`; what lies within quotes stays as it is."""
    ends = re.escape(delimiter)
    spaces = " " if delimiter == "\t" else " \t"
    return re.sub(rf'((?:^|(?<=[{ends}\r\n]))[{spaces}]*"(?:[^"]|"")*")[{spaces}]*', r"\1", text)


def _delimited(path: Path, text: str, delimiter: str, *, quoting: bool = True, first_row: int = 1) -> Table:
    try:
        try:
            records = _records(text, delimiter, quoting=quoting, first_row=first_row)
        except _Quotes:
            mended = _without_spaces_after_quotes(text, delimiter)
            records = _records(mended, delimiter, quoting=quoting, first_row=first_row)
    except _Quotes as error:
        raise SourceError(f"{path}: {error}") from error
    # Blank lines may come before it.
    first_row = min(records, default=first_row)
    header = records.pop(first_row, [])
    while header and not header[-1].strip():  # Spreadsheets write empty columns at the end.
        header.pop()
    if not header:
        raise SourceError(f"{path}: row {first_row} is empty, expected the names of the columns")
    names = [plain_text(stripped(name)) or f"column {position}" for position, name in enumerate(header, 1)]
    check_names(path, names)
    is_numbered = not header[0].strip() and all(cells and cells[0].strip().isdecimal() for cells in records.values())
    width = len(names)
    faults = []
    for row, cells in records.items():
        if len(cells) != width and (len(cells) < width or any(cell.strip() for cell in cells[width:])):
            faults.append(f"row {row}: {len(cells)} cells")
    raise_faults(
        str(path),
        faults,
        f"; expected {width} as in row {first_row} (a text that holds {delimiter!r} needs quotes)",
    )
    columns = {
        name: empty_as_none([cells[position] for cells in records.values()])
        for position, name in enumerate(names)
        if not is_index(name) and not (position == 0 and is_numbered)
    }
    return Table(str(path), columns, list(records), typed=False, decimal_comma=delimiter == ";")
