"""Near copies of a picture: the same picture, saved again, made smaller, or cut a little at its edges.

How alike the vectors of two copies are depends on the encoder. So copies of the very picture are made and embedded, and
the least similar one says from which score on another picture is a copy too.
"""

from io import BytesIO

import numpy as np
from jaxtyping import Float
from PIL import Image

from nearkin.data.decoding import as_mode, decode_bytes

# How many copies `copies_of` makes.
COPIES = 3
# Pictures that are less alike than this are no copies, whatever the encoder; with an encoder that is easily upset the
# very copies are at times less alike than SUSPICIOUS, above which a new picture is worth finding out.
LEAST, SUSPICIOUS = 0.8, 0.9
# A vector without its picture has copies that differ by rounding only.
OF_VECTORS = 0.9999
_QUALITY, _EDGE, _ROUNDING = 50, 0.02, 1e-5
# Pictures look alike if their colours in so many cells correlate so much; or, without contrast, differ by so little.
_CELLS, _CORRELATION, _FLAT = (16, 16), 0.9, 8.0


def copies_of(encoded: bytes) -> list[bytes]:
    """A picture saved as a poor JPEG, at half its size, and without its edges.

    Args:
        encoded: the picture.
    """
    image = as_mode("RGB", decode_bytes(encoded))
    width, height = image.size
    half = image.resize((max(1, width // 2), max(1, height // 2)), Image.Resampling.LANCZOS)
    left, top = round(_EDGE * width), round(_EDGE * height)
    cut = image.crop((left, top, max(left + 1, width - left), max(top + 1, height - top)))
    return [_jpeg(image, _QUALITY), _jpeg(half, 90), _jpeg(cut, 90)]


def copy_keys(key: str) -> list[str]:
    """The keys of a picture's copies, as the store of vectors knows them."""
    return [f"{key}-{number}" for number in range(1, COPIES + 1)]


def copy_scores(
    vectors: Float[np.ndarray, "n dim"], copies: Float[np.ndarray, "n copies dim"]
) -> Float[np.ndarray, " n"]:
    """For each picture the score from which on another picture is a copy of it."""
    scores = np.einsum("nd,ncd->nc", vectors, copies)
    return np.minimum(np.maximum(scores.min(axis=1), LEAST), 1) - np.float32(_ROUNDING)


def look_alike(one: bytes | None, other: bytes | None) -> bool:
    """Whether two encoded pictures have nearly the same colours at nearly the same places.

    An encoder that was trained little may give one vector to quite different pictures. Where a picture is not at hand,
    there is nothing to say against it.
    """
    if one is None or other is None:
        return True
    a, b = (np.asarray(as_mode("RGB", decode_bytes(each)).resize(_CELLS), np.float32).ravel() for each in (one, other))
    if min(a.std(), b.std()) < _FLAT:
        return bool(np.abs(a - b).mean() < _FLAT)
    return bool(np.corrcoef(a, b)[0, 1] >= _CORRELATION)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    encoded = BytesIO()
    image.save(encoded, "JPEG", quality=quality)
    return encoded.getvalue()
