"""Pictures into a gallery's store: only what is new or changed is embedded, and each chunk is one commit."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from nearkin.data.decoding import as_mode, decode_bytes
from nearkin.data.images import Preprocessing, content_hash
from nearkin.data.items import Broken, Items, Picture
from nearkin.encoders.embedder import Embedder
from nearkin.errors import PictureError
from nearkin.gallery.columns import ID, THUMBNAIL, VECTOR, stated_by
from nearkin.gallery.store import Snapshot, Store
from nearkin.progress import Progress

# Pictures that are embedded at once and committed together: what a killed process has to do again.
CHUNK = 256
# Longer side of a thumbnail, in pixels.
THUMBNAIL_SIDE = 96

Record = dict[str, Any]


@dataclass(frozen=True)
class AddSummary:
    """What became of the pictures of one `add`.

    Args:
        added: new ones.
        replaced: known ones whose content changed; embedded again under the same id.
        updated: known ones whose label, captions or metadata changed; not embedded again.
        unchanged: known ones that are as they were.
        skipped: those that could not be read, and why. What the gallery held of them stays.
    """

    added: int = 0
    replaced: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: tuple[Broken, ...] = ()


def ingest(items: Items, store: Store, encoder: Embedder, *, strict: bool, progress: Progress | None) -> AddSummary:
    """Add the items to the store; bring those that it knows by their uri up to date.

    Args:
        items: what to add. A column that the source does not fill stays as it is in the store.
        store: nobody else may write to it meanwhile.
        encoder: makes the vectors.
        strict: stop at the first broken picture. The chunks before it stay added.
        progress: called after each chunk.

    Raises:
        InvalidInput: a picture occurs twice, or a column cannot be stored; nothing was added.
        PictureError: strict, and a picture is broken.
    """
    stated = stated_by(items, store.snapshot().schema)
    store.add_columns(stated.schema)
    known = _Known(store.snapshot())
    counts: Counter[str] = Counter()
    skipped: list[Broken] = []
    for start, olds, contents in _load_chunks(items.pictures, known, encoder.preprocessing):
        fresh, kept = [], []
        for old, new, content in zip(olds, stated.slice(start, CHUNK).to_pylist(), contents, strict=True):
            if isinstance(content, Broken):
                if strict:
                    raise PictureError(str(content))
                skipped.append(content)
                continue
            record = {**(old or {ID: next(known.free_ids)}), **new, **content.facts}
            counts[_outcome(old, new, content)] += 1
            if content.pixels is not None:
                fresh.append(({**record, THUMBNAIL: content.thumbnail}, content.pixels))
            elif record != old:
                kept.append(record)
        rows = [*_embedded(fresh, encoder), *known.with_vectors(kept)]
        if rows:
            table = pa.Table.from_pylist(rows, schema=known.snapshot.schema)
            store.upsert(table) if any(olds) else store.append(table)
        if progress:
            progress(start + len(contents), len(items))
    return AddSummary(**counts, skipped=tuple(skipped))


class _Known:
    """What the store holds as an add begins: records, which are rows without vector and thumbnail."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        names = [name for name in snapshot.schema.names if name not in (VECTOR, THUMBNAIL)]
        self._records = snapshot.read(names).combine_chunks()
        self._row_of = {uri: row for row, uri in enumerate(self._records["uri"].to_pylist())}
        self.free_ids = count(pc.max(self._records[ID]).as_py() + 1 if self._row_of else 0)

    def find(self, pictures: Sequence[Picture]) -> list[Record | None]:
        """The record of each picture, None of a new one."""
        rows = [self._row_of.get(picture.uri) for picture in pictures]
        found = iter(self._records.take(pa.array([row for row in rows if row is not None], pa.int64())).to_pylist())
        return [None if row is None else next(found) for row in rows]

    def with_vectors(self, records: Sequence[Record]) -> Iterator[Record]:
        """The records of known pictures, complete with vector and thumbnail."""
        if records:
            rows = [self._row_of[record["uri"]] for record in records]
            for record, rest in zip(records, self.snapshot.take(rows, [VECTOR, THUMBNAIL]).to_pylist(), strict=True):
                yield {**record, **rest}


@dataclass(frozen=True, eq=False)
class _Content:
    """A picture's file facts; its pixels and thumbnail, unless the store knows the content."""

    facts: Record
    pixels: np.ndarray | None = None
    thumbnail: bytes | None = None


def _load_chunks(
    pictures: Sequence[Picture], known: _Known, preprocessing: Preprocessing
) -> Iterator[tuple[int, list[Record | None], list[_Content | Broken]]]:
    """Of each chunk the start, what is known, and the contents; threads load a chunk while the caller has the last."""
    with ThreadPoolExecutor() as pool:

        def submit(start: int) -> tuple[list[Record | None], Iterator[_Content | Broken]]:
            chunk = pictures[start : start + CHUNK]
            olds = known.find(chunk)
            return olds, pool.map(partial(_load, preprocessing), chunk, olds)

        ahead = submit(0)
        for start in range(0, len(pictures), CHUNK):
            (olds, contents), ahead = ahead, submit(start + CHUNK)
            yield start, olds, list(contents)


def _load(preprocessing: Preprocessing, picture: Picture, old: Record | None) -> _Content | Broken:
    """The content of a picture; nothing is read if size and time are as they were, nothing decoded if the hash is."""
    facts = _file_facts(picture)
    if old and facts["file_mtime_ns"] is not None and facts.items() <= old.items():
        return _Content({})
    try:
        encoded = picture.read()
        facts["content_hash"] = content_hash(encoded)
        if old and facts["content_hash"] == old["content_hash"]:
            return _Content(facts)
        image = decode_bytes(encoded, hint=(preprocessing.width, preprocessing.height))
    except PictureError as error:
        return Broken(picture.uri, str(error).removeprefix(f"{picture.uri}: "))
    return _Content(facts, preprocessing.apply(image), _thumbnail(image))


def _file_facts(picture: Picture) -> Record:
    """Size and time of a file, taken before it is read: if it changes meanwhile, the next add sees it."""
    try:
        status = None if picture.read_bytes else Path(picture.uri).stat()
    except OSError:
        status = None
    return {"file_size": status and status.st_size, "file_mtime_ns": status and status.st_mtime_ns}


def _thumbnail(image: Image.Image) -> bytes:
    """The picture as a small JPEG; shrinks the picture itself, which is not needed any more."""
    small = as_mode("RGB", image)
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BILINEAR)
    encoded = BytesIO()
    small.save(encoded, "JPEG", quality=85)
    return encoded.getvalue()


def _outcome(old: Record | None, new: Record, content: _Content) -> str:
    if old is None:
        return "added"
    if content.pixels is not None:
        return "replaced"
    return "unchanged" if new.items() <= old.items() else "updated"


def _embedded(fresh: Sequence[tuple[Record, np.ndarray]], encoder: Embedder) -> Iterator[Record]:
    """The records of new or changed content, complete with its vector."""
    if fresh:
        vectors = encoder.embed_pixels(np.stack([pixels for _, pixels in fresh]))
        for (record, _), vector in zip(fresh, vectors, strict=True):
            yield {**record, VECTOR: vector}
