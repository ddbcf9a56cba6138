"""What a cell of a table means as a class, as captions, as a number: whatever program wrote it."""

import datetime
import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from nearkin.data.names import plain_text

_SHOWN = 60
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
_COMMA_NUMBER = re.compile(r"-?(0|[1-9]\d*)(,\d+)?")
# As pandas writes whole numbers of a column with gaps.
_WHOLE_FLOAT = re.compile(r"-?\d+\.0")
_WHOLE = re.compile(r"-?(0|[1-9]\d*)(\.0)?")
# What programs write where there is no value: no class is called so, and these may be classes beside other words.
_NO_VALUE = frozenset(("NaN", "nan", "<NA>", "NaT", "#N/A"))
_NO_NUMBER = _NO_VALUE | {"NA", "N/A", "n/a", "null", "NULL", "None"}
# Signs without width, which spreadsheets and web pages leave around a text.
_NO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff"
_INT64 = 2**63
# Whole numbers up to here are exact as 64-bit floats.
_EXACT = 2**53


def stripped(text: str) -> str:
    """The text without spaces and signs of no width around it.

    Example:
        >>> stripped("\\ufeff cat\\u200b ")
        'cat'
    """
    while (shorter := text.strip().strip(_NO_WIDTH)) != text:
        text = shorter
    return text


def is_missing(cell: Any) -> bool:
    """Whether a cell is empty: None, blank text, NaN, or pandas' NA and NaT."""
    if cell is None:
        return True
    if isinstance(cell, str):
        return not cell or cell.isspace()
    if isinstance(cell, float | np.floating | Decimal):
        return bool(cell != cell)
    return type(cell).__name__ in ("NAType", "NaTType")


def empty_as_none(cells: Sequence[Any]) -> list[Any]:
    """The cells, with None for each that is missing."""
    return [None if is_missing(cell) else cell for cell in cells]


def class_name(cell: Any) -> str | None:
    """A cell as the name of a class, without spaces around it; None if it is missing.

    Numbers, dates and truth values are names too; a whole number is the same name as an integer and as a float.

    Raises:
        ValueError: a list, a mapping, bytes, or an infinite number.

    Example:
        >>> class_name(" cat "), class_name(1.0), class_name("007"), class_name(float("nan"))
        ('cat', '1', '007', None)
    """
    if isinstance(cell, str):
        return plain_text(stripped(cell)) or None
    if is_missing(cell):
        return None
    if isinstance(cell, np.generic):
        cell = cell.item()
    if isinstance(cell, float | Decimal):
        if cell in (float("inf"), float("-inf")):
            raise ValueError(f"{cell} is no name")
        return str(int(cell)) if cell == int(cell) else f"{cell:f}" if isinstance(cell, Decimal) else str(cell)
    if isinstance(cell, bool | int | datetime.date | datetime.time | datetime.timedelta):
        return str(cell)
    raise ValueError(f"{shown(cell)} is no name")


def texts(cell: Any) -> list[str]:
    """The texts of a cell: none, one, or those of a list.

    Raises:
        ValueError: a mapping, bytes, or a list within a list.
    """
    cells = cell if isinstance(cell, list | tuple | np.ndarray) else [cell]
    return [text for text in map(class_name, cells) if text is not None]


def shown(cell: Any) -> str:
    """A cell for a message, cut short, with its kind where that is not plain to see."""
    if isinstance(cell, bytes | bytearray | memoryview):
        return f"{len(cell)} bytes"
    if isinstance(cell, str):
        return f"'{plain_text(cell[:_SHOWN])}{'...' if len(cell) > _SHOWN else ''}'"
    kind = "a mapping: " if isinstance(cell, dict) else ""
    if isinstance(cell, list | tuple | np.ndarray):
        kind = "a list: "
    text = plain_text(repr(_without_bytes(cell)))
    return f"{kind}{text[:_SHOWN]}{'...' if len(text) > _SHOWN else ''}"


def _without_bytes(cell: Any) -> Any:
    """Pictures' bytes in a message would hide what it says, and take long to write out."""
    if isinstance(cell, dict):
        return {key: _without_bytes(value) for key, value in cell.items()}
    if isinstance(cell, list):
        return [_without_bytes(value) for value in cell[:_SHOWN]]
    return f"{len(cell)} bytes" if isinstance(cell, bytes) else cell


def numbers_of_text(cells: Sequence[str | None], *, decimal_comma: bool = False) -> Sequence[Any]:
    """Text that reads as a number in every cell, as numbers; else the text as it is.

    "007" is a name, and so is a number that 64 bits cannot hold exactly: the whole column stays text. NaN, NA and their
    like beside numbers are empty cells.

    Args:
        cells: of one column, None where empty.
        decimal_comma: whether 1,5 is a number.
    """
    pattern = _COMMA_NUMBER if decimal_comma and any(cell and "," in cell for cell in cells) else _NUMBER
    plain = [None if cell is None else cell.strip() for cell in cells]
    plain = [None if cell in _NO_NUMBER else cell for cell in plain]
    found = [cell for cell in plain if cell is not None]
    if not found or not all(map(pattern.fullmatch, found)):
        return cells
    if any("." in cell or "," in cell for cell in found):
        whole = [int(cell) for cell in found if "." not in cell and "," not in cell and len(cell) < 20]
        if any(len(cell) > 19 for cell in found) or any(abs(number) > _EXACT for number in whole):
            return cells
        return [None if cell is None else float(cell.replace(",", ".")) for cell in plain]
    if any(len(cell) > 20 for cell in found):  # int() refuses thousands of digits.
        return cells
    numbers = [None if cell is None else int(cell) for cell in plain]
    fits = all(-_INT64 <= number < _INT64 for number in numbers if number is not None)
    return numbers if fits else cells


def labels_of_text(cells: Sequence[str | None]) -> Sequence[str | None]:
    """Class names of a text column, None for NaN and its like.

    1.0 and 2.0 are the numbers 1 and 2 where pandas writes them so, beside gaps, and where 1 and 1.0 stand together.
    NA, null and None are gaps beside numbers; beside other words they are classes.

    Example:
        >>> labels_of_text(["1.0", "1", "NA"]), labels_of_text(["NA", "cat", "NaN"])
        (['1', '1', None], ['NA', 'cat', None])
    """
    plain = [None if cell is None or cell.strip() in _NO_VALUE else cell.strip() for cell in cells]
    found = {cell for cell in plain if cell is not None}
    numbers = found - _NO_NUMBER
    if not numbers or not all(map(_WHOLE.fullmatch, numbers)):
        return plain
    has_gaps = len(numbers) < len({*cells})
    written_in_two_ways = len({bool(_WHOLE_FLOAT.fullmatch(number)) for number in numbers}) > 1
    if not has_gaps and not written_in_two_ways:
        return plain
    return [None if cell is None or cell in _NO_NUMBER else cell.removesuffix(".0") for cell in plain]


def as_texts(cells: Sequence[Any]) -> list[str | None]:
    """A column of mixed kinds as text: names as they are, lists and mappings as JSON.

    Example:
        >>> as_texts([7, "x", None, {"a": [1]}])
        ['7', 'x', None, '{"a": [1]}']
    """
    return [_as_text(cell) for cell in cells]


def _as_text(cell: Any) -> str | None:
    try:
        return class_name(cell)
    except ValueError:
        return cell.hex() if isinstance(cell, bytes) else plain_text(json.dumps(cell, default=str, ensure_ascii=False))
