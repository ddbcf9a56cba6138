"""Colour profiles (ICC): what a photo looks like on the screen it was meant for, as sRGB."""

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

# Mode of the pixels -> colour space of a profile that can be meant for them.
_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK", "LAB": "Lab"}
# Profiles that change no channel by more than this are sRGB in all but name.
_SAME = 2
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION | ImageCms.Flags.NOCACHE
# The table by which Little CMS speeds a transform up puts greys a few levels off, and saturated Lab colours up to 30.
_BY_FORMULA = ("L", "LAB")


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The picture with its colours as the profile means them.

    Relative colorimetric, with black point compensation. A profile that is damaged, or of another kind than the
    pixels, says nothing: the picture stays as it is. Lab without a profile is CIE L*a*b* under D50, as TIFF has it.

    Args:
        image: of mode L, RGB, CMYK or LAB; others stay as they are.
        profile: an ICC profile, None for sRGB.

    Returns:
        A picture of mode L if the given one is, else RGB; the same object if the profile changes nothing.
    """
    if image.mode == "LAB":
        transform = (_transform(bytes(profile), "LAB") if profile else None) or _transform(None, "LAB")
        return image if transform is None else transform.apply(image)
    if not profile or image.mode not in _SPACES:
        return image
    if image.mode == "L":
        levels = _grey_levels(bytes(profile))
        return image if levels is None else image.point(levels)
    transform = _transform(bytes(profile), image.mode)
    return image if transform is None else transform.apply(image)


@lru_cache(maxsize=64)
def _grey_levels(profile: bytes) -> list[int] | None:
    """What each level of grey becomes; None if the profile changes nothing."""
    transform = _transform(profile, "L")
    if transform is None:
        return None
    levels = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    return list(transform.apply(levels).convert("L").tobytes())


@lru_cache(maxsize=64)
def _transform(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From this profile, or from plain Lab, to sRGB; None if it is sRGB, damaged, or not for such pixels."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile) if profile else ImageCms.createProfile("LAB"))
        if source.profile.xcolor_space.strip() != _SPACES[mode]:
            return None
        transform = ImageCms.ImageCmsTransform(
            source,
            ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
            mode,
            "RGB",
            intent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=_FLAGS | (ImageCms.Flags.NOOPTIMIZE if mode in _BY_FORMULA else 0),
        )
        return None if mode in ("L", "RGB") and _changes_little(transform, mode) else transform
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _changes_little(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    levels = np.arange(0, 256, 17 if mode == "RGB" else 1, dtype=np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    before = Image.fromarray(grid if mode == "RGB" else levels[None])
    after = np.asarray(transform.apply(before)).astype(int)
    return bool(np.abs(after - np.asarray(before.convert("RGB"))).max() <= _SAME)
