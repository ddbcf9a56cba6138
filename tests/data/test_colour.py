from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from nearkin.data.colour import to_srgb
from nearkin.data.decoding import decode, decode_bytes
from tests.data import profiles

GAMMA = 563 / 256
COLOURS = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
WIDE = profiles.rgb_profile(profiles.ADOBE_RGB, GAMMA)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def apart(image: Image.Image, expected: np.ndarray) -> float:
    return float(np.abs(np.asarray(image).astype(float) - expected).max())


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_a_wide_gamut_is_honoured(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    picture = decode(encoded(Image.fromarray(COLOURS), kind, icc_profile=WIDE, **options))
    expected = profiles.to_srgb(COLOURS, profiles.ADOBE_RGB, GAMMA)
    assert apart(picture, expected) <= 2
    assert np.abs(expected - COLOURS).max() > 30


def test_a_jpeg_with_a_wide_gamut() -> None:
    plain = Image.new("RGB", (16, 16), (40, 200, 60))
    expected = profiles.to_srgb(np.array([40, 200, 60]), profiles.ADOBE_RGB, GAMMA)
    assert apart(decode(encoded(plain, "JPEG", quality=95, icc_profile=WIDE)), expected) <= 4


def test_transparency_and_palette_with_a_profile() -> None:
    clear = Image.fromarray(COLOURS).convert("RGBA")
    clear.putpixel((0, 0), (10, 20, 30, 0))
    pixels = np.asarray(decode(encoded(clear, icc_profile=WIDE)))
    assert pixels[0, 0].tolist() == [255, 255, 255]
    expected = profiles.to_srgb(COLOURS, profiles.ADOBE_RGB, GAMMA)
    assert np.abs(pixels[1:] - expected[1:]).max() <= 2
    few = Image.fromarray(COLOURS).quantize(16)
    expected = profiles.to_srgb(np.asarray(few.convert("RGB")), profiles.ADOBE_RGB, GAMMA)
    assert apart(decode(encoded(few, icc_profile=WIDE)), expected) <= 2


def test_a_grey_profile_keeps_the_picture_grey() -> None:
    grey = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    picture = decode_bytes(encoded(grey, icc_profile=profiles.grey_profile(1.0)))
    assert picture.mode == "L"
    linear = np.arange(256) / 255
    expected = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert apart(picture, expected.reshape(16, 16)) <= 2


@pytest.mark.parametrize(
    "profile",
    [SRGB, b"", b"no profile", WIDE[:100], WIDE[:200], bytes(128), profiles.grey_profile(1.0), None],
    ids=["sRGB", "empty", "text", "header", "cut", "zeros", "of grey", "none"],
)
def test_a_profile_that_says_nothing_leaves_the_very_same_picture(profile: bytes | None) -> None:
    image = Image.fromarray(COLOURS)
    assert to_srgb(image, profile) is image
    if profile:
        assert np.asarray(decode(encoded(image, icc_profile=profile))).tolist() == COLOURS.tolist()


def test_a_profile_of_colours_in_a_grey_picture_says_nothing() -> None:
    grey = Image.fromarray(COLOURS[..., 0])
    assert to_srgb(grey, WIDE) is grey


def test_cmyk_with_a_broken_profile_is_read_without_it() -> None:
    inks = Image.fromarray(COLOURS).convert("CMYK")
    plain = np.asarray(decode(encoded(inks, "JPEG", quality=95)))
    assert np.asarray(decode(encoded(inks, "JPEG", quality=95, icc_profile=WIDE))).tolist() == plain.tolist()


def test_lab_is_read_by_its_formula() -> None:
    colours = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    lab = Image.fromarray(colours).convert("LAB")
    assert apart(decode(encoded(lab, "TIFF")), profiles.lab_to_srgb(np.asarray(lab))) <= 1
