"""Many examples at once: from a folder of folders, a table, a mapping, or a column of the gallery."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nearkin.data.cells import class_name, is_missing, shown
from nearkin.data.sources import read_items
from nearkin.data.tables import READERS, read_table
from nearkin.encoders.embedder import AttributeEmbedder, Embedder
from nearkin.errors import InvalidInput, SourceError, UnknownName
from nearkin.gallery.classes.payload import Payload, attributes_payload, text_payload
from nearkin.gallery.items.columns import ID
from nearkin.gallery.version import GalleryVersion

# Names with what is enrolled under them; and what has no name.
Named = tuple[list[tuple[str, Any]], list[str]]

_NAMES = ("name", "label", "class")


def named_examples(source: Any, encoder: Callable[[], Embedder]) -> Named:
    """What a source has to enrol.

    Args:
        source: a folder with a folder of pictures per class; a table; a mapping from names to pictures.
        encoder: gives the encoder, if there may be attributes.

    Raises:
        SourceError: it cannot be read, or a row is at fault.
    """
    if isinstance(source, Mapping):
        several = [(name, one if isinstance(one, list | tuple) else [one]) for name, one in source.items()]
        return [(name, picture) for name, pictures in several for picture in pictures], []
    if isinstance(source, str | Path) and Path(source).suffix.lower() in READERS and Path(source).is_file():
        return _of_table(Path(source), encoder)
    items = read_items(source)
    named = [(label, picture) for label, picture in zip(items.labels, items.pictures, strict=True) if label is not None]
    nameless = [picture.uri for label, picture in zip(items.labels, items.pictures, strict=True) if label is None]
    if not named:
        raise SourceError(f"{items.source}: no picture has a name: expected a folder of pictures for each class")
    return named, nameless + [f"{broken.uri} ({broken.reason})" for broken in items.skipped]


def named_items(column: str, where: str | None, version: GalleryVersion) -> Named:
    """Items of a gallery, named by one of its columns. Items without a name there are left out.

    Raises:
        UnknownName: no such column.
        InvalidInput: no item has a name there, or a value cannot be a name.
    """
    known = [name for name in version.snapshot.columns if name not in (ID, "uri", "captions")]
    if column not in known:
        raise UnknownName("column", column, known)
    named = []
    for batch in version.snapshot.batches([ID, column], where):
        for id, value in zip(batch[ID].to_pylist(), batch[column].to_pylist(), strict=True):
            try:
                name = class_name(value)
            except ValueError as error:
                raise InvalidInput(f"item {id}: column '{column}' holds {shown(value)}, which is no name") from error
            if name is not None:
                named.append((name, id))
    if not named:
        raise InvalidInput(f"column '{column}': no item {'that passes the filter ' if where else ''}has a name there")
    return named, []


def _of_table(path: Path, encoder: Callable[[], Embedder]) -> Named:
    table = read_table(path)
    column = next((name for name in _NAMES if name in table.columns), None)
    if column is None:
        raise SourceError(
            f"{path}: no column of names: expected one called {', '.join(_NAMES)}; there are {', '.join(table.columns)}"
        )
    paths = next((name for name in ("path", "file_name", "file", "image") if name in table.columns), None)
    texts = [name for name in table.columns if name == "text" or name.startswith("text_")]
    others = [name for name in table.columns if name not in (column, paths, *texts)]
    attributes: list[str] = []
    of_words: Sequence[str] = ()
    if others and isinstance(describing := encoder(), AttributeEmbedder):
        of_words = describing.attribute_columns
        expected = of_words or describing.attributes
        attributes = [name for name in expected if name in others]
    if paths is None and not texts and not attributes:
        raise SourceError(f"{path}: no examples: expected a column path, text (or text_*), or the model's attributes")
    named: list[tuple[str, Any]] = []
    nameless = []
    for number, row in enumerate(table.rows):
        try:
            name = class_name(table.columns[column][number])
            found = _of_row(table.columns, number, path.parent, paths, texts)
            if attributes and not all(is_missing(table.columns[each][number]) for each in attributes):
                cells = {each: table.columns[each][number] for each in attributes}
                values = cells if of_words else {each: _number(each, cell) for each, cell in cells.items()}
                found.append(attributes_payload(values, encoder()))
        except ValueError as error:
            raise SourceError(f"{path}: row {row}: {error}") from error
        if not found:
            raise SourceError(f"{path}: row {row}: no example: all of {paths or ''} {' '.join(texts)} are empty")
        if name is None:
            nameless.append(f"{path} row {row}")
            continue
        named += [(name, one) for one in found]
    return named, nameless


def _of_row(
    columns: Mapping[str, list[Any]], number: int, folder: Path, paths: str | None, texts: list[str]
) -> list[str | Payload]:
    found: list[str | Payload] = []
    if paths is not None and not is_missing(columns[paths][number]):
        found.append(str(folder / str(columns[paths][number])))
    found += [text_payload(columns[name][number], number) for name in texts if not is_missing(columns[name][number])]
    return found


def _number(name: str, cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        raise InvalidInput(f"attribute '{name}' is {shown(cell)}: expected a number") from None
