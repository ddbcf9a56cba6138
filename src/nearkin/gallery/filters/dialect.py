"""The SQL of filters as sqlglot reads it: text in single quotes, names in double quotes or backticks."""

from sqlglot import tokens
from sqlglot.dialects.dialect import Dialect


class Filters(Dialect):
    """Quotes are doubled inside of quotes; a backslash is a character as any other."""

    class Tokenizer(tokens.Tokenizer):
        IDENTIFIERS = ['"', "`"]  # noqa: RUF012 - sqlglot's own way of saying it
        STRING_ESCAPES = ["'"]  # noqa: RUF012
