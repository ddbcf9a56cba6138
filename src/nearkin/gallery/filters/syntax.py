"""The text of a filter to a syntax tree, by sqlglot; what cannot be parsed is named with its position."""

import re
from collections.abc import Collection
from typing import Any

from nearkin.errors import InvalidInput

# Quoted text, quoted names, comments; `open` is what is not closed.
_QUOTED = re.compile(
    r"""'(?:[^']|'')*'(?!')|"(?:[^"]|"")*"(?!")|`(?:[^`]|``)*`(?!`)|--[^\n]*|/\*.*?\*/|(?P<open>(?:['"`]|/\*).*)""",
    re.DOTALL,
)
# Characters that sqlglot reads as templates or as several statements; a filter has no use for them.
_STRAY = re.compile(r"[{};]")
# Tokens after which an operand is due, and tokens that no operand begins with.
_OPERATORS = {
    "EQ", "NEQ", "LT", "LTE", "GT", "GTE", "NULLSAFE_EQ", "STAR", "SLASH", "MOD", "DIV", "DPIPE", "COMMA",
    "AND", "OR", "LIKE", "ILIKE", "IN", "BETWEEN", "IS",
}  # fmt: skip
_NO_OPERAND = _OPERATORS | {"R_PAREN"}
# What may follow an operator or open parenthesis although it begins no operand: `f()`, `NOT IN (...)`.
_FITTING = {("L_PAREN", "R_PAREN"), ("NOT", "IN"), ("NOT", "LIKE"), ("NOT", "ILIKE"), ("NOT", "BETWEEN")}


def check_text(where: Any) -> str:
    """The filter itself.

    Raises:
        InvalidInput: it is no text.
    """
    if not isinstance(where, str):
        raise InvalidInput(
            f"where is of type {type(where).__name__}: expected a text of SQL, such as \"label = 'mug'\""
        )
    return where


def parse(where: str, columns: Collection[str] = ()) -> Any:
    """The filter as a tree of sqlglot.

    Args:
        where: an SQL expression.
        columns: names that may be meant where a word of SQL stands.

    Raises:
        InvalidInput: empty, or not an expression; the message names the position of the error.

    Example:
        >>> parse('"price" > 3').sql()
        '"price" > 3'
        >>> parse("price >")
        Traceback (most recent call last):
        nearkin.errors.InvalidInput: where "price >": syntax error at position 8 (end of filter): expected an expression
    """
    if not check_text(where).strip():
        raise InvalidInput("where is empty: expected an SQL expression such as label = 'mug'")
    _check_quotes(where)
    from sqlglot import exp
    from sqlglot.errors import ParseError, TokenError

    from nearkin.gallery.filters.dialect import Filters

    dialect = Filters()
    try:
        tokens = dialect.tokenize(where)
    except TokenError as error:
        raise InvalidInput(f'where "{where}": cannot be read as SQL: {error}') from error
    if not tokens:
        raise InvalidInput(f"where \"{where}\" holds only a comment: expected an SQL expression such as label = 'mug'")
    try:
        _check_operands(where, tokens)
        (tree,) = dialect.parser().parse_into(exp.Condition, tokens, where)
    except ParseError as error:
        raise InvalidInput(f"{_located(where, error.errors[0])}{_columns_meant(tokens, columns)}") from error
    except InvalidInput as error:
        raise InvalidInput(f"{error}{_columns_meant(tokens, columns)}") from error
    except RecursionError as error:
        raise InvalidInput("where is nested too deeply: write it with fewer parentheses, or with IN (...)") from error
    return tree


def _syntax_error(where: str, position: int, token: str, reason: str) -> InvalidInput:
    at = f'"{token}"' if token else "end of filter"
    return InvalidInput(f'where "{where}": syntax error at position {position} ({at}): {reason}')


def _check_quotes(where: str) -> None:
    """Name a quote or comment that is not closed, and characters that have no place outside of quotes."""
    plain = where
    for found in _QUOTED.finditer(where):
        if found["open"]:
            kind = "comment" if found[0][0] == "/" else "quote"
            raise _syntax_error(where, found.start() + 1, found[0], f"this {kind} is not closed")
        plain = plain[: found.start()] + " " * len(found[0]) + plain[found.end() :]
    if stray := _STRAY.search(plain):
        raise _syntax_error(where, stray.start() + 1, stray[0], "expected the end, AND or OR")


def _check_operands(where: str, tokens: list[Any]) -> None:
    """Name the first token that stands where an operand is due. sqlglot names a later one."""
    before = "L_PAREN"
    depth = 0
    for token in tokens:
        kind = token.token_type.name
        due = before in _OPERATORS or before in ("L_PAREN", "NOT")
        if due and kind in _NO_OPERAND and (before, kind) not in _FITTING:
            raise _syntax_error(where, token.start + 1, token.text, "expected an expression")
        depth += (kind == "L_PAREN") - (kind == "R_PAREN")
        if depth < 0:
            raise _syntax_error(where, token.start + 1, token.text, "no parenthesis is open")
        before = kind
    if before in _OPERATORS or before in ("L_PAREN", "NOT"):
        raise _syntax_error(where, len(where) + 1, "", "expected an expression")
    if depth:
        raise _syntax_error(where, len(where) + 1, "", "expected )")


def _columns_meant(tokens: list[Any], columns: Collection[str]) -> str:
    """For a message: words of SQL that are names of columns too, such as `select`."""
    words = {token.text.lower() for token in tokens if token.token_type.name not in ("VAR", "IDENTIFIER", "STRING")}
    meant = [f'"{name}"' for name in columns if name.lower() in words]
    return f"; put a column whose name is a word of SQL in double quotes: {', '.join(meant)}" if meant else ""


def _located(where: str, error: Any) -> InvalidInput:
    token, lines = error["highlight"] or "", where.split("\n")
    start = sum(len(line) + 1 for line in lines[: error["line"] - 1]) + error["col"] - len(token)
    missing = re.match(r"Required keyword: '\w+' missing", error["description"])
    reason = "expected an expression" if missing else "expected the end, AND or OR"
    if missing and not error["end_context"].strip():
        return _syntax_error(where, len(where) + 1, "", reason)
    return _syntax_error(where, start + 1, token, reason)
