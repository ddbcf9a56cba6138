import struct
import time
import tracemalloc
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, features

from nearkin.data.decoding import EXTENSIONS, decode, decode_bytes
from nearkin.data.items import Picture
from nearkin.errors import InvalidInput, PictureError

# Left half, right half.
RED_BLUE = [(255, 0, 0), (0, 0, 255)]


def halves(left: Any, right: Any, mode: str = "RGB", size: tuple[int, int] = (8, 4)) -> Image.Image:
    image = Image.new(mode, size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    return image


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def ends(picture: Any) -> list[tuple[int, ...]]:
    """The colours of the left and of the right end."""
    pixels = np.asarray(decode(picture))
    return [tuple(map(int, pixels[1, 0])), tuple(map(int, pixels[1, -1]))]


def png(width: int, height: int, *, bits: int, kind: int, data: bytes, extra: bytes = b"") -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "LAB", "P", "PA"])
def test_colour_modes(mode: str) -> None:
    image = halves(*RED_BLUE)
    image = image.convert("RGBA").convert(mode) if mode == "RGBa" else image.convert(mode)
    assert np.abs(np.array(ends(image)) - RED_BLUE).max() <= 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "La", "F"])
def test_grey_modes(mode: str) -> None:
    image = halves(0, 255, "L")
    image = image.convert("LA").convert(mode) if mode == "La" else image.convert(mode)
    assert ends(image) == [(0, 0, 0), (255, 255, 255)]


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I;16L", "I"])
def test_sixteen_bits_are_scaled_alike_in_every_picture(mode: str) -> None:
    assert ends(halves(0, 257 * 100, mode)) == [(0, 0, 0), (100, 100, 100)]
    assert ends(halves(257 * 100, 65535, mode)) == [(100, 100, 100), (255, 255, 255)]


def test_floats_are_scaled_by_their_range() -> None:
    assert ends(halves(0.2, 1.0, "F"))[0] == (51, 51, 51)
    assert ends(halves(51.0, 255.0, "F"))[0] == (51, 51, 51)
    assert ends(halves(-1e6, 1e6, "F")) == [(0, 0, 0), (255, 255, 255)]
    assert ends(halves(float("nan"), 1.0, "F")) == [(0, 0, 0), (255, 255, 255)]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_parts_are_white(mode: str) -> None:
    clear, black = ((0, 0, 0, 0), (0, 0, 0, 255)) if mode == "RGBA" else ((0, 0), (0, 255))
    assert ends(halves(clear, black, mode)) == [(255, 255, 255), (0, 0, 0)]


def test_half_transparent_black_is_grey() -> None:
    assert ends(halves((0, 0, 0, 128), (0, 0, 0, 255), "RGBA"))[0] == (127, 127, 127)


def test_transparency_outside_of_the_pixels() -> None:
    palette = halves(0, 1, "P")
    palette.putpalette([0, 0, 0, 0, 0, 255])
    one_index, share_of_each = encoded(palette, transparency=0), encoded(palette, transparency=b"\x00\xff")
    assert ends(one_index) == ends(share_of_each) == [(255, 255, 255), (0, 0, 255)]
    assert ends(encoded(halves(*RED_BLUE), transparency=(255, 0, 0))) == [(255, 255, 255), (0, 0, 255)]
    assert ends(encoded(halves(0, 100, "L"), transparency=0)) == [(255, 255, 255), (100, 100, 100)]


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF", "PPM", "WEBP", "JPEG", "DIB", "AVIF"])
def test_formats(kind: str) -> None:
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.abs(np.array(ends(encoded(halves(*RED_BLUE, size=(32, 32)), kind, **options))) - RED_BLUE).max() <= 6


@pytest.mark.parametrize("maximum", [255, 65535])
def test_pgm(maximum: int) -> None:
    values = np.array([[0, maximum]], dtype=">u2" if maximum > 255 else np.uint8)
    pixels = np.asarray(decode(b"P5 2 1 %d\n" % maximum + values.tobytes()))
    assert pixels[0].tolist() == [[0, 0, 0], [255, 255, 255]]


def test_sixteen_bit_png() -> None:
    data = b"\x00" + np.array([0, 257 * 100, 65535], dtype=">u2").tobytes()
    assert np.asarray(decode(png(3, 1, bits=16, kind=0, data=data)))[0, :, 0].tolist() == [0, 100, 255]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_an_animation_gives_its_first_frame(kind: str) -> None:
    first, second = Image.new("RGB", (16, 16), "red"), Image.new("RGB", (16, 16), "blue")
    options = {"lossless": True} if kind == "WEBP" else {}
    assert ends(encoded(first, kind, save_all=True, append_images=[second], **options))[0] == (255, 0, 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation(orientation: int, kind: str) -> None:
    upright = halves(*RED_BLUE, size=(32, 16))
    # What undoes the turn of each orientation.
    stored = {
        1: lambda image: image,
        2: lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: lambda image: image.rotate(180),
        4: lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: lambda image: image.transpose(Image.Transpose.TRANSPOSE),
        6: lambda image: image.rotate(90, expand=True),
        7: lambda image: image.transpose(Image.Transpose.TRANSVERSE),
        8: lambda image: image.rotate(-90, expand=True),
    }[orientation](upright)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    turned = decode(encoded(stored, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {})))
    assert turned.size == (32, 16)
    assert np.abs(np.asarray(turned).astype(int) - np.asarray(upright)).mean() < 8


def test_damaged_exif_is_passed_over() -> None:
    plain = encoded(halves(*RED_BLUE), "JPEG")
    # One entry that claims 60 kB beyond the end, which Pillow warns of.
    entry = b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHII", 0x9286, 2, 60000, 30) + b"\0\0\0\0"
    exif = b"\xff\xe1" + struct.pack(">H", len(entry) + 2) + entry
    assert np.asarray(decode(plain[:2] + exif + plain[2:])).tolist() == np.asarray(decode(plain)).tolist()


def test_a_bomb_is_refused_by_its_header() -> None:
    bomb = png(30_000, 30_000, bits=8, kind=2, data=bytes(1000))
    tracemalloc.start()
    start = time.perf_counter()
    limit = r"30000 x 30000 pixels are more than the limit of 256,000,000: .* NEARKIN_MAX_PIXELS"
    with pytest.raises(PictureError, match=limit):
        decode(bomb)
    seconds = time.perf_counter() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds < 1
    assert peak < 1 << 20


def test_the_limit_is_an_argument() -> None:
    assert decode(halves(*RED_BLUE), max_pixels=32).size == (8, 4)
    with pytest.raises(PictureError, match="limit of 31"):
        decode(encoded(halves(*RED_BLUE)), max_pixels=31)


def test_whole_numbers_of_32_bits_may_be_of_8() -> None:
    values = np.array([[0, 100, 255]], dtype=np.int32)
    for factor in (1, 257):
        assert np.asarray(decode(encoded(Image.fromarray(values * factor), "TIFF")))[0, :, 0].tolist() == [0, 100, 255]


def test_faults_name_the_picture_and_the_reason(tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    contents = {
        "empty.png": (b"", "the file is empty"),
        "text.jpg": (b"hello, world", "no picture in a known format"),
        "cut.jpg": (encoded(noise, "JPEG")[:2000], "damaged: .*truncated"),
        "cut.png": (encoded(noise)[:2000], "damaged: .*truncated"),
        "odd.png": (b"\x89PNG\r\n\x1a\n" + bytes(50), "damaged: "),
        "phone.heic": (b"\0\0\0\x18ftypxxxx" + bytes(50), r".*pip install 'nearkin\[heif\]'"),
    }
    for name, (content, reason) in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(PictureError, match=f"/{name}: {reason}"):
            decode(tmp_path / name)
    with pytest.raises(PictureError, match=r"/none.png: No such file"):
        decode(str(tmp_path / "none.png"))
    with pytest.raises(PictureError, match=r": a folder, not a file"):
        decode(Picture(str(tmp_path)))


def test_no_other_decoder_of_pillow_is_used() -> None:
    with pytest.raises(PictureError, match="no picture in a known format"):
        decode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_bytes_give_a_picture_or_a_picture_error(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "PPM"]))
    content = bytearray(encoded(halves(*RED_BLUE, size=(16, 16)), kind))
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
        content[position] = data.draw(st.integers(0, 255))
    try:
        image = decode(bytes(content), max_pixels=1 << 20)
    except PictureError:
        return
    assert image.mode == "RGB"


def test_grey_bytes_stay_grey() -> None:
    assert decode_bytes(encoded(Image.new("L", (4, 4)))).mode == "L"
    assert decode_bytes(encoded(Image.new("1", (4, 4)))).mode == "L"
    assert decode_bytes(encoded(Image.new("LA", (4, 4)))).mode == "L"


def test_a_hint_shrinks_a_large_jpeg_to_no_less_than_twice_its_size() -> None:
    y, x = np.mgrid[0:600, 0:800]
    smooth = Image.fromarray(np.stack([x * 255 // 800, y * 255 // 600, (x + y) % 256], 2).astype(np.uint8))
    large = encoded(smooth, "JPEG", quality=95)
    assert decode(large, hint=(64, 64)).size == (200, 150)
    assert decode(large, hint=(300, 300)).size == (800, 600)
    assert decode(encoded(smooth), hint=(64, 64)).size == (800, 600)
    shrunk = [decode(large, hint=hint).resize((64, 64)) for hint in (None, (64, 64))]
    assert np.abs(np.subtract(*(np.asarray(image).astype(int) for image in shrunk))).mean() < 1


@pytest.mark.parametrize(
    "array",
    [
        np.array([[0, 255]], dtype=np.uint8),
        np.array([[False, True]]),
        np.array([[0, 65535]], dtype=np.uint16),
        np.array([[0, 1]], dtype=np.float32),
        np.array([[[0], [255]]], dtype=np.uint8),
        np.array([[[0, 0, 0], [1, 1, 1]]], dtype=np.float64),
        np.array([[[0, 0, 0, 255], [9, 9, 9, 0]]], dtype=np.uint8),
    ],
)
def test_arrays(array: np.ndarray) -> None:
    assert np.asarray(decode(array))[0].tolist() == [[0, 0, 0], [255, 255, 255]]


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 8, 8), dtype=np.uint8),
        np.zeros(8, dtype=np.uint8),
        np.zeros((0, 8), dtype=np.uint8),
        np.full((8, 8), 2.0),
        np.full((8, 8), np.nan),
        np.zeros((8, 8), dtype=np.int64),
    ],
)
def test_other_arrays_are_refused(array: np.ndarray) -> None:
    with pytest.raises(PictureError, match=r"array: got .* expected"):
        decode(array)


def test_the_given_picture_is_left_as_it_was() -> None:
    image = halves((0, 0, 0, 0), (0, 0, 0, 255), "RGBA")
    before = image.tobytes()
    decode(image)
    assert (image.mode, image.tobytes()) == ("RGBA", before)


def test_extensions_are_lower_case_and_dotted() -> None:
    assert all(extension == extension.lower() and extension.startswith(".") for extension in EXTENSIONS)


def test_deep_grey_that_counts_from_white() -> None:
    values = np.array([[0, 257 * 100, 65535]], dtype=np.uint16)
    assert np.asarray(decode(encoded(Image.fromarray(values), "TIFF", tiffinfo={262: 0})))[0, :, 0].tolist() == [
        255,
        155,
        0,
    ]


def test_the_limit_is_set_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEARKIN_MAX_PIXELS", "31")
    with pytest.raises(PictureError, match="8 x 4 pixels are more than the limit of 31"):
        decode(encoded(halves(*RED_BLUE)))
    monkeypatch.setenv("NEARKIN_MAX_PIXELS", "many")
    with pytest.raises(InvalidInput, match=r"NEARKIN_MAX_PIXELS is 'many', expected a whole number"):
        decode(encoded(halves(*RED_BLUE)))


def test_a_photo_of_108_megapixels_is_decoded_small() -> None:
    photo = Image.new("L", (12_000, 9_000), 40)
    photo.paste(200, (6_000, 0, 12_000, 9_000))
    jpeg = encoded(photo, "JPEG", quality=50)
    small = decode(jpeg, hint=(64, 64))
    assert small.size == (1500, 1125)
    assert [small.getpixel((10, 10))[0], small.getpixel((1490, 10))[0]] == [40, 200]
    assert decode(jpeg).size == (6_000, 4_500)


def test_a_large_picture_with_transparency_is_shrunk_in_bands() -> None:
    row = b"\0" + b"\xff" * 625 + b"\0" * 625
    blank = b"\0" + b"\xff" * 1250
    key = struct.pack(">I", 2) + b"tRNS" + b"\0\0" + struct.pack(">I", zlib.crc32(b"tRNS\0\0"))
    data = row * 4_500 + blank * 4_500
    picture = decode(png(10_000, 9_000, bits=1, kind=0, data=data), hint=(100, 100))
    assert picture.size == (223, 200)
    assert [picture.getpixel(position)[0] for position in ((1, 1), (221, 1), (1, 198), (221, 198))] == [
        255,
        0,
        255,
        255,
    ]
    clear = decode(png(10_000, 9_000, bits=1, kind=0, data=data, extra=key), hint=(100, 100))
    assert np.asarray(clear).min() == 255
