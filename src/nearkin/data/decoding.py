"""Safe decoding: one picture, whatever its format and mode, as RGB the right way up."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import ExifTags, Image

from nearkin.data.items import Picture
from nearkin.errors import PictureError

# Pillow's own limit: 89 million pixels, 256 MiB as RGB.
MAX_PIXELS = 178_956_970 // 2

# Decoders of plain pictures, chosen by content and not by file name. Pillow has more; its EPS one runs Ghostscript.
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "DIB", "TIFF", "PPM", "AVIF", "HEIF")
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

# The entry of warnings.filters that _silence_pillow makes.
_SILENCED = ("ignore", None, UserWarning, re.compile(r"PIL\."), 0)

Image.init()
try:
    import pillow_heif
except ImportError:
    pass
else:
    pillow_heif.register_heif_opener()


def decode(
    picture: Picture | Path | str | bytes | Image.Image | np.ndarray,
    *,
    max_pixels: int = MAX_PIXELS,
    hint: tuple[int, int] | None = None,
) -> Image.Image:
    """A picture as RGB, the right way up, on white where it is transparent.

    An animation gives its first frame. Deep grey comes down to 8 bits: 16-bit values by 1/257, whatever they are, so
    that pictures stay comparable; floats in 0..1 by 255, those in 0..255 as they are; others stretched.

    Args:
        picture: where it lies, its encoded bytes, a PIL picture, or an array `[height, width]` or
            `[height, width, 1 | 3 | 4]` of bool, uint8, uint16, or floats in 0..1.
        max_pixels: larger ones are refused by their header, before they take memory.
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
            if isinstance(encoded, bytes):
                image = _decoded(_opened(encoded), max_pixels, hint)
            elif isinstance(encoded, Image.Image):
                image = _decoded(encoded, max_pixels)
            else:
                image = _opaque(_from_array(encoded))
            return as_mode("RGB", image)
    except PictureError as error:
        raise PictureError(f"{_name(picture)}: {error}") from error


def decode_bytes(encoded: bytes, *, max_pixels: int = MAX_PIXELS, hint: tuple[int, int] | None = None) -> Image.Image:
    """Like `decode`, but a picture without colour stays grey: mode L or RGB.

    Raises:
        PictureError: no picture, damaged, too large; the message does not say which picture.
    """
    with _pillow_errors():
        return _decoded(_opened(encoded), max_pixels, hint)


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
    except PictureError:
        raise
    except Exception as error:
        raise PictureError(f"damaged: {str(error) or type(error).__name__}") from error


def _silence_pillow() -> None:
    """Pillow says nothing of odd metadata. The filter lasts, for catch_warnings is not safe in threads."""
    if warnings.filters[:1] != [_SILENCED]:
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def _opened(encoded: bytes) -> Image.Image:
    """The picture with its header read and no pixel decoded.

    Image.open would warn of large pictures, and a thread cannot catch a warning without disturbing the others.
    """
    if not encoded:
        raise PictureError("the file is empty")
    for name in FORMATS:
        factory, accepts = Image.OPEN.get(name, (None, None))
        accepted = accepts(encoded[:16]) if accepts else False
        if isinstance(accepted, str):
            raise PictureError(accepted)
        if factory and accepted:
            return factory(BytesIO(encoded), "")
    if encoded[4:8] == b"ftyp":
        raise PictureError("HEIC and its kin need the package 'pillow-heif': pip install 'nearkin[heif]'")
    raise PictureError(f"no picture in a known format ({', '.join(FORMATS)})")


def _decoded(image: Image.Image, max_pixels: int, hint: tuple[int, int] | None = None) -> Image.Image:
    if image.width * image.height > max_pixels:
        size = f"{image.width} x {image.height} pixels"
        raise PictureError(f"{size} are more than the limit of {max_pixels:,}: shrink the picture")
    if hint:
        # Both sides alike, for the picture may yet be turned by 90 degrees.
        image.draft(None, (2 * max(hint), 2 * max(hint)))
    image.load()
    return _opaque(_turned(image))


def _turned(image: Image.Image) -> Image.Image:
    """The picture as its EXIF orientation wants it; damaged EXIF says nothing."""
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        turn = None
    return image if turn is None else image.transpose(turn)


def _opaque(image: Image.Image) -> Image.Image:
    """Any mode as L or RGB, transparent parts on white."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = Image.fromarray(_eight_bits(np.asarray(image)))
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return as_mode("L" if image.mode in ("1", "L") else "RGB", image)


def _eight_bits(values: Shaped[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """Integers of 16 bits, or floats, scaled to 0..255 as `decode` says."""
    usual_ranges = (65535,) if values.dtype.kind in "iu" else (1, 255)
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
