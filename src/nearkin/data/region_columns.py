"""Which columns of a table say what region of its picture a row means."""

import json
import logging
import math
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from nearkin.data.box import Box
from nearkin.data.cells import is_missing, shown
from nearkin.data.decoding import picture_size
from nearkin.data.picture import Picture
from nearkin.data.tables import Table, raise_faults
from nearkin.errors import PictureError
from nearkin.wording import counted

_log = logging.getLogger(__name__)

COLUMNS = ("x", "y", "width", "height")
BBOX = "bbox"


@dataclass(frozen=True)
class Regions:
    """The pictures of a table's rows, cut to their boxes.

    Args:
        pictures: one per row: a region, or all of a picture where the row has no box.
        taken: the columns that say where the boxes are; none in a table without boxes.
        columns: x, y, width and height of each row, None where it has no box.
    """

    pictures: Sequence[Picture]
    taken: tuple[str, ...] = ()
    columns: dict[str, list[float | None]] | None = None


def cut_to_regions(table: Table, pictures: Sequence[Picture], names: Sequence[str]) -> Regions:
    """The region of each row: columns `x`, `y`, `width` and `height`, or `bbox` as COCO has it, a list of these four.

    Numbers are pixels of the picture as it is shown, after its EXIF rotation. All four columns are needed: one called
    `width` alone is like any other. A row whose four cells are empty means the whole picture. What reaches beyond the
    picture is cut off, and said.

    Args:
        table: as read.
        pictures: whole, one per row.
        names: of the columns that have no other role.

    Raises:
        SourceError: a box that is no four numbers, has no area, or lies outside its picture; rows are named.
    """
    four = [next((name for name in names if name.lower() == column), None) for column in COLUMNS]
    together = next((name for name in names if name.lower() == BBOX), None)
    cells: Sequence[Any]
    parse: Callable[[Any, bool], Box | None]
    if None not in four:
        taken = tuple(name for name in four if name is not None)
        cells = list(zip(*(table.columns[name] for name in taken), strict=True))
        parse = _of_four
    elif together is not None:
        taken, cells, parse = (together,), table.columns[together], _of_bbox
    else:
        if four[0] and four[1] and (four[2] or four[3]):
            lacks = COLUMNS[four.index(None)]
            _log.warning("%s: columns x, y, ... without '%s' are no boxes: whole pictures are taken", table.name, lacks)
        return Regions(pictures)
    boxes, faults = _boxes(table, cells, parse)
    raise_faults(table.name, faults)
    boxes = _inside(table, pictures, boxes)
    columns: dict[str, list[float | None]] = {
        name: [None if box is None else getattr(box, name) for box in boxes] for name in COLUMNS
    }
    regions = [one if box is None else one.region(box) for one, box in zip(pictures, boxes, strict=True)]
    return Regions(regions, taken, columns)


def _boxes(
    table: Table, cells: Sequence[Any], parse: Callable[[Any, bool], Box | None]
) -> tuple[list[Box | None], list[str]]:
    boxes: list[Box | None] = []
    faults = []
    for row, cell in zip(table.rows, cells, strict=True):
        box = None
        try:
            box = parse(cell, table.decimal_comma)
            if box is not None and box.fault:
                faults.append(f"row {row}: the box {box}: {box.fault}")
        except ValueError as error:
            faults.append(f"row {row}: {error}")
        boxes.append(box)
    return boxes, faults


def _of_four(cells: tuple[Any, ...], decimal_comma: bool) -> Box | None:
    if all(map(is_missing, cells)):
        return None
    for name, cell in zip(COLUMNS, cells, strict=True):
        if is_missing(cell):
            raise ValueError(f"'{name}' is empty: expected all four of {', '.join(COLUMNS)}, or none")
    return Box(*(_number(name, cell, decimal_comma) for name, cell in zip(COLUMNS, cells, strict=True)))


def _of_bbox(cell: Any, decimal_comma: bool) -> Box | None:
    if is_missing(cell):
        return None
    found = cell
    if isinstance(cell, str):
        try:
            found = json.loads(cell)
        except ValueError:
            found = re.split(r"[,;\s]+", cell.strip().strip("[]() "))
    if isinstance(found, np.ndarray):
        found = found.tolist()
    if isinstance(found, list | tuple) and found and isinstance(found[0], list | tuple | np.ndarray):
        raise ValueError(f"'{BBOX}' holds {counted(len(found), 'box')}: expected one; give each its own row")
    if not isinstance(found, list | tuple) or len(found) != 4:
        raise ValueError(f"'{BBOX}' is {shown(cell)}: expected [x, y, width, height]")
    return Box(*(_number(f"{BBOX}: {name}", one, decimal_comma) for name, one in zip(COLUMNS, found, strict=True)))


def _number(name: str, cell: Any, decimal_comma: bool) -> float:
    text = str(cell).strip()
    try:
        if isinstance(cell, bool):
            raise ValueError
        number = float(text.replace(",", ".") if decimal_comma else text)
    except ValueError:
        raise ValueError(f"'{name}' is {shown(cell)}: expected a number of pixels") from None
    if not math.isfinite(number):
        raise ValueError(f"'{name}' is {shown(cell)}: expected a finite number of pixels")
    return number


def _inside(table: Table, pictures: Sequence[Picture], boxes: Sequence[Box | None]) -> list[Box | None]:
    """The boxes without what reaches beyond their pictures. Of a picture that cannot be read nothing is known yet."""
    with_boxes = {one.uri: one for one, box in zip(pictures, boxes, strict=True) if box is not None}
    with ThreadPoolExecutor() as pool:
        sizes = dict(zip(with_boxes, pool.map(_size, with_boxes.values()), strict=True))
    inside: list[Box | None] = []
    faults: list[str] = []
    cut: list[str] = []
    for row, picture, box in zip(table.rows, pictures, boxes, strict=True):
        size = None if box is None else sizes[picture.uri]
        part = box if box is None or size is None else box.clipped(size)
        if box is not None and part is None and size is not None:
            faults.append(f"row {row}: the box {box} is outside its picture of {size[0]} x {size[1]} pixels")
        elif part != box and box is not None and size is not None:
            cut.append(f"row {row}: the box {box} is {part} in a picture of {size[0]} x {size[1]} pixels")
        inside.append(part)
    raise_faults(table.name, faults)
    if cut:
        said = f"{counted(len(cut), 'box')} reached beyond the picture and {'was' if len(cut) == 1 else 'were'}"
        _log.warning("%s: %s cut off there, such as %s", table.name, said, cut[0])
    return inside


def _size(picture: Picture) -> tuple[int, int] | None:
    try:
        return picture_size(picture)
    except PictureError:
        return None
