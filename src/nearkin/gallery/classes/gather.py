"""What a call gives as examples, as payloads: pictures by paths, pictures in memory, items of the gallery."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from nearkin.data.cells import shown
from nearkin.data.items import Broken, Picture
from nearkin.encoders.embedder import Embedder
from nearkin.errors import InvalidInput
from nearkin.gallery.classes.events import Kind
from nearkin.gallery.classes.payload import Payload, picture_payload, vector_payloads
from nearkin.gallery.items.columns import THUMBNAIL
from nearkin.gallery.version import GalleryVersion


def gather(
    sources: Sequence[Any], version: GalleryVersion, encoder: Callable[[], Embedder] | None = None
) -> list[Payload | Broken]:
    """Pictures and items as payloads, in order; of those that cannot be read, why.

    Args:
        sources: paths, pictures, regions of pictures, or ids of items (whole numbers, or texts such as "#7"); payloads
            stay as they are.
        version: has the items.
        encoder: gives the encoder, which may take aligned faces.

    Raises:
        InvalidInput: something else; no such item.
    """
    found: list[Payload | Broken | None] = [one if isinstance(one, Payload | Broken) else None for one in sources]
    asked = [number for number, one in enumerate(found) if one is None]
    ids = {number: item_id(sources[number]) for number in asked}
    items = iter(of_items([id for id in ids.values() if id is not None], version))
    given = [sources[number] for number in asked if ids[number] is None]
    seen = encoder().preprocessing if encoder is not None and given else None
    face_side = seen.height if seen is not None and seen.fit == "face" else None
    with ThreadPoolExecutor() as pool:
        pictures = pool.map(partial(picture_payload, face_side=face_side), given)
        for number in asked:
            found[number] = next(pictures) if ids[number] is None else next(items)
    return [one for one in found if one is not None]


def item_id(source: Any) -> int | None:
    """The id that a source names, None if it is a picture.

    Raises:
        InvalidInput: neither.
    """
    if isinstance(source, bool) or source is None or isinstance(source, float | bytes):
        raise InvalidInput(f"{shown(source)}: expected a picture, its path, or the id of an item")
    if isinstance(source, int | np.integer):
        return int(source)
    if isinstance(source, str) and source.startswith("#") and source[1:].isdecimal():
        return int(source[1:])
    if isinstance(source, str) and not source.strip():
        raise InvalidInput("the path of a picture is empty: expected such as photo.jpg, or #7 for item 7")
    return None


def of_items(ids: Sequence[int], version: GalleryVersion) -> list[Payload | Broken]:
    """Items as payloads: with the vector that the gallery has of them, and with their picture, or else with their
    thumbnail, or else by their vector alone.

    Raises:
        InvalidInput: no such item.
    """
    if not ids:
        return []
    rows = version.rows_of(list(ids))
    records = version.snapshot.take(rows, ["uri", "content_hash", THUMBNAIL]).to_pylist()
    vectors = version.vectors(list(ids))
    with ThreadPoolExecutor() as pool:
        return list(pool.map(_of_item, ids, records, vectors))


def _of_item(id: int, record: dict[str, Any], vector: np.ndarray) -> Payload:
    picture = picture_payload(Picture(record["uri"]), item_id=id)
    if isinstance(picture, Payload):
        # A file that has changed since is not what the vector is of.
        same = picture.content_hash == record["content_hash"]
        return _with(picture, f"#{id} {record['uri']}", vector if same else None)
    if record[THUMBNAIL] is not None:
        return Payload(
            Kind.PICTURE,
            f"#{id} {record['uri']}",
            record["content_hash"],
            picture=record[THUMBNAIL],
            uri=record["uri"],
            item_id=id,
            vector=vector,
        )
    [bare] = vector_payloads(vector, len(vector))
    return Payload(
        Kind.VECTOR, f"#{id} {record['uri']}", bare.content_hash, uri=record["uri"], item_id=id, vector=bare.vector
    )


def _with(payload: Payload, shown: str, vector: np.ndarray | None) -> Payload:
    return Payload(
        payload.kind,
        shown,
        payload.content_hash,
        picture=payload.picture,
        size=None if vector is not None else payload.size,
        uri=payload.uri,
        item_id=payload.item_id,
        vector=vector,
    )
