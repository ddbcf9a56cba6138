"""The columns of a gallery: its own, and the metadata that sources bring along."""

import logging
import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import pyarrow as pa

from nearkin.data.cells import as_texts, class_name, shown, texts
from nearkin.data.items import Items
from nearkin.data.names import plain_text
from nearkin.errors import InvalidInput

_log = logging.getLogger(__name__)

ID, VECTOR, THUMBNAIL = "item_id", "vector", "thumbnail"
# Vectors of the next encoder, while the gallery changes over to it.
NEXT_VECTOR = "next_vector"
# Names of the columns that were set by hand in an item: what a source says does not overwrite them.
EDITED = "edited_columns"
# What tells whether a picture has changed since it was embedded. Size and time are of a file, else null.
FILE_FACTS = ("content_hash", "file_size", "file_mtime_ns")


# A vector column's own metadata: the fingerprint of the encoder that made it.
ENCODER_KEY = b"nearkin:encoder"
# Tells Lance that two writers must not both insert a uri.
_UNIQUE = {b"lance-schema:unenforced-primary-key": b"true"}


def vector_field(name: str, encoder: str, dim: int) -> pa.Field:
    """A column of an encoder's vectors of `dim` numbers."""
    return pa.field(name, pa.list_(pa.float32(), dim), metadata={ENCODER_KEY: encoder.encode()})


def item_schema(encoder: str, dim: int) -> pa.Schema:
    """The gallery's own columns, for an encoder's vectors of `dim` numbers."""
    return pa.schema(
        [
            pa.field(ID, pa.int64()),
            pa.field("uri", pa.string(), nullable=False, metadata=_UNIQUE),
            pa.field("content_hash", pa.string()),
            pa.field("file_size", pa.int64()),
            pa.field("file_mtime_ns", pa.int64()),
            pa.field("label", pa.string()),
            pa.field("captions", pa.list_(pa.string())),
            vector_field(VECTOR, encoder, dim),
            pa.field(THUMBNAIL, pa.binary()),
        ]
    )


OWN = (*item_schema("", 1).names, NEXT_VECTOR, EDITED)


def metadata_names(schema: pa.Schema) -> list[str]:
    """The columns that are not the gallery's own."""
    return [name for name in schema.names if name not in OWN]


def shown_names(schema: pa.Schema) -> list[str]:
    """The columns that people may ask for: all but the vectors, the thumbnails and the files' facts."""
    return [ID, "uri", "label", "captions", *metadata_names(schema)]


def stated_by(items: Items, stored: pa.Schema) -> pa.Table:
    """What a source states of its items: a table of `uri` and only those columns that the source fills.

    Args:
        items: the source.
        stored: columns of the gallery; a column that it has already comes in its type.

    Raises:
        InvalidInput: a picture occurs twice, or values do not fit the gallery's column of this name.
    """
    uri, count = next(iter(Counter(items.uris).most_common(1)), ("", 0))
    if count > 1:
        raise InvalidInput(f"{items.source}: '{uri}' occurs {count} times: expected each picture once")
    columns = {"uri": pa.array(items.uris, pa.string())}
    if items.has_labels:
        columns["label"] = pa.array(items.labels, pa.string())
    if items.has_captions:
        columns["captions"] = pa.array(items.captions, pa.list_(pa.string()))
    metadata = dict(items.metadata)
    if any(split is not None for split in items.splits):
        metadata["split"] = items.splits
    for stated, values in metadata.items():
        name = _held_name(stated, {*OWN, *columns}, items.source)
        column = typed_column(values)
        if column.null_count < len(column):
            known = name in stored.names
            columns[name] = _fitted(name, column, stored.field(name).type, items.source) if known else column
    return pa.table(columns)


def _held_name(name: str, taken: Collection[str], source: str) -> str:
    """The name under which a gallery holds a column: its own, if that can be.

    Lance keeps names like _rowid for itself, and its paths and SQL give . ` and * a meaning. One odd name is no reason
    to refuse all pictures.
    """
    held = re.sub(r"[.`*]", "_", name).lstrip("_") or "column"
    while held in taken:
        held += "_"
    if held != name:
        _log.warning("%s: a gallery cannot hold a column named '%s': held as '%s'", source, name, held)
    return held


def _check_name(name: str, source: str) -> None:
    if name in OWN:
        raise InvalidInput(f"{source}: column '{name}' clashes with the gallery's own column of this name: rename it")
    if not name or name.startswith("_") or set(name) & set(".`*"):
        raise InvalidInput(
            f"{source}: a gallery cannot hold a column named '{name}': rename it without . ` * or leading _"
        )


def typed_column(values: Sequence[Any]) -> pa.Array:
    """The values in the one Arrow type that they have in common, else as text; NaN means that there is none."""
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return pa.array(as_texts(values), pa.string())


def _fitted(name: str, column: pa.Array, expected: pa.DataType, source: str) -> pa.Array:
    """The column in the gallery's type, if no value changes by it. A column of text takes anything."""
    try:
        # Arrow would parse text, and "007" come out as 7.
        if pa.types.is_string(column.type) and not pa.types.is_string(expected):
            raise pa.ArrowInvalid("text is not parsed")
        fitted = column.cast(expected)
        is_number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        if is_number and pa.types.is_boolean(expected) and not fitted.cast(column.type).equals(column):
            raise pa.ArrowInvalid("other numbers than 0 and 1 are neither true nor false")
        return fitted
    except pa.ArrowException as error:
        raise InvalidInput(
            f"{source}: column '{name}' holds {column.type}, the gallery's column holds {expected} ({error}): "
            "convert or rename it, or index into a new gallery"
        ) from error


def fitted_value(name: str, value: Any, expected: pa.DataType | None = None) -> pa.Scalar:
    """A value as its column holds it; in a type of its own if there is no such column.

    Raises:
        InvalidInput: it does not fit, or the column's name is not allowed.
    """
    try:
        if name == "label":
            value = class_name(value)
        elif name == "captions":
            value = texts(value) or None
    except ValueError as error:
        raise InvalidInput(f"update: {name} is {shown(value)}: expected text") from error
    # As sources bring it: filters look for composed text.
    composed = [
        plain_text(each) if isinstance(each, str) else each for each in (value if isinstance(value, list) else [value])
    ]
    column = typed_column([composed if isinstance(value, list) else composed[0]])
    if expected is None:
        _check_name(name, "update")
        return column[0]
    return _fitted(name, column, expected, "update")[0]
