"""Pictures to pixels of one size: decoded, fitted, and streamed in batches from a thread pool."""

import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from hashlib import blake2b
from itertools import chain, islice
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Int, UInt8
from PIL import Image, ImageOps

from nearkin.data.decoding import MAX_PIXELS, as_mode, decode, decode_bytes
from nearkin.data.items import Broken, Picture
from nearkin.errors import InvalidInput, PictureError, UnknownName

__all__ = ["MAX_PIXELS", "PixelBatch", "Preprocessing", "content_hash", "decode", "stream_pixels"]

FITS = ("squash", "crop", "pad")

# Raised when the same file comes to give other pixels, so that no cache serves the old ones.
_PIXELS_VERSION = 2

# Pictures to a task of the thread pool: enough to hide what a task costs, few enough to share the work evenly.
_CHUNK = 8


@dataclass(frozen=True)
class Preprocessing:
    """What every picture becomes before a network sees it.

    Args:
        height, width: size in pixels.
        channels: 3 for RGB, 1 for luminance.
        fit: how another aspect ratio becomes this one: "squash" changes it, "crop" cuts the longer sides equally,
            "pad" adds white on both sides.
        mean, std: of values in 0..1, one number or one per channel; a network sees (value - mean) / std.

    Raises:
        InvalidInput: a size below 1, other channels, mean or std of another length, std not above 0.
        UnknownName: no such fit.

    Example:
        >>> Preprocessing(height=32, width=32, channels=1).apply(Image.new("RGB", (105, 105))).shape
        (32, 32, 1)
    """

    height: int = 64
    width: int = 64
    channels: int = 3
    fit: str = "squash"
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.5,)

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 1 or self.channels not in (1, 3):
            raise InvalidInput(f"pictures of {self.height} x {self.width} x {self.channels}: expected 1 or 3 channels")
        if self.fit not in FITS:
            raise UnknownName("fit", self.fit, FITS)
        if not {len(self.mean), len(self.std)} <= {1, self.channels} or min(self.std) <= 0:
            raise InvalidInput(f"mean {self.mean}, std {self.std}: expected 1 or {self.channels} numbers, std above 0")

    def apply(self, image: Image.Image) -> UInt8[np.ndarray, "height width channels"]:
        """The picture in this size and these channels, antialiased."""
        mode = "RGB" if self.channels == 3 else "L"
        image = as_mode(mode, image)
        size = (self.width, self.height)
        if self.fit == "squash":
            image = image.resize(size, Image.Resampling.BILINEAR)
        elif self.fit == "crop":
            image = ImageOps.fit(image, size, Image.Resampling.BILINEAR)
        else:
            scale = min(self.width / image.width, self.height / image.height)
            inner = (max(1, round(scale * image.width)), max(1, round(scale * image.height)))
            padded = Image.new(mode, size, "white")
            corner = ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2)
            padded.paste(image.resize(inner, Image.Resampling.BILINEAR), corner)
            image = padded
        return np.array(image).reshape(self.height, self.width, self.channels)

    def key(self) -> str:
        """Names all that changes pixels, and nothing else: safe as a folder's name."""
        return f"{self.height}x{self.width}x{self.channels}-{self.fit}-{_PIXELS_VERSION}"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "Preprocessing":
        """The inverse of `to_dict`, also after a way through JSON.

        Raises:
            InvalidInput: an unknown entry, or a value that is not allowed.
        """
        tuples: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        try:
            return Preprocessing(**tuples)
        except TypeError as error:
            raise InvalidInput(f"preprocessing: {error}") from error


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

    def load(chunk: Sequence[Picture]) -> list[_Loaded]:
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


def content_hash(encoded: bytes) -> str:
    """32 hex digits that name these bytes."""
    return blake2b(encoded, digest_size=16).hexdigest()


# Why it is broken; or its hash, with pixels unless the hash was known.
_Loaded = Broken | tuple[str, np.ndarray | None]


def _load(picture: Picture, preprocessing: Preprocessing, known: Collection[str]) -> _Loaded:
    try:
        encoded = picture.read()
        name = content_hash(encoded)
        if name in known:
            return name, None
        image = decode_bytes(encoded, hint=(preprocessing.width, preprocessing.height))
    except PictureError as error:
        return Broken(picture.uri, str(error).removeprefix(f"{picture.uri}: "))
    return name, preprocessing.apply(image)


def _batch(start: int, loaded: list[_Loaded], preprocessing: Preprocessing) -> PixelBatch:
    size = (preprocessing.height, preprocessing.width, preprocessing.channels)
    found = {start + place: outcome for place, outcome in enumerate(loaded) if not isinstance(outcome, Broken)}
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
