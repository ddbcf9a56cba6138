"""`where`: a filter in SQL over the columns of a gallery, checked before it runs."""

import re
from collections.abc import Callable, Sequence

from nearkin.errors import InvalidInput, UnknownName

# What is wrong with an expression, None if nothing is.
Parser = Callable[[str], str | None]

# Quoted text and names, words, comparisons, any other sign. A quote that is not closed reaches to the end.
_TOKEN = re.compile(r"""'(?:[^']|'')*(?:'|$)|"[^"]*(?:"|$)|`[^`]*(?:`|$)|\w+|[<>=!]+|\S""")


def checked_filter(where: str, columns: Sequence[str], parser: Parser) -> str:
    """The filter in a form that means the same to the parser, whatever it stands beside.

    Args:
        where: an SQL expression, such as `label = 'mug' AND price < 10`. Text goes in single quotes, a column whose
            name is no plain word in backticks.
        columns: those there are.
        parser: of whole expressions.

    Raises:
        InvalidInput: not an expression, or not one that is true or false; the position of a slip is named.
        UnknownName: no such column; near names are suggested.
    """
    if not where.strip():
        raise InvalidInput("where is empty: wanted an SQL expression such as label = 'mug'")
    # The parser stops where an expression may end, and ignores the rest. In a parenthesis that is left open it has to
    # read all, and to complain at the end; anything else is a slip.
    if not _viable(where, parser):
        raise _slip(where, parser)
    whole = f"({where}\n)"
    complaint = parser(whole)
    if complaint is None:
        return whole
    if "parsing statement" in complaint:
        raise _slip(where, parser)
    if unknown := re.search(r"No field named \"?([^\s\"]+?)\"?\.[ \w]", complaint):
        raise UnknownName("column", unknown[1], columns, f'in where "{where}"; text goes in single quotes')
    raise InvalidInput(f'where "{where}": {_reason(complaint)}')


def fails_on_a_row(where: str, error: Exception) -> InvalidInput:
    """What only the values show: a division by zero, a text that is no number."""
    return InvalidInput(f'where "{where}" fails on an item: {_reason(str(error))}')


def _viable(start: str, parser: Parser) -> bool:
    """Whether an expression can begin like this."""
    return "found: EOF" in (parser(f"({start}") or "")


def _slip(where: str, parser: Parser) -> InvalidInput:
    """Names the first token that no expression can have in its place."""
    for token in _TOKEN.finditer(where):
        if not _viable(where[: token.end()], parser):
            reason = _expected(parser(f"({where[: token.end()]}"))
            return InvalidInput(f'where "{where}": slip at position {token.start() + 1}, at {token[0]}: {reason}')
    reason = _expected(parser(f"({where}"))
    return InvalidInput(f'where "{where}": slip at position {len(where) + 1}, at the end: {reason}')


def _expected(complaint: str | None) -> str:
    if complaint is None:
        return "no parenthesis is open"
    if "tokenizing" in complaint:
        return "this quote is not closed"
    wanted = re.search(r"Expected: (.*), found: ", complaint, re.DOTALL)
    # What closes the parenthesis that this module put around it is the end to the user.
    return f"wanted {'the end or AND, OR' if wanted[1] == ')' else wanted[1]}" if wanted else _reason(complaint)


def _reason(complaint: str) -> str:
    """The complaint without the prefixes and places in the source of those who passed it on."""
    reason = re.split(r", /\w+/", complaint)[0]
    return re.split(r"(?:Invalid user input|Schema error|Arrow error|External error|Execution error): ", reason)[-1]
