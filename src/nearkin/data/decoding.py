"""Safe decoding: one picture, whatever its format and mode, as RGB the right way up."""

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cache, lru_cache
from importlib import import_module
from io import BufferedReader, BytesIO
from pathlib import Path
from threading import Lock

import numpy as np
from jaxtyping import Bool, Shaped, UInt8
from PIL import ExifTags, Image

from nearkin.data.box import Box
from nearkin.data.colour import to_srgb
from nearkin.data.jpeg_end import lacks_end, with_end
from nearkin.data.picture import Picture, file_of, not_a_file
from nearkin.data.transparency import TransparentColour
from nearkin.data.wide_tiff import in_native_order, wide_colours
from nearkin.errors import InvalidInput, PictureError

# Above the 200 megapixels of the largest phones; below what fills the memory. NEARKIN_MAX_PIXELS sets another limit.
MAX_PIXELS = 256_000_000
# Pillow's own limit, 256 MiB as RGB. Larger pictures are decoded one at a time, JPEGs at half their size or less.
LARGE = 178_956_970 // 2
_one_large = Lock()
# Whole pictures of at most so many pixels are kept for a moment while their regions are asked for, one by one.
_KEPT = 32_000_000
# Pixels of a large picture whose mode is changed at once.
_BAND = 1 << 24

# Decoders of plain pictures, chosen by content and not by file name. Pillow has more; its EPS one runs Ghostscript.
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "DIB", "TIFF", "PPM", "AVIF", "HEIF")
# Where Pillow has them.
_PLUGINS = ("Jpeg", "Png", "Gif", "WebP", "Bmp", "Tiff", "Ppm", "Avif")
# The TIFF tag PhotometricInterpretation, and its value where 0 means white.
_PHOTOMETRIC_INTERPRETATION, _WHITE_IS_ZERO = 262, 0
_BITS_PER_SAMPLE = 258
# fmt: off
EXTENSIONS = frozenset((
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".webp", ".bmp", ".dib", ".tif", ".tiff",
    ".pbm", ".pgm", ".ppm", ".pnm", ".avif", ".heic", ".heif",
))
# fmt: on

# EXIF orientation -> what turns the picture upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = {_TURNS[orientation] for orientation in (5, 6, 7, 8)}

# The entry of warnings.filters that _silence_pillow makes.
_SILENCED = ("ignore", None, UserWarning, re.compile(r"PIL\."), 0)


def decode(
    picture: Picture | Path | str | bytes | Image.Image | np.ndarray,
    *,
    max_pixels: int | None = None,
    hint: tuple[int, int] | None = None,
) -> Image.Image:
    """A picture, or a region of one, as RGB, the right way up, on white where it is transparent.

    An animation gives its first frame. A colour profile is honoured (see `nearkin.data.colour`). Deep grey comes down
    to 8 bits: 16-bit values by 1/257, whatever they are, so that pictures stay comparable; floats in 0..1 by 255,
    those in 0..255 as they are; whole numbers of 32 bits as they are in 0..255, by 1/257 in 0..65535; others stretched.
    So do colours of 32 bits.

    Args:
        picture: where it lies, its encoded bytes, a PIL picture, or an array `[height, width]` or
            `[height, width, 1 | 3 | 4]` of bool, uint8, uint16, or floats in 0..1.
        max_pixels: larger ones are refused by their header, before they take memory; `pixel_limit` by default.
        hint: `(width, height)` that the picture will be shrunk to: a large JPEG is decoded at 1/2, 1/4 or 1/8 of its
            size, so long as that is at least twice the hint.

    Returns:
        A picture of mode RGB.

    Raises:
        PictureError: missing, no picture, damaged, too large; the message names it.

    Example:
        >>> decode(np.zeros((2, 3), dtype=np.uint8)).size
        (3, 2)
    """
    if isinstance(picture, (Path, str)):
        picture = Picture(str(picture))
    encoded = picture.read() if isinstance(picture, Picture) else picture
    try:
        with _pillow_errors():
            if isinstance(picture, Picture) and picture.box is not None and isinstance(encoded, bytes):
                whole, corners = decode_region(encoded, picture.box, max_pixels=max_pixels)
                image = whole.crop(corners)
            elif isinstance(encoded, bytes):
                image = _decoded_bytes(encoded, max_pixels, hint)
            elif isinstance(encoded, Image.Image):
                image = _decoded(encoded, max_pixels)
            else:
                image = _opaque(_from_array(encoded), None)
            return as_mode("RGB", image)
    except PictureError as error:
        raise PictureError(f"{_name(picture)}: {error}") from error


def decode_bytes(encoded: bytes, *, max_pixels: int | None = None, hint: tuple[int, int] | None = None) -> Image.Image:
    """Like `decode`, but a picture without colour stays grey: mode L or RGB.

    Raises:
        PictureError: no picture, damaged, too large; the message does not say which picture.
    """
    with _pillow_errors():
        return _decoded_bytes(encoded, max_pixels, hint)


def decode_region(
    encoded: bytes, box: Box, *, max_pixels: int | None = None
) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """The whole picture around a region, of mode L or RGB, and the region's left, top, right and bottom pixels in it.

    What reaches beyond the picture is cut off.

    Raises:
        PictureError: no picture, damaged, too large, or the box lies outside it.
    """
    with _pillow_errors():
        limit = pixel_limit() if max_pixels is None else max_pixels
        size = _upright_size(_opened(encoded))
        inside = box.clipped(size)
        if inside is None or box.fault:
            reason = box.fault or f"it is outside the picture of {size[0]} x {size[1]} pixels"
            raise PictureError(f"the box {box}: {reason}")
        image = (_kept if size[0] * size[1] <= _KEPT else _decoded_bytes)(encoded, limit, None)
        # A very large picture comes smaller than it is.
        return image, inside.scaled(image.width / size[0]).corners(image.size)


def picture_size(picture: Picture) -> tuple[int, int]:
    """Width and height of the whole picture as it is shown, from its header.

    Raises:
        PictureError: missing, or no picture.
    """
    path = file_of(picture)
    with _pillow_errors():
        if path is None:
            return _upright_size(_opened(picture.read()))
        try:
            if not_a_file(os.stat(path).st_mode):  # noqa: PTH116
                raise PictureError(f"{path}: not a file")
            with Path(path).open("rb") as file:
                return _upright_size(_opened_file(file, file.read(16).ljust(16, b"\0")))
        except OSError as error:
            raise PictureError(f"{path}: {error.strerror or error}") from error


def pixel_limit() -> int:
    """Pixels of the largest picture that is decoded: $NEARKIN_MAX_PIXELS, or 256 million.

    Raises:
        InvalidInput: the variable is no whole number above 0.
    """
    text = os.environ.get("NEARKIN_MAX_PIXELS", "")
    if not text:
        return MAX_PIXELS
    if not text.isdecimal() or not int(text):
        raise InvalidInput(f"NEARKIN_MAX_PIXELS is '{text}', expected a whole number of pixels such as {MAX_PIXELS}")
    return int(text)


def as_mode(mode: str, image: Image.Image) -> Image.Image:
    """The picture in this mode; the same object if it is."""
    return image if image.mode == mode else image.convert(mode)


def _name(picture: Picture | bytes | Image.Image | np.ndarray) -> str:
    if isinstance(picture, Picture):
        return picture.uri
    return "array" if isinstance(picture, np.ndarray) else getattr(picture, "filename", "") or "picture"


@contextmanager
def _pillow_errors() -> Iterator[None]:
    """Whatever Pillow raises as a PictureError; damaged bytes make its decoders raise nearly anything."""
    _silence_pillow()
    try:
        yield
    except InvalidInput:
        raise
    except Exception as error:
        if str(error) == "unknown pixel mode":
            reason = "pixels of a kind that cannot be read: save it with 8 or 16 bits a channel"
            raise PictureError(reason) from error
        raise PictureError(f"damaged: {str(error) or type(error).__name__}") from error


def _silence_pillow() -> None:
    """Pillow says nothing of odd metadata. The filter lasts, for catch_warnings is not safe in threads."""
    if warnings.filters[:1] != [_SILENCED]:
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


@cache
def _load_decoders() -> None:
    """Make Pillow know `FORMATS`: before the first picture, and not at import, since many commands decode none."""
    for name in _PLUGINS:
        with suppress(ImportError):
            import_module(f"PIL.{name}ImagePlugin")
    with suppress(ImportError):
        import_module("pillow_heif").register_heif_opener()


def _opened(encoded: bytes) -> Image.Image:
    """The picture with its header read and no pixel decoded.

    Image.open would warn of large pictures, and a thread cannot catch a warning without disturbing the others.
    """
    if not encoded:
        raise PictureError("the file is empty")
    return _opened_file(BytesIO(encoded), encoded[:16].ljust(16, b"\0"))


def _opened_file(file: BytesIO | BufferedReader, head: bytes) -> Image.Image:
    """The same of a file, whose first 16 bytes are known."""
    _load_decoders()
    for name in FORMATS:
        factory, accepts = Image.OPEN.get(name, (None, None))
        accepted = accepts(head) if accepts else False
        if isinstance(accepted, str):
            raise PictureError(accepted)
        if factory and accepted:
            file.seek(0)
            image = factory(file, "")
            return in_native_order(image) if name == "TIFF" else image
    if head[4:8] == b"ftyp":
        raise PictureError("HEIC and its kin need the package 'pillow-heif': pip install 'nearkin[heif]'")
    raise PictureError(f"no picture in a known format ({', '.join(FORMATS)})")


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height after the EXIF rotation; without decoding, so that EXIF behind the pixels says nothing."""
    turn = _turn(image) if image.format != "PNG" or "exif" in image.info else None
    return (image.height, image.width) if turn in _SIDEWAYS else image.size


@lru_cache(maxsize=3)
def _kept(encoded: bytes, max_pixels: int, hint: None) -> Image.Image:
    return _decoded_bytes(encoded, max_pixels, hint)


def _decoded_bytes(encoded: bytes, max_pixels: int | None, hint: tuple[int, int] | None) -> Image.Image:
    """Encoded bytes, as `_decoded`; a JPEG that lacks its end mark is read if all of its data is there."""
    max_pixels = pixel_limit() if max_pixels is None else max_pixels
    if (wide := wide_colours(encoded, min(max_pixels, LARGE))) is not None:
        image = Image.fromarray(_eight_bits(wide.pixels, narrow=True))
        image.info["icc_profile"] = wide.profile
        return _turned(_opaque(image, None), _TURNS.get(wide.orientation))
    image = _opened(encoded)
    mendable = image.format == "JPEG" and image.width * image.height <= LARGE
    fault: Exception = PictureError("damaged: image file is truncated (its end is zeros)")
    if not (mendable and lacks_end(encoded)):
        try:
            return _decoded(image, max_pixels, hint)
        except OSError as error:
            fault = error
    whole = with_end(encoded, lambda some: _decoded(_opened(some), max_pixels).tobytes()) if mendable else None
    if whole is None:
        raise fault
    return _decoded(_opened(whole), max_pixels, hint)


def _decoded(image: Image.Image, max_pixels: int | None, hint: tuple[int, int] | None = None) -> Image.Image:
    max_pixels = pixel_limit() if max_pixels is None else max_pixels
    pixels = image.width * image.height
    if pixels > max_pixels:
        raise PictureError(
            f"{image.width} x {image.height} pixels are more than the limit of {max_pixels:,}: shrink the picture, or "
            "raise the limit by NEARKIN_MAX_PIXELS"
        )
    with _one_large if pixels > LARGE else nullcontext():
        key = TransparentColour(image)
        if hint:
            # Both sides alike, for the picture may yet be turned by 90 degrees.
            image.draft(None, (2 * max(hint), 2 * max(hint)))
        elif pixels > LARGE:
            image.draft(None, (image.width // 2, image.height // 2))
        image.load()
        hidden = key.pixels(image)
        turn = _turn(image)
        if image.width * image.height > LARGE:
            image = _shrunk(image, hidden, min(image.size) // (2 * max(hint)) if hint else 1)
        else:
            image = _opaque(image, hidden)
        return _turned(image, turn)


def _turned(image: Image.Image, turn: Image.Transpose | None) -> Image.Image:
    return image if turn is None else image.transpose(turn)


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What makes the picture stand as its EXIF orientation says; damaged EXIF says nothing."""
    try:
        return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        return None


def _opaque(image: Image.Image, hidden: Bool[np.ndarray, "height width"] | None) -> Image.Image:
    """Any mode as L or RGB in sRGB, with white where it is transparent or hidden."""
    profile = image.info.get("icc_profile")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = _eight_bits(np.asarray(image), narrow=_has_32_bits(image))
        image = Image.fromarray(255 - values if _white_is_zero(image) else values)
    elif image.mode in ("La", "RGBa", "P", "PA", "1"):
        clear = image.has_transparency_data
        image = image.convert({"La": "LA", "1": "L"}.get(image.mode, "RGBA" if clear else "RGB"))
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    if alpha is not None:
        image = image.convert("L" if image.mode == "LA" else "RGB")
    image = to_srgb(image, profile)
    image = as_mode("L" if image.mode == "L" else "RGB", image)
    if alpha is not None:
        image = Image.composite(image, Image.new(image.mode, image.size, "white"), alpha)
    if hidden is not None and hidden.any():
        image = image.copy()
        image.paste("white", mask=Image.fromarray(hidden))
    return image


def _white_is_zero(image: Image.Image) -> bool:
    """Whether this is a TIFF of deep grey that counts from white; of 8 bits Pillow turns them itself."""
    tags = getattr(image, "tag_v2", {})
    return bool(tags.get(_PHOTOMETRIC_INTERPRETATION) == _WHITE_IS_ZERO)


def _has_32_bits(image: Image.Image) -> bool:
    """Whether this is a TIFF of whole numbers of 32 bits."""
    return image.mode == "I" and getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE) == (32,)


def _shrunk(image: Image.Image, hidden: Bool[np.ndarray, "height width"] | None, factor: int) -> Image.Image:
    """A large picture, `_opaque` band by band, so that it is in memory in one mode only; smaller by a factor."""
    factor = max(factor, 1)
    height = max(_BAND // image.width // factor, 1) * factor
    bands = []
    for top in range(0, image.height, height):
        bottom = min(top + height, image.height)
        part = image.crop((0, top, image.width, bottom))
        bands.append(_opaque(part, None if hidden is None else hidden[top:bottom]).reduce(factor))
    joined = Image.new(bands[0].mode, (bands[0].width, sum(band.height for band in bands)))
    top = 0
    for band in bands:
        joined.paste(band, (0, top))
        top += band.height
    return joined


def _eight_bits(values: Shaped[np.ndarray, "*shape"], *, narrow: bool = False) -> UInt8[np.ndarray, "*shape"]:
    """Whole numbers, or floats, scaled to 0..255 as `decode` says; narrow: whole numbers may be of 8 bits."""
    usual_ranges = ((255, 65535) if narrow else (65535,)) if values.dtype.kind in "iu" else (1, 255)
    values = np.nan_to_num(values.astype(np.float32), posinf=0, neginf=0)
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= usual_ranges[-1]:
        low, high = 0.0, next(top for top in usual_ranges if high <= top)
    return np.round((values - low) * (255 / (high - low or 1))).astype(np.uint8)


def _from_array(array: np.ndarray) -> Image.Image:
    layout = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    is_float = array.dtype.kind == "f"
    known = array.dtype in (np.bool_, np.uint8, np.uint16) or is_float
    if not (layout and known and array.size) or (is_float and not (array.min() >= 0 and array.max() <= 1)):
        raise PictureError(
            f"got {array.dtype} of shape {array.shape}, expected [height, width] or [height, width, 1 | 3 | 4] of "
            "bool, uint8, uint16, or floats in 0..1"
        )
    if array.dtype == np.bool_:
        array = array * np.uint8(255)
    if array.dtype != np.uint8:
        array = _eight_bits(array)
    return Image.fromarray(array[..., 0] if array.shape[2:] == (1,) else array)
