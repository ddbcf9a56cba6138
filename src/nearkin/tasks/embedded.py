"""A source, embedded: vectors of all pictures that can be decoded, and what else is learnt while they pass by."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt64

from nearkin.data.images import stream_pixels
from nearkin.data.items import Broken, Items
from nearkin.encoders.embedder import Embedder
from nearkin.encoders.raw_pixels import raw_pixels
from nearkin.encoders.training_hashes import hash_pixels
from nearkin.errors import SourceError
from nearkin.progress import Progress


@dataclass(frozen=True, eq=False)
class Embedded:
    """Pictures with their vectors.

    Args:
        items: those that could be decoded.
        vectors: their embeddings.
        thumbnails: `raw_pixels` of them.
        hashes: of their pixels.
        broken: those that could not be read or decoded.
    """

    items: Items
    vectors: Float[np.ndarray, "n dim"]
    thumbnails: Float[np.ndarray, "n raw"]
    hashes: UInt64[np.ndarray, " n"]
    broken: tuple[Broken, ...]


def embed_items(encoder: Embedder, items: Items, *, strict: bool = False, progress: Progress | None = None) -> Embedded:
    """Decode and embed.

    Args:
        encoder: what embeds.
        items: at least one.
        strict: refuse broken pictures instead of leaving them out.
        progress: called with pictures done and pictures in all.

    Raises:
        SourceError: no picture can be decoded.
        PictureError: strict, and a picture is broken.
    """
    rows, vectors, thumbnails, hashes = [], [], [], []
    items.refuse_skipped(strict)
    broken: list[Broken] = list(items.skipped)
    done = 0
    for batch in stream_pixels(items.pictures, encoder.preprocessing, strict=strict):
        broken += batch.broken
        if len(batch.rows):
            rows.append(batch.rows)
            vectors.append(encoder.embed_pixels(batch.pixels))
            thumbnails.append(raw_pixels(batch.pixels))
            hashes.append(hash_pixels(batch.pixels))
        done += len(batch.rows) + len(batch.broken)
        if progress:
            progress(done, len(items))
    if not rows:
        raise SourceError(f"{items.source}: none of {len(items)} pictures can be decoded; the first: {broken[0]}")
    return Embedded(
        items.select(np.concatenate(rows)),
        np.concatenate(vectors),
        np.concatenate(thumbnails),
        np.concatenate(hashes),
        tuple(broken),
    )


def short_names(uris: Sequence[str]) -> list[str]:
    """Pictures by folder and file name, for messages.

    Example:
        >>> short_names(["/data/cats/1.jpg"])
        ['cats/1.jpg']
    """
    return ["/".join(Path(uri).parts[-2:]) for uri in uris]
