import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nearkin.data.decoding import decode
from nearkin.errors import PictureError
from tests.data import profiles

Y, X = np.mgrid[0:40, 0:56]
COLOURS = np.stack([X * 4, Y * 6, (X + Y) * 2], axis=2).astype(np.uint8)
UNSIGNED, SIGNED, FLOATS = 1, 2, 3
DEFLATE, HORIZONTAL = 8, 2
EXTRA_CHANNELS, ORIENTATION, COMPRESSION, PREDICTOR, PLANES, PROFILE = 338, 274, 259, 317, 284, 34675


def tiff(
    pixels: np.ndarray, *, order: str = "<", tile: int = 0, differences: bool = False, extra: Mapping[int, Any] = {}
) -> bytes:
    """A TIFF of pixels `[height, width, channels]`; tile: side of its tiles, and deflated if extra says so."""
    height, width, channels = pixels.shape
    kind = {"f": FLOATS, "i": SIGNED, "u": UNSIGNED}[pixels.dtype.kind]
    blocks = [pixels]
    if tile:
        padded = np.pad(pixels, ((0, -height % tile), (0, -width % tile), (0, 0)))
        tops, lefts = range(0, height, tile), range(0, width, tile)
        blocks = [padded[top : top + tile, left : left + tile] for top in tops for left in lefts]
    if differences:
        bits = [block.copy().view(np.uint32) for block in blocks]
        blocks = [np.concatenate([block[:, :1], np.diff(block, axis=1)], axis=1) for block in bits]
    data = [block.astype(block.dtype.newbyteorder(order)).tobytes() for block in blocks]
    if extra.get(COMPRESSION) == DEFLATE:
        data = [zlib.compress(block) for block in data]
    tags: dict[int, Any] = {
        256: width,
        257: height,
        258: [pixels.dtype.itemsize * 8] * channels,
        COMPRESSION: 1,
        262: 2,
    }
    tags |= {277: channels, 339: [kind] * channels} | extra
    if differences:
        tags[PREDICTOR] = HORIZONTAL
    starts = [8 + sum(map(len, data[:at])) for at in range(len(data))]
    tags |= (
        {322: tile, 323: tile, 324: starts, 325: [*map(len, data)]}
        if tile
        else {
            273: starts,
            278: height,
            279: [*map(len, data)],
        }
    )
    body, entries = b"".join(data), b""
    for tag, value in sorted(tags.items()):
        if isinstance(value, bytes):
            layout, count, packed = 7, len(value), value
        else:
            numbers = value if isinstance(value, list) else [value]
            layout, count, packed = 4, len(numbers), struct.pack(f"{order}{len(numbers)}I", *numbers)
        if len(packed) > 4:
            at, body = 8 + len(body), body + packed
            packed = struct.pack(f"{order}I", at)
        entries += struct.pack(f"{order}HHI", tag, layout, count) + packed.ljust(4, b"\0")
    mark = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(f"{order}H", len(tags)) + entries + bytes(4)
    return mark + struct.pack(f"{order}I", 8 + len(body)) + body + directory


def decoded(encoded: bytes) -> np.ndarray:
    return np.asarray(decode(encoded))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("tile", [0, 16])
@pytest.mark.parametrize(
    ("extra", "differences"), [({}, False), ({COMPRESSION: DEFLATE}, False), ({COMPRESSION: DEFLATE}, True)]
)
def test_floats_of_colours(order: str, tile: int, extra: dict[int, int], differences: bool) -> None:
    unit = (COLOURS / 255).astype(np.float32)
    encoded = tiff(unit, order=order, tile=tile, extra=extra, differences=differences)
    assert np.array_equal(decoded(encoded), COLOURS)


@pytest.mark.parametrize("kind", [np.float32, np.int32, np.uint32])
def test_ranges_are_those_of_grey(kind: type) -> None:
    assert np.array_equal(decoded(tiff(COLOURS.astype(kind))), COLOURS)
    if kind is not np.float32:
        assert np.array_equal(decoded(tiff(COLOURS.astype(kind) * 257)), COLOURS)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "factor"), [(np.float32, 1e7), (np.int32, 8_000_000), (np.uint32, 16_000_000)])
def test_numbers_beyond_the_usual_ranges_are_stretched(order: str, kind: type, factor: int) -> None:
    pixels = decoded(tiff((COLOURS * np.float64(factor)).astype(kind), order=order))
    assert np.abs(pixels - COLOURS * (255 / COLOURS.max())).max() <= 1


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [np.float32, np.int32, np.int16, np.uint16])
def test_compressed_grey_in_both_byte_orders(order: str, kind: type) -> None:
    deep = COLOURS[..., :1].astype(kind) * (1 if kind in (np.float32, np.int32) else 257 if kind is np.uint16 else 100)
    plain = decoded(tiff(deep, order=order, extra={262: 1}))
    assert np.array_equal(decoded(tiff(deep, order=order, extra={262: 1, COMPRESSION: DEFLATE})), plain)
    if kind is not np.int16:
        assert np.array_equal(plain[..., 0], COLOURS[..., 0])


def test_alpha_orientation_and_profile() -> None:
    unit = (COLOURS / 255).astype(np.float32)
    alpha = np.zeros((40, 56, 1), np.float32)
    alpha[:, 28:] = 1
    pixels = decoded(tiff(np.concatenate([unit, alpha], axis=2), extra={EXTRA_CHANNELS: 2}))
    assert pixels[:, :28].min() == 255
    assert np.array_equal(pixels[:, 28:], COLOURS[:, 28:])
    assert np.array_equal(decoded(tiff(unit, extra={ORIENTATION: 6})), np.rot90(COLOURS, -1))
    wide = profiles.rgb_profile(profiles.ADOBE_RGB, 2.2)
    expected = np.asarray(decode(_with_profile(COLOURS, wide)))
    assert np.array_equal(decoded(tiff(unit, extra={PROFILE: wide})), expected)


def _with_profile(pixels: np.ndarray, profile: bytes) -> Image.Image:
    image = Image.fromarray(pixels)
    image.info["icc_profile"] = profile
    return image


@pytest.mark.parametrize(
    "encoded",
    [
        tiff((COLOURS / 255).astype(np.float32), extra={PLANES: 2}),
        tiff((COLOURS / 255).astype(np.float32), extra={PREDICTOR: 3, COMPRESSION: DEFLATE}),
        tiff(COLOURS / 255),
    ],
    ids=["planes", "predictor of floats", "64 bits"],
)
def test_other_layouts_are_refused_with_the_way_out(encoded: bytes) -> None:
    with pytest.raises(PictureError, match="cannot be read: save it with 8 or 16 bits a channel"):
        decode(encoded)


def test_the_limit_of_pixels_and_cut_files() -> None:
    encoded = tiff((COLOURS / 255).astype(np.float32))
    with pytest.raises(PictureError):
        decode(encoded, max_pixels=40 * 56 - 1)
    for length in range(4, len(encoded), 101):
        with pytest.raises(PictureError):
            decode(encoded[:length])
