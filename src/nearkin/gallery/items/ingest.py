"""Pictures into a gallery's store: only what is new or changed is embedded, and each chunk is one commit."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from nearkin.data.items import Broken, Items, Picture
from nearkin.data.loading import content_hash, load_picture
from nearkin.data.picture import file_of
from nearkin.data.preprocessing import Preprocessing
from nearkin.data.thumbnails import thumbnail_jpeg
from nearkin.encoders.embedder import Embedder
from nearkin.errors import PictureError
from nearkin.gallery.items.gone import apply_moves, find_moved
from nearkin.gallery.items.rows import AddSummary, Change, Record, Rows
from nearkin.gallery.items.store import Store
from nearkin.progress import Progress

# Pictures that are embedded at once and committed together: what a killed process has to do again.
CHUNK = 256
# Vectors that are committed together.
VECTORS = 8192
# Longer side of a thumbnail, in pixels.
THUMBNAIL_SIDE = 96


def ingest(
    items: Items, store: Store, encoder: Embedder, *, strict: bool, overwrite: bool, progress: Progress | None
) -> AddSummary:
    """Add the items to the store; bring those that it knows by their uri up to date.

    Args:
        items: what to add. A column that the source does not fill stays as it is in the store.
        store: in a local folder nobody else may write to it meanwhile.
        encoder: makes the vectors.
        strict: stop at the first broken picture. The chunks before it stay added.
        overwrite: take what the source says even where something else was set by hand.
        progress: called after each chunk.

    Raises:
        InvalidInput: a picture occurs twice, or a column cannot be stored; nothing was added.
        PictureError: strict, and a picture is broken.
    """
    items.refuse_skipped(strict)
    moves = find_moved(items, store.snapshot())
    apply_moves(moves, store)
    rows = Rows(items, store, overwrite=overwrite)
    skipped: list[Broken] = list(items.skipped)
    for start, olds, contents in _load_chunks(items.pictures, rows.old_records, encoder.preprocessing):
        broken = [content for content in contents if isinstance(content, Broken)]
        if broken and strict:
            raise PictureError(str(broken[0]))
        skipped += broken
        loaded = [
            (row, old, content)
            for row, (old, content) in enumerate(zip(olds, contents, strict=True), start)
            if isinstance(content, _Content)
        ]
        pixels = [content.pixels for _, _, content in loaded if content.pixels is not None]
        vectors = iter(encoder.embed_pixels(np.stack(pixels)) if pixels else ())
        rows.write(
            [
                Change(row, old, content.facts, None if content.pixels is None else next(vectors), content.thumbnail)
                for row, old, content in loaded
            ]
        )
        if progress:
            progress(start + len(contents), len(items))
    return replace(rows.summary(skipped), moved=len(moves))


def ingest_vectors(
    items: Items,
    vectors: Float[np.ndarray, "n dim"],
    store: Store,
    *,
    hashes: Sequence[str] | None = None,
    overwrite: bool,
    progress: Progress | None,
) -> AddSummary:
    """Add items whose vectors are at hand; see `ingest`. Their pictures are not read.

    Args:
        items: what to add.
        vectors: unit length, one for each item.
        hashes: of the contents of the pictures, so that a later `ingest` knows them; of the vectors by default.
        store, overwrite, progress: as in `ingest`.
    """
    rows = Rows(items, store, overwrite=overwrite)
    for start in range(0, len(items), VECTORS):
        part = slice(start, start + VECTORS)
        changes = []
        for row, old in enumerate(rows.old_records(part), start):
            known = content_hash(vectors[row].tobytes()) if hashes is None else hashes[row]
            facts = {"content_hash": known, "file_size": None, "file_mtime_ns": None}
            same = old is not None and old["content_hash"] == facts["content_hash"]
            changes.append(Change(row, old, facts, None if same else vectors[row]))
        rows.write(changes)
        if progress:
            progress(min(part.stop, len(items)), len(items))
    return rows.summary()


@dataclass(frozen=True, eq=False)
class _Content:
    """A picture's file facts; its pixels and thumbnail, unless the store knows the content."""

    facts: Record
    pixels: np.ndarray | None = None
    thumbnail: bytes | None = None


def _load_chunks(
    pictures: Sequence[Picture], old_records: Callable[[slice], list[Record | None]], preprocessing: Preprocessing
) -> Iterator[tuple[int, list[Record | None], list[_Content | Broken]]]:
    """Of each chunk the start, what is known, and the contents; threads load a chunk while the caller has the last."""
    with ThreadPoolExecutor() as pool:

        def submit(start: int) -> tuple[list[Record | None], Iterator[_Content | Broken]]:
            chunk = slice(start, start + CHUNK)
            olds = old_records(chunk)
            return olds, pool.map(partial(_load, preprocessing), pictures[chunk], olds)

        ahead = submit(0)
        for start in range(0, len(pictures), CHUNK):
            (olds, contents), ahead = ahead, submit(start + CHUNK)
            yield start, olds, list(contents)


def _load(preprocessing: Preprocessing, picture: Picture, old: Record | None) -> _Content | Broken:
    """The content of a picture; nothing is read if size and time are as they were, nothing decoded if the hash is."""
    facts = _file_facts(picture)
    if old and facts["file_mtime_ns"] is not None and facts.items() <= old.items():
        return _Content({})
    known = (old["content_hash"],) if old else ()
    loaded = load_picture(picture, size=preprocessing.hint, known=known)
    if isinstance(loaded, Broken):
        return loaded
    facts["content_hash"] = loaded.content_hash
    if loaded.image is None:
        return _Content(facts)
    return _Content(
        facts, preprocessing.apply(loaded.image, loaded.corners), thumbnail_jpeg(loaded.shown, THUMBNAIL_SIDE)
    )


def _file_facts(picture: Picture) -> Record:
    """Size and time of a file, taken before it is read: if it changes meanwhile, the next add sees it."""
    try:
        path = file_of(picture)
        status = None if path is None else Path(path).stat()
    except OSError:
        status = None
    return {"file_size": status and status.st_size, "file_mtime_ns": status and status.st_mtime_ns}
