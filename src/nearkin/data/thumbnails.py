"""Small copies of pictures, as JPEG."""

from io import BytesIO

from PIL import Image, ImageOps

from nearkin.data.decoding import as_mode


def thumbnail_jpeg(image: Image.Image, side: int, *, quality: int = 85) -> bytes:
    """The picture as a JPEG whose longer side has at most so many pixels; a smaller picture keeps its size.

    Args:
        image: of any mode without transparency; it stays as it is.
        side: in pixels.
        quality: of the JPEG, 1 to 95.
    """
    small = as_mode("RGB", image)
    if max(small.size) > side:
        small = ImageOps.contain(small, (side, side), Image.Resampling.BILINEAR)
    encoded = BytesIO()
    small.save(encoded, "JPEG", quality=quality, optimize=True)
    return encoded.getvalue()
