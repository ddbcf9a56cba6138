"""Typed parts of a filter as Lance takes them: SQL whose meaning does not depend on what stands beside it."""

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

from nearkin.arrow import pa

# What a part of a filter is. "moment" is a timestamp with a time zone; a list is named by what it holds.
Kind = Literal["int", "float", "text", "bool", "date", "timestamp", "moment", "texts", "numbers", "null", "other"]

NAMES: dict[Kind, str] = {
    "int": "integers", "float": "numbers", "text": "text", "bool": "true or false", "date": "dates",
    "timestamp": "timestamps", "moment": "timestamps with a time zone", "texts": "lists of text",
    "numbers": "lists of numbers", "null": "NULL", "other": "values that cannot be compared",
}  # fmt: skip

LEAST, GREATEST = -(2**63), 2**63 - 1


@dataclass(frozen=True)
class Part:
    """A part of a filter.

    Args:
        sql: what Lance is given.
        kind: of its values.
        shown: as the user wrote it, for messages.
        value: of a literal, else None.
        is_condition: whether it is a comparison or is made of such.
        column: of a column as it is stored, as SQL.
    """

    sql: str
    kind: Kind
    shown: str
    value: Any = None
    is_condition: bool = False
    column: str | None = None


def kind_of(column: pa.DataType) -> Kind:
    """The kind of a column's values."""
    types = pa.types
    if types.is_list(column) or types.is_large_list(column):
        inner = kind_of(column.value_type)
        return "texts" if inner == "text" else "numbers" if inner in ("int", "float") else "other"
    if types.is_timestamp(column):
        return "moment" if column.tz else "timestamp"
    for test, kind in (
        (types.is_boolean, "bool"), (types.is_integer, "int"), (types.is_floating, "float"),
        (types.is_decimal, "float"), (types.is_string, "text"), (types.is_large_string, "text"),
        (types.is_date, "date"),
    ):  # fmt: skip
        if test(column):
            return kind  # type: ignore[return-value]
    return "other"


def column(name: str, type_: pa.DataType, shown: str) -> Part:
    """A column. Integers are brought to 64 bits, decimals and floats to 64 bits without a negative zero."""
    kind, sql = kind_of(type_), f"`{name}`"
    if kind == "int" and not pa.types.is_int64(type_):
        sql = f"CAST({sql} AS BIGINT)"
    if kind == "float":
        # Lance orders floats by their bits, in which -0.0 is less than 0.0.
        sql = f"(CAST({sql} AS DOUBLE) + CAST('0' AS DOUBLE))"
    return Part(sql, kind, shown, column=f"`{name}`")


def text(value: str, shown: str = "") -> Part:
    escaped = value.replace("'", "''")
    return Part(f"'{escaped}'", "text", shown or f"'{escaped}'", value)


def boolean(value: bool, shown: str = "") -> Part:
    return Part(str(value).lower(), "bool", shown or str(value), value)


def integer(value: int, shown: str = "") -> Part:
    # Lance reads the least integer as a float.
    sql = str(value) if value > LEAST else f"CAST('{value}' AS BIGINT)"
    return Part(f"({sql})" if value < 0 else sql, "int", shown or str(value), value)


def real(value: float, shown: str = "") -> Part:
    value = 0.0 if value == 0 else value
    return Part(f"CAST('{value!r}' AS DOUBLE)", "float", shown or repr(value), value)


def day(value: date, shown: str = "") -> Part:
    return Part(f"CAST('{value.isoformat()}' AS DATE)", "date", shown or f"DATE '{value}'", value)


def moment(value: datetime, shown: str = "") -> Part:
    """A timestamp; one with an offset is told in UTC."""
    if value.tzinfo is None:
        return Part(f"CAST('{value.isoformat(' ')}' AS TIMESTAMP)", "timestamp", shown or f"TIMESTAMP '{value}'", value)
    utc = value.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
    return Part(f"CAST('{utc}' AS TIMESTAMP)", "moment", shown or f"TIMESTAMP '{value}'", value)


def as_real(part: Part) -> Part:
    """A number as a float."""
    if part.kind == "float":
        return part
    if part.value is not None:
        return real(float(part.value), part.shown)
    return Part(f"CAST({part.sql} AS DOUBLE)", "float", part.shown)


def is_whole(value: float) -> bool:
    """Whether a float is an integer of 64 bits."""
    return math.isfinite(value) and value == int(value) and LEAST <= int(value) <= GREATEST
