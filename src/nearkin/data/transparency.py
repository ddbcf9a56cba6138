"""Transparency that a PNG states as one colour: its tRNS key, in the bit depth of the file."""

from io import BytesIO

import numpy as np
from jaxtyping import Bool
from PIL import Image

# How grey values of fewer than 8 bits are spread over 0..255, but not the key.
_SPREAD = {"L;2": 85, "L;4": 17}
_SIXTEEN_BITS, _LOW_BYTES = "RGB;16B", "RGB;16L"


class TransparentColour:
    """The one colour of a picture that is transparent, if there is one.

    Made before the pixels are decoded, for only then does the picture still say how many bits its file has.

    Args:
        image: as opened.
    """

    def __init__(self, image: Image.Image) -> None:
        self._key = image.info.get("transparency")
        tile = getattr(image, "tile", None)
        layout = str(tile[0].args) if image.format == "PNG" and tile else ""
        if isinstance(self._key, int):
            self._key *= _SPREAD.get(layout, 1)
        self._low: Image.Image | None = None
        if isinstance(self._key, tuple) and layout == _SIXTEEN_BITS:
            self._low = _low_bytes(image)

    def pixels(self, image: Image.Image) -> Bool[np.ndarray, "height width"] | None:
        """Which pixels of the decoded picture have the colour; None if none can."""
        values = np.asarray(image)
        if isinstance(self._key, int) and image.mode in ("1", "L", "I;16", "I;16B", "I;16L"):
            return (values * np.uint8(255) if image.mode == "1" else values) == self._key
        if not isinstance(self._key, tuple) or image.mode != "RGB":
            return None
        key = np.array(self._key)
        if self._low is None:
            # Of 16 bits, where the low ones are lost.
            return (values == (key if key.max() < 256 else key >> 8)).all(axis=2)
        return (values == key >> 8).all(axis=2) & (np.asarray(self._low) == key & 255).all(axis=2)


def _low_bytes(image: Image.Image) -> Image.Image | None:
    """The low bytes of a PNG of 16-bit colours, of which Pillow keeps only the high ones."""
    from PIL.PngImagePlugin import PngImageFile

    file = getattr(image, "fp", None)
    if file is None:
        return None
    position = file.tell()
    file.seek(0)
    twin = PngImageFile(BytesIO(file.read()))
    file.seek(position)
    twin.tile = [tile._replace(args=_LOW_BYTES) for tile in twin.tile]
    twin.load()
    return twin
