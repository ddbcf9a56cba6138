"""What every picture becomes before a network sees it: its size, channels and fit."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from nearkin.data.decoding import as_mode
from nearkin.errors import InvalidInput, UnknownName

FITS = ("squash", "crop", "pad", "face")

# Raised when the same file comes to give other pixels, so that no cache serves the old ones.
_PIXELS_VERSION = 2


@dataclass(frozen=True)
class Preprocessing:
    """What every picture becomes before a network sees it.

    Args:
        height, width: size in pixels.
        channels: 3 for RGB, 1 for luminance.
        fit: how another aspect ratio becomes this one: "squash" changes it, "crop" cuts the longer sides equally,
            "pad" adds white on both sides. "face" turns the face upright by five landmarks: that of a region, or the
            largest of a picture (needs the extra `faces`).
        mean, std: of values in 0..1, one number or one per channel; a network sees (value - mean) / std.

    Raises:
        InvalidInput: a size below 1, other channels, mean or std of another length, std not above 0.
        UnknownName: no such fit.

    Example:
        >>> Preprocessing(height=32, width=32, channels=1).apply(Image.new("RGB", (105, 105))).shape
        (32, 32, 1)
    """

    height: int = 64
    width: int = 64
    channels: int = 3
    fit: str = "squash"
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.5,)

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 1 or self.channels not in (1, 3):
            raise InvalidInput(f"pictures of {self.height} x {self.width} x {self.channels}: expected 1 or 3 channels")
        if self.fit not in FITS:
            raise UnknownName("fit", self.fit, FITS)
        if not {len(self.mean), len(self.std)} <= {1, self.channels} or min(self.std) <= 0:
            raise InvalidInput(f"mean {self.mean}, std {self.std}: expected 1 or {self.channels} numbers, std above 0")

    def apply(
        self, image: Image.Image, corners: tuple[int, int, int, int] | None = None
    ) -> UInt8[np.ndarray, "height width channels"]:
        """The picture in this size and these channels, antialiased; of a region (left, top, right, bottom) that."""
        mode = "RGB" if self.channels == 3 else "L"
        if self.fit == "face":
            from nearkin.data.face_alignment import aligned_face

            face = Image.fromarray(aligned_face(image, max(self.height, self.width), corners))
            return np.array(as_mode(mode, face).resize((self.width, self.height))).reshape(self._shape)
        if corners is not None:
            image = image.crop(corners)
        image = as_mode(mode, image)
        size = (self.width, self.height)
        if self.fit == "squash":
            image = image.resize(size, Image.Resampling.BILINEAR)
        elif self.fit == "crop":
            image = ImageOps.fit(image, size, Image.Resampling.BILINEAR)
        else:
            scale = min(self.width / image.width, self.height / image.height)
            inner = (max(1, round(scale * image.width)), max(1, round(scale * image.height)))
            padded = Image.new(mode, size, "white")
            corner = ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2)
            padded.paste(image.resize(inner, Image.Resampling.BILINEAR), corner)
            image = padded
        return np.array(image).reshape(self._shape)

    @property
    def hint(self) -> tuple[int, int]:
        """`(width, height)` that a whole picture may be shrunk to before `apply`; a face in it needs more."""
        return (1200, 1200) if self.fit == "face" else (self.width, self.height)

    @property
    def _shape(self) -> tuple[int, int, int]:
        return self.height, self.width, self.channels

    def key(self) -> str:
        """Names all that changes pixels, and nothing else: safe as a folder's name."""
        return f"{self.height}x{self.width}x{self.channels}-{self.fit}-{_PIXELS_VERSION}"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "Preprocessing":
        """The inverse of `to_dict`, also after a way through JSON.

        Raises:
            InvalidInput: an unknown entry, or a value that is not allowed.
        """
        tuples: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        try:
            return Preprocessing(**tuples)
        except TypeError as error:
            raise InvalidInput(f"preprocessing: {error}") from error
