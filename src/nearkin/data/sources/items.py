"""Items that have been read already."""

from typing import Any

from nearkin.data.items import Items
from nearkin.data.sources._source import ColumnNames, Source
from nearkin.errors import InvalidInput


def _read(source: Items, columns: ColumnNames) -> Items:
    if columns != ColumnNames():
        raise InvalidInput("label, captions and path_column choose columns of a source; items have theirs already")
    return source


def _applies(source: Any) -> bool:
    return isinstance(source, Items)


SOURCE = Source("items", _applies, _read, order=0)
