"""Pixels of many pictures, decoded ahead by threads and handed out in batches, in order."""

import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from typing import TypeVar

import numpy as np
from jaxtyping import Int, UInt8

from nearkin.data.loading import load_picture
from nearkin.data.picture import Broken, Picture
from nearkin.data.preprocessing import Preprocessing
from nearkin.errors import PictureError

# Pictures to a task of the thread pool: enough to hide what a task costs, few enough to share the work evenly.
_CHUNK = 8


@dataclass(frozen=True, eq=False)
class PixelBatch:
    """What became of some consecutive pictures.

    Args:
        rows: positions of the decoded ones, rising.
        pixels: one picture per row.
        hashes: content hash of each row.
        broken: those that could not be decoded.
        known: position -> content hash of those left undecoded because their content is known.
    """

    rows: Int[np.ndarray, " b"]
    pixels: UInt8[np.ndarray, "b height width channels"]
    hashes: tuple[str, ...]
    broken: tuple[Broken, ...]
    known: Mapping[int, str]


def stream_pixels(
    pictures: Sequence[Picture],
    preprocessing: Preprocessing,
    *,
    batch_size: int = 256,
    threads: int | None = None,
    strict: bool = False,
    known: Collection[str] = (),
) -> Iterator[PixelBatch]:
    """Decoded pictures in their order, batch by batch, decoded ahead by a thread pool.

    Memory: about two batches, and one decoded picture per thread.

    Args:
        pictures: what to decode.
        preprocessing: size and channels.
        batch_size: pictures to a batch, broken ones included.
        threads: how many decode at once; one per core by default.
        strict: do not pass over a broken picture.
        known: content hashes of pictures that need no decoding.

    Raises:
        PictureError: strict, and a picture is broken.

    Example:
        >>> picture = Picture("dot", lambda: b"P5 1 1 255 7")
        >>> [batch.pixels.shape for batch in stream_pixels([picture], Preprocessing())]
        [(1, 64, 64, 3)]
    """

    def load(chunk: Sequence[Picture]) -> list[_Outcome]:
        return [_load(picture, preprocessing, known) for picture in chunk]

    threads = threads or _cores()
    ahead = 2 * threads + batch_size // _CHUNK
    chunks = (pictures[start : start + _CHUNK] for start in range(0, len(pictures), _CHUNK))
    pool = ThreadPoolExecutor(threads)
    try:
        loaded = chain.from_iterable(_in_order(pool, load, chunks, ahead))
        for start in range(0, len(pictures), batch_size):
            batch = _batch(start, list(islice(loaded, batch_size)), preprocessing)
            if strict and batch.broken:
                raise PictureError(str(batch.broken[0]))
            yield batch
    finally:
        pool.shutdown(cancel_futures=True)


# Why it is broken; or its hash, with pixels unless the hash was known.
_Outcome = Broken | tuple[str, np.ndarray | None]


def _load(picture: Picture, preprocessing: Preprocessing, known: Collection[str]) -> _Outcome:
    loaded = load_picture(picture, size=preprocessing.hint, known=known)
    if isinstance(loaded, Broken):
        return loaded
    return loaded.content_hash, None if loaded.image is None else preprocessing.apply(loaded.image, loaded.corners)


def _batch(start: int, loaded: list[_Outcome], preprocessing: Preprocessing) -> PixelBatch:
    size = (preprocessing.height, preprocessing.width, preprocessing.channels)
    found = {start + position: outcome for position, outcome in enumerate(loaded) if not isinstance(outcome, Broken)}
    decoded = {row: (name, pixels) for row, (name, pixels) in found.items() if pixels is not None}
    return PixelBatch(
        rows=np.fromiter(decoded, dtype=np.int64),
        pixels=np.array([pixels for _, pixels in decoded.values()], dtype=np.uint8).reshape(-1, *size),
        hashes=tuple(name for name, _ in decoded.values()),
        broken=tuple(outcome for outcome in loaded if isinstance(outcome, Broken)),
        known={row: name for row, (name, pixels) in found.items() if pixels is None},
    )


_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


def _in_order(
    pool: Executor, function: Callable[[_Job], _Result], jobs: Iterable[_Job], ahead: int
) -> Iterator[_Result]:
    """Like map, with no more than `ahead` results waiting."""
    waiting: deque[Future[_Result]] = deque()
    for job in jobs:
        waiting.append(pool.submit(function, job))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _cores() -> int:
    """Cores that this process may use; containers often get fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
