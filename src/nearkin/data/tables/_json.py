"""JSON lines, JSON arrays of objects, and the annotations of COCO."""

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
    if text.lstrip().startswith("{") and '"annotations"' in text and (coco := _coco_of_text(path, text)):
        return coco
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


def _coco_of_text(path: Path, text: str) -> Table | None:
    """The annotations of a file as COCO has it, a row each; None if it is no such file."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not all(isinstance(found.get(name), list) for name in ("images", "annotations")):
        return None
    try:
        files = {image["id"]: image["file_name"] for image in found["images"]}
        classes = {one["id"]: one["name"] for one in found.get("categories") or ()}
    except (TypeError, KeyError) as error:
        raise SourceError(
            f"{path}: expected images of COCO with id and file_name, and categories with a name"
        ) from error
    names = {"caption", "iscrowd", *(name for one in found["annotations"] for name in one if name == "bbox")}
    columns: dict[str, list[Any]] = {"file_name": [], "label": [], **{name: [] for name in sorted(names)}}
    for row, one in enumerate(found["annotations"], 1):
        if not isinstance(one, dict) or one.get("image_id") not in files:
            image = one.get("image_id") if isinstance(one, dict) else one
            raise SourceError(f"{path}: annotation {row} is of image {shown(image)}, which is not among the images")
        columns["file_name"].append(files[one["image_id"]])
        columns["label"].append(classes.get(one.get("category_id")))
        for name in names:
            columns[name].append(one.get(name))
    columns = {name: empty_as_none(cells) for name, cells in columns.items()}
    kept = {name: cells for name, cells in columns.items() if any(cell is not None for cell in cells)}
    return Table(str(path), kept, range(1, len(found["annotations"]) + 1))
