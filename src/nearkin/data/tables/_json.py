"""JSON lines, and JSON arrays of objects."""

import json
from pathlib import Path
from typing import Any

from nearkin.data.cells import empty_as_none, shown
from nearkin.data.names import plain_text
from nearkin.data.tables._table import Table, is_index
from nearkin.data.tables._text import read_text
from nearkin.errors import SourceError


def read_json(path: Path) -> Table:
    """An object per line, or one array of objects; row numbers are those of lines, or of objects."""
    text = read_text(path)
    if text.lstrip().startswith("["):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{path}: expected a JSON array of objects: {error}") from error
        return _table(path, dict(enumerate(found, 1)))
    records = {}
    for row, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                records[row] = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise SourceError(f"{path}: row {row}: expected a JSON object: {error}") from error
    return _table(path, records)


def _table(path: Path, records: dict[int, Any]) -> Table:
    for row, record in records.items():
        if not isinstance(record, dict):
            raise SourceError(f"{path}: row {row}: expected a JSON object, got {shown(record)}")
    if len(records) == 1 and all(isinstance(value, dict | list) for value in record.values()):
        raise SourceError(
            f"{path}: one object of {', '.join(record)[:80]}, whose values are lists or mappings: expected an object "
            "per row; pandas writes them with to_json(orient='records')"
        )
    names = dict.fromkeys(name for record in records.values() for name in record)
    columns = {
        plain_text(name): empty_as_none([record.get(name) for record in records.values()])
        for name in names
        if not is_index(name)
    }
    return Table(str(path), columns, list(records))
