"""Tables of pictures as named columns: one file for each way of writing them."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from nearkin.data.tables._delimited import delimiter_of, read_csv, read_tsv
from nearkin.data.tables._json import read_json
from nearkin.data.tables._table import Table, raise_faults
from nearkin.data.tables._text import open_text, read_text
from nearkin.data.tables.arrow import read_parquet
from nearkin.errors import SourceError

__all__ = ["READERS", "Table", "delimiter_of", "open_text", "raise_faults", "read_table", "read_text"]

READERS: dict[str, Callable[[Path], Table]] = {
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".jsonl": read_json,
    ".ndjson": read_json,
    ".json": read_json,
    ".parquet": read_parquet,
}
_WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar")


def read_table(path: Path) -> Table:
    """The table of a file, by its extension: see `READERS`.

    CSV has a header line and any of , ; | or tabs between the cells; text is UTF-8 or UTF-16, or as Western and Russian
    programs save it. A TSV whose quotes do not match is read as one without quoting. JSON is an object per line, or an
    array of objects.

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
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise SourceError(f"{path}: {no_table(path)}")
    try:
        table = reader(path)
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not table.rows:
        raise SourceError(f"{path}: {_what_it_is(path) or 'holds no rows'}")
    return table


def _what_it_is(path: Path) -> str:
    """What a file without rows holds in place of a table, and the way out; "" if it is just empty."""
    if path.suffix.lower() not in (".csv", ".tsv"):
        return ""
    with path.open("rb") as file:
        start = file.read(1000).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start == b"<":
        return "holds a web page or XML, not a table: export the table itself as CSV"
    if start in (b"{", b"["):
        return "holds JSON, not CSV: name it .jsonl, with one object a line"
    return ""


def no_table(path: Path) -> str:
    """What a file of this name is instead of a table, and what to do."""
    suffix = path.suffix.lower()
    if suffix in _ARCHIVES:
        return "is an archive: unpack it, and name its folder or table"
    if suffix in _WORKBOOKS:
        return "is a workbook: save the sheet as CSV in UTF-8"
    return f"is no table that can be read: expected one of {', '.join(READERS)}"
