"""Values that are set in many items at once, as SQL."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from nearkin.errors import InvalidInput, UnknownName
from nearkin.gallery.items.columns import EDITED, fitted_value, metadata_names


def as_sql(values: Mapping[str, Any], schema: pa.Schema) -> dict[str, str]:
    """Columns and their new values as SQL expressions.

    Args:
        values: by column; None for no value. `captions` takes one text or several.
        schema: of the gallery.

    Raises:
        UnknownName: no such column, or one that cannot be changed; near names are suggested.
        InvalidInput: a value that does not fit its column.
    """
    known = ["label", "captions", *metadata_names(schema)]
    for name in values:
        if not isinstance(name, str):
            raise InvalidInput(f"update: {name!r} is no name of a column")
        if name not in known:
            raise UnknownName(
                "column", name, known, "a new one comes with `nearkin index`, or with create=True (--create)"
            )
    expressions = {name: _literal(fitted_value(name, value, schema.field(name).type)) for name, value in values.items()}
    # So that the next source does not overwrite them.
    names = ", ".join(_text(name) for name in values)
    return expressions | {EDITED: f"array_union(coalesce({EDITED}, []), [{names}])"}


def new_columns(values: Mapping[str, Any], schema: pa.Schema) -> pa.Schema:
    """The columns among these values that a gallery lacks.

    Raises:
        InvalidInput: a name that is not allowed, or no value to take the type from.
    """
    new = {name: value for name, value in values.items() if name not in schema.names}
    fields: list[Any] = [(name, fitted_value(name, value).type) for name, value in new.items()]
    for name, kind in fields:
        if pa.types.is_null(kind):
            raise InvalidInput(f"update: column '{name}' is new and has no value: its type is unknown")
    return pa.schema(fields)


def edited_column() -> pa.Schema:
    """The column that remembers what was set by hand."""
    return pa.schema([pa.field(EDITED, pa.list_(pa.string()))])


def _literal(value: pa.Scalar) -> str:
    if not value.is_valid:
        return "NULL"
    kind = value.type
    if pa.types.is_list(kind):
        parts = [_literal(part) for part in value]
        return f"[{', '.join(parts)}]" if parts else "NULL"
    if pa.types.is_boolean(kind):
        return str(value.as_py()).lower()
    if pa.types.is_integer(kind):
        return f"CAST('{value.as_py()}' AS BIGINT)"
    if pa.types.is_floating(kind):
        return f"CAST('{value.as_py()!r}' AS DOUBLE)"
    if pa.types.is_decimal(kind):
        return f"CAST('{value.as_py()}' AS DECIMAL({kind.precision}, {kind.scale}))"
    text = value.cast(pa.string()).as_py()
    if pa.types.is_string(kind):
        return _text(text)
    if pa.types.is_date(kind):
        return f"CAST('{text}' AS DATE)"
    if pa.types.is_timestamp(kind):
        return f"CAST('{text}' AS TIMESTAMP)"
    raise InvalidInput(f"a value of type {kind} cannot be set: index the source again instead")


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
