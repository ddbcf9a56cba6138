"""TIFFs of colours with 32 bits a channel, which Pillow does not open: read as grey ones of so many times the width."""

import struct
from io import BytesIO
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped
from PIL.ImageFile import ImageFile

# Tags.
_WIDTH, _BITS, _PHOTOMETRIC, _ORIENTATION, _CHANNELS, _PLANES, _PREDICTOR = 256, 258, 262, 274, 277, 284, 317
_TILE_WIDTH, _EXTRA_CHANNELS, _SAMPLE_FORMAT = 322, 338, 339
# Values of the tag of photometric interpretation.
_GREY, _RGB = 1, 2
# A predictor: each channel as the difference from the pixel before.
_HORIZONTAL = 2
# Values of the tag of the sample format.
_UNSIGNED, _SIGNED = 1, 2
# How Pillow calls numbers in the order of a big-endian file -> in the order of this machine.
_NATIVE = {"F;32BF": "F;32NF", "I;32BS": "I;32NS", "I;16BS": "I;16NS"}
# Types of the values of a tag: how `struct` reads one. Others, such as the text of a description, are not looked at.
_TYPES = {3: "H", 4: "I"}


def in_native_order(image: ImageFile) -> ImageFile:
    """The same TIFF, with its decoder told that libtiff turns the bytes of what it unpacks; Pillow turns them again."""
    for at, (codec, _, _, options) in enumerate(image.tile):
        if codec == "libtiff" and isinstance(options, tuple):
            image.tile[at] = image.tile[at]._replace(args=(_NATIVE.get(options[0], options[0]), *options[1:]))
    return image


class WideColours(NamedTuple):
    """A picture of colours with 32 bits a channel.

    Attributes:
        pixels: float32, int32 or uint32, as the file has them; of 3 channels, or 4 with alpha.
        orientation: 1 to 8, as in EXIF, of pixels that have not been turned yet.
        profile: an ICC profile, if there is one.
    """

    pixels: Shaped[np.ndarray, "height width channels"]
    orientation: int
    profile: bytes | None


def wide_colours(encoded: bytes, max_pixels: int) -> WideColours | None:
    """The pixels of a TIFF of RGB, or RGB and alpha, with 32 bits a channel; None for other pictures.

    Args:
        encoded: the bytes of a file.
        max_pixels: larger ones give None.

    Raises:
        Exception: the data is damaged, whatever Pillow says of it.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(encoded[:4])
    if order is None:
        return None
    entries = _entries(encoded, order)
    tags = {tag: _values(encoded, entry, order) for tag, entry in entries.items() if tag <= _SAMPLE_FORMAT}
    channels, width = _one(tags, _CHANNELS), _one(tags, _WIDTH)
    wide = channels in (3, 4) and tags.get(_BITS) == (32,) * channels and _one(tags, _PHOTOMETRIC) == _RGB
    differences = _one(tags, _PREDICTOR) == _HORIZONTAL
    # Planes are not side by side, and the predictor of floats mixes their bytes.
    if not wide or _one(tags, _PLANES) != 1 or not (differences or _one(tags, _PREDICTOR) == 1):
        return None
    from PIL.TiffImagePlugin import TiffImageFile

    unsigned = _one(tags, _SAMPLE_FORMAT) == _UNSIGNED
    kept = {tag: entry for tag, entry in entries.items() if tag not in (_EXTRA_CHANNELS, _ORIENTATION, _PREDICTOR)}
    grey = {
        _WIDTH: width * channels,
        _BITS: 32,
        _PHOTOMETRIC: _GREY,
        _CHANNELS: 1,
        # Pillow knows signed ones in both orders; the bits are the same.
        _SAMPLE_FORMAT: _SIGNED if unsigned else _one(tags, _SAMPLE_FORMAT),
    }
    if _TILE_WIDTH in tags:
        grey[_TILE_WIDTH] = _one(tags, _TILE_WIDTH) * channels
    kept |= {tag: struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in grey.items()}
    directory = struct.pack(f"{order}H", len(kept)) + b"".join(kept[tag] for tag in sorted(kept)) + bytes(4)
    start = len(encoded) + len(encoded) % 2
    head = encoded[:4] + struct.pack(f"{order}I", start)
    image = in_native_order(TiffImageFile(BytesIO(head + encoded[8:].ljust(start - 8, b"\0") + directory)))
    if image.width // channels * image.height > max_pixels:
        return None
    pixels = np.asarray(image).reshape(image.height, width, channels)
    if differences:
        pixels = _summed(pixels, _one(tags, _TILE_WIDTH) if _TILE_WIDTH in tags else width)
    if unsigned:
        pixels = pixels.view(np.uint32)
    return WideColours(pixels, _one(tags, _ORIENTATION), image.info.get("icc_profile"))


def _summed(
    differences: Shaped[np.ndarray, "height width channels"], tile_width: int
) -> Shaped[np.ndarray, "height width channels"]:
    """Pixels of the differences along the rows of each tile, of the numbers that their bits are."""
    bits = differences.view(np.uint32)
    tiles = [
        np.cumsum(bits[:, left : left + tile_width], axis=1, dtype=np.uint32)
        for left in range(0, bits.shape[1], tile_width)
    ]
    return np.concatenate(tiles, axis=1).view(differences.dtype)


def _entries(encoded: bytes, order: str) -> dict[int, bytes]:
    """The entries of the first directory, 12 bytes each, by their tags."""
    start = struct.unpack_from(f"{order}I", encoded, 4)[0]
    count = int.from_bytes(encoded[start : start + 2], "little" if order == "<" else "big")
    found = [encoded[at : at + 12] for at in range(start + 2, start + 2 + 12 * count, 12)]
    return {struct.unpack_from(f"{order}H", entry)[0]: entry for entry in found if len(entry) == 12}


def _values(encoded: bytes, entry: bytes, order: str) -> tuple[int, ...]:
    kind, count = struct.unpack_from(f"{order}HI", entry, 2)
    if kind not in _TYPES or count > 8:
        return ()
    layout = f"{order}{count}{_TYPES[kind]}"
    if struct.calcsize(layout) <= 4:
        return struct.unpack_from(layout, entry, 8)
    offset = struct.unpack_from(f"{order}I", entry, 8)[0]
    return struct.unpack_from(layout, encoded, offset) if offset + struct.calcsize(layout) <= len(encoded) else ()


def _one(tags: dict[int, tuple[int, ...]], tag: int) -> int:
    """The value of a tag, or the first of several; 1, which is the usual one, where there is none."""
    return (tags.get(tag) or (1,))[0]
