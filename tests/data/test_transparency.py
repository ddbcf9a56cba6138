"""The colour that a PNG's tRNS makes transparent, in every depth: only its own pixels turn white."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from nearkin.data.decoding import decode

GREY, RGB = 0, 2


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(values: list[int] | list[tuple[int, int, int]], bits: int, colour: int, key: tuple[int, ...]) -> bytes:
    """One row of pixels of this depth, and the transparent one."""
    flat = np.array(values, dtype=np.int64).reshape(-1, 1)
    row = np.packbits((flat >> np.arange(bits)[::-1] & 1).reshape(-1)).tobytes()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", len(values), 1, bits, colour, 0, 0, 0))
    trns = chunk(b"tRNS", struct.pack(f">{len(key)}H", *key))
    return b"\x89PNG\r\n\x1a\n" + header + trns + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_grey(bits: int) -> None:
    top = 2**bits - 1
    values = sorted({0, 1, top // 2, top - 1, top})
    for key in values:
        pixels = np.asarray(decode(png(values, bits, GREY, (key,))))[0, :, 0]
        expected = [255 if value == key else value * 255 / top for value in values]
        assert np.abs(pixels - expected).max() <= 0.5


def test_colours_of_8_bits() -> None:
    values = [(10, 20, 30), (10, 20, 31), (0, 0, 0)]
    pixels = np.asarray(decode(png(values, 8, RGB, (10, 20, 30))))[0]
    assert pixels.tolist() == [[255] * 3, [10, 20, 31], [0, 0, 0]]


def test_colours_of_16_bits_differ_in_their_low_bytes() -> None:
    values = [(0x1234, 0x5678, 0x9ABC), (0x1234, 0x5678, 0x9ABD), (0x1334, 0x5678, 0x9ABC)]
    pixels = np.asarray(decode(png(values, 16, RGB, values[0])))[0]
    assert pixels.tolist() == [[255] * 3, [0x12, 0x56, 0x9A], [0x13, 0x56, 0x9A]]


def test_a_picture_that_pillow_has_opened() -> None:
    encoded = png([3, 5], 4, GREY, (5,))
    assert np.asarray(decode(Image.open(BytesIO(encoded))))[0, :, 0].tolist() == [51, 255]
    colours = png([(0x1234, 0, 0), (0x1235, 0, 0)], 16, RGB, (0x1234, 0, 0))
    assert np.asarray(decode(Image.open(BytesIO(colours))))[0].tolist() == [[255] * 3, [0x12, 0, 0]]


def test_16_bits_that_are_loaded_already_keep_their_high_bytes_only() -> None:
    image = Image.open(BytesIO(png([(0x1234, 0, 0), (0x1334, 0, 0)], 16, RGB, (0x1234, 0, 0))))
    image.load()
    assert np.asarray(decode(image))[0].tolist() == [[255] * 3, [0x13, 0, 0]]
