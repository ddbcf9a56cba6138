"""The one way from a result to JSON: reports, hits, verdicts, calibrations and galleries' facts all pass here."""

import dataclasses
import datetime
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any


def plain(value: Any) -> Any:
    """A result as dictionaries, lists, strings, numbers, booleans and None.

    An object that has `to_dict` is what that returns, another dataclass is its fields. Dates and times become ISO
    8601, arrays become lists. NaN and infinities, which JSON lacks, become None. Anything else becomes its text.

    Example:
        >>> plain({"day": datetime.date(2024, 5, 1), "score": float("nan"), "captions": ("a", "b")})
        {'day': '2024-05-01', 'score': None, 'captions': ['a', 'b']}
    """
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "to_dict"):
        return plain(value.to_dict())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if hasattr(value, "tolist"):
        # A NumPy array or number, whose `tolist` gives Python's own.
        return plain(value.tolist())
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return [plain(entry) for entry in value]
    return str(value)


def json_text(value: Any, *, indent: int | None = 2) -> str:
    """A result as JSON in the order of its fields; text as it is, not in escapes.

    Args:
        value: what `plain` takes.
        indent: spaces for each level; None for a single line.

    Example:
        >>> json_text({"query": "кошка", "hits": ()}, indent=None)
        '{"query": "кошка", "hits": []}'
    """
    return json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False)
