"""The functions that a filter may use, with what they take and give."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nearkin.gallery.filters.values import Kind, Part


@dataclass(frozen=True)
class Function:
    """A function of filters.

    Args:
        takes: the kinds of its arguments, each one or several.
        gives: the kind of its result.
        sql: its call, from the SQL of the arguments.
    """

    takes: tuple[tuple[Kind, ...], ...]
    gives: Kind
    sql: Callable[..., str]


def _call(name: str, gives: Kind, *takes: Kind | tuple[Kind, ...]) -> Function:
    kinds = tuple((each,) if isinstance(each, str) else each for each in takes)
    return Function(kinds, gives, lambda *sql: f"{name}({', '.join(sql)})")


def _whole(name: str, *takes: Kind | tuple[Kind, ...]) -> Function:
    """A function that gives an integer, brought to 64 bits."""
    inner = _call(name, "int", *takes)
    return Function(inner.takes, "int", lambda *sql: f"CAST({inner.sql(*sql)} AS BIGINT)")


def _date_part(part: str) -> Function:
    days: tuple[Kind, ...] = ("date", "timestamp")
    return Function((days,), "int", lambda sql: f"CAST(date_part('{part}', {sql}) AS BIGINT)")


_LISTS: tuple[Kind, ...] = ("texts", "numbers")

FUNCTIONS: dict[str, Function] = {
    "lower": _call("lower", "text", "text"),
    "upper": _call("upper", "text", "text"),
    "length": _whole("character_length", "text"),
    "starts_with": _call("starts_with", "bool", "text", "text"),
    "ends_with": _call("ends_with", "bool", "text", "text"),
    "contains": _call("contains", "bool", "text", "text"),
    "regexp_like": _call("regexp_like", "bool", "text", "text"),
    "abs": _call("abs", "float", "float"),
    "round": _call("round", "float", "float"),
    "array_has": _call("array_has", "bool", "texts", "text"),
    "array_length": _whole("array_length", _LISTS),
    "year": _date_part("year"),
    "month": _date_part("month"),
    "day": _date_part("day"),
}
# Other names of the same functions.
ALIASES = {
    "char_length": "length", "character_length": "length", "array_contains": "array_has", "list_contains": "array_has",
    "cardinality": "array_length", "regexp_matches": "regexp_like", "len": "length", "array_size": "array_length",
    "list_has": "array_has", "lcase": "lower", "ucase": "upper",
}  # fmt: skip
# Those that are written out where expressions are: their arguments are of any one kind.
SPECIAL = ("coalesce", "nullif", "extract", "cast", "try_cast")


def known_functions() -> list[str]:
    """Names of all functions that a filter may use."""
    return sorted([*FUNCTIONS, *ALIASES, *SPECIAL])


def kinds_fit(function: Function, parts: Sequence[Part]) -> bool:
    """Whether the arguments are of the kinds that the function takes."""
    return len(parts) == len(function.takes) and all(
        part.kind in kinds for part, kinds in zip(parts, function.takes, strict=True)
    )
