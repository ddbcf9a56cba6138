"""Decoded pixels beside those of libvips, kind by kind, on pictures that this script draws.

Needs `pip install pyvips pyvips-binary`. For each kind the largest deviation of a channel (0 to 255), and the mean.

Run: python benchmarks/pictures_libvips.py
"""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from itertools import product
from typing import Any

import numpy as np
import pyvips
from PIL import ExifTags, Image

from nearkin.data.decoding import decode

SIDE = 48
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(values: np.ndarray, bits: int, colour: int, extra: bytes = b"") -> bytes:
    """A PNG of these values `[height, width, channels]`, by hand: Pillow writes few of the kinds."""
    height, width = values.shape[:2]
    if bits == 16:
        rows = [row.astype(">u2").tobytes() for row in values]
    elif bits == 8:
        rows = [row.astype(np.uint8).tobytes() for row in values]
    else:
        positions = np.arange(bits)[::-1]
        rows = [np.packbits((row.reshape(-1, 1) >> positions & 1).reshape(-1)).tobytes() for row in values]
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def smooth(channels: int, top: int = 255) -> np.ndarray:
    """Gradients in as many channels, from 0 to the top."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / (SIDE - 1)
    all_four = np.stack([x, y, (x + y) / 2, 1 - x * y], axis=2)[..., :channels]
    return np.round(all_four * top).astype(np.int64)


def kinds() -> Iterator[tuple[str, bytes]]:
    """Names and encoded pictures."""
    for bits in (1, 2, 4, 8, 16):
        top = 2**bits - 1
        grey = smooth(1, top)
        yield f"PNG grey {bits}", png(grey, bits, GREY)
        yield f"PNG grey {bits} tRNS", png(grey, bits, GREY, chunk(b"tRNS", struct.pack(">H", int(grey[5, 9, 0]))))
        if bits >= 8:
            colour = smooth(3, top)
            key = struct.pack(">HHH", *map(int, colour[5, 9]))
            yield f"PNG rgb {bits}", png(colour, bits, RGB)
            yield f"PNG rgb {bits} tRNS", png(colour, bits, RGB, chunk(b"tRNS", key))
            yield f"PNG grey+alpha {bits}", png(smooth(4, top)[..., [0, 3]], bits, GREY_ALPHA)
            yield f"PNG rgb+alpha {bits}", png(smooth(4, top), bits, RGB_ALPHA)
        if bits <= 8:
            colours = np.random.default_rng(bits).integers(0, 256, (top + 1, 3), dtype=np.uint8)
            palette = chunk(b"PLTE", colours.tobytes())
            shares = np.linspace(0, 255, top + 1).astype(np.uint8)
            yield f"PNG palette {bits}", png(grey, bits, PALETTE, palette)
            yield f"PNG palette {bits} tRNS", png(grey, bits, PALETTE, palette + chunk(b"tRNS", shares.tobytes()))
    colour = Image.fromarray(smooth(3).astype(np.uint8))
    clear = Image.fromarray(smooth(4).astype(np.uint8))
    grey = colour.convert("L")
    for kind, options in (("TIFF", {}), ("WEBP", {"lossless": True}), ("BMP", {}), ("GIF", {}), ("JPEG", {})):
        yield kind, saved(colour, kind, **options)
    for kind, options in (("TIFF", {}), ("WEBP", {"lossless": True, "exact": True})):
        yield f"{kind} alpha", saved(clear, kind, **options)
    yield "GIF transparent", saved(clear.quantize(32), "GIF", transparency=3)
    frames = {"save_all": True, "append_images": [grey.convert("RGB").rotate(90)]}
    yield "GIF animated", saved(colour, "GIF", **frames)
    yield "WEBP animated", saved(colour, "WEBP", lossless=True, **frames)
    yield "APNG", saved(colour, "PNG", **frames)
    yield "TIFF two pages", saved(colour, "TIFF", **frames)
    yield "TIFF palette", saved(colour.quantize(64), "TIFF")
    yield "TIFF 1 bit", saved(grey.convert("1"), "TIFF")
    yield "TIFF grey 16", saved(Image.fromarray((smooth(1, 65535)[..., 0]).astype(np.uint16)), "TIFF")
    yield "TIFF grey 32", saved(Image.fromarray((smooth(1, 65535)[..., 0]).astype(np.int32)), "TIFF")
    yield "TIFF grey 32 of 8 bits", saved(Image.fromarray((smooth(1)[..., 0]).astype(np.int32)), "TIFF")
    yield "JPEG without its end mark", saved(colour, "JPEG").removesuffix(b"\xff\xd9")
    yield "TIFF float 0..1", saved(Image.fromarray((smooth(1)[..., 0] / 255).astype(np.float32)), "TIFF")
    yield "TIFF grey+alpha", saved(Image.fromarray(smooth(4)[..., [0, 3]].astype(np.uint8)), "TIFF")
    yield "TIFF YCbCr", saved(colour.convert("YCbCr"), "TIFF")
    yield "TIFF CMYK", saved(colour.convert("CMYK"), "TIFF")
    yield "JPEG CMYK (Adobe)", saved(colour.convert("CMYK"), "JPEG", quality=95)
    yield "JPEG grey", saved(grey, "JPEG")
    yield "PGM 16", b"P5 %d %d 65535\n" % (SIDE, SIDE) + smooth(1, 65535).astype(">u2").tobytes()
    yield "PPM", saved(colour, "PPM")
    for orientation, kind in product(range(1, 9), ("JPEG", "PNG", "WEBP")):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        options = {"lossless": True} if kind == "WEBP" else {}
        yield f"{kind} orientation", saved(colour.crop((0, 0, SIDE, 30)), kind, exif=exif, **options)
    grey16 = pyvips.Image.new_from_array(smooth(1, 65535)[..., 0].astype(np.uint16)).copy(interpretation="grey16")
    rgb16 = pyvips.Image.new_from_array(smooth(3, 65535).astype(np.uint16)).copy(interpretation="rgb16")
    rgba8 = pyvips.Image.new_from_array(smooth(4).astype(np.uint8)).copy(interpretation="srgb")
    yield "TIFF grey 16, white is 0", grey16.tiffsave_buffer(miniswhite=True)
    yield "TIFF rgb 16", rgb16.tiffsave_buffer()
    yield "TIFF rgb+alpha premultiplied", rgba8.tiffsave_buffer(premultiply=True)
    yield "PNG rgb 16 interlaced", rgb16.pngsave_buffer(interlace=True, bitdepth=16)
    yield "AVIF", rgba8.flatten().heifsave_buffer(compression="av1", lossless=True)
    wide = bytes(pyvips.Operation.call("profile_load", "p3"))
    press = bytes(pyvips.Operation.call("profile_load", "cmyk"))
    plain = bytes(pyvips.Operation.call("profile_load", "srgb"))
    for kind in ("JPEG", "PNG", "TIFF", "WEBP"):
        options = {"lossless": True} if kind == "WEBP" else {}
        yield f"{kind} Display P3", saved(colour, kind, icc_profile=wide, **options)
        yield f"{kind} sRGB profile", saved(colour, kind, icc_profile=plain, **options)
    yield "PNG Display P3 alpha", saved(clear, "PNG", icc_profile=wide)
    yield "PNG palette Display P3", saved(colour.quantize(64), "PNG", icc_profile=wide)
    yield "JPEG CMYK profile", saved(colour.convert("CMYK"), "JPEG", quality=95, icc_profile=press)
    yield "TIFF CMYK profile", saved(colour.convert("CMYK"), "TIFF", icc_profile=press)
    yield "JPEG broken profile", saved(colour, "JPEG", icc_profile=wide[:200])
    yield "JPEG grey, profile of rgb", saved(grey, "JPEG", icc_profile=wide)


def by_vips(encoded: bytes, name: str) -> np.ndarray:
    """The picture as libvips reads it: upright, in sRGB, on white."""
    image = pyvips.Image.new_from_buffer(encoded, "").autorot()
    if image.interpretation == "cmyk" and image.get_typeof("icc-profile-data") == 0:
        # Without a profile every reader guesses: the plain formula, as browsers do.
        inks = image.numpy().astype(float) / 255
        return np.round(255 * (1 - inks[..., :3]) * (1 - inks[..., 3:])).astype(np.uint8)
    if image.get_typeof("icc-profile-data") and "broken" not in name and "profile of rgb" not in name:
        image = image.icc_transform("srgb", embedded=True, intent="relative", black_point_compensation=True)
    if image.format == "float" and image.interpretation != "lab":
        image = (image * 255).round("rint").cast("uchar").copy(interpretation="b-w")
    elif image.format in ("int", "uint") and image.max() > 255:
        image = (image / 257).round("rint").cast("uchar").copy(interpretation="b-w")
    image = image.colourspace("srgb")
    if image.hasalpha():
        image = image.flatten(background=[255] * (image.bands - 1))
    return image.cast("uchar").numpy()


def main() -> None:
    found: dict[str, list[float]] = {}
    for name, encoded in kinds():
        ours = np.asarray(decode(encoded)).astype(int)
        try:
            theirs = by_vips(encoded, name).astype(int)
        except pyvips.Error as error:
            print(f"{name}: libvips: {str(error).strip().splitlines()[-1]}")
            continue
        if ours.shape != theirs.shape:
            print(f"{name}: {ours.shape} beside {theirs.shape}")
            continue
        apart = np.abs(ours - theirs)
        largest, mean = found.get(name, [0, 0])
        found[name] = [max(largest, int(apart.max())), max(mean, float(apart.mean()))]
    print(f"libvips {pyvips.version(0)}.{pyvips.version(1)}.{pyvips.version(2)}")
    for name, (largest, mean) in found.items():
        print(f"{name:28} largest {largest:4d}   mean {mean:.3f}")


if __name__ == "__main__":
    main()
