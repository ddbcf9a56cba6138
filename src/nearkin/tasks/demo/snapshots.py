"""Snapshots of emoji: turned, mirrored, near and far, on any ground and in any light; a class for each emoji."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from nearkin.files import written_whole

# Of each emoji; and their side in pixels.
VIEWS, SIDE = 8, 128


def take_snapshots(folder: Path, pictures: Sequence[str], names: Sequence[str], *, seed: int = 0) -> Path:
    """Draw snapshots into a folder for each emoji, as a person's photos might lie.

    Each depends on the seed and on its number alone, so that what was interrupted goes on, and ends the same.

    Args:
        folder: to be made.
        pictures: paths of the emoji.
        names: of the emoji; they become labels, and names of folders.
        seed: random seed.

    Returns:
        A table with columns path and label, beside the folder.
    """
    table = folder.with_suffix(".csv")
    rows = []
    for number, (picture, name) in enumerate(zip(pictures, names, strict=True)):
        random = np.random.default_rng((seed, number))
        place = folder / re.sub(r"[^\w -]", "", name).strip()
        place.mkdir(parents=True, exist_ok=True)
        for view in range(VIEWS):
            encoded = io.BytesIO()
            snapshot(picture, random).save(encoded, "jpeg", quality=90)
            path = place / f"{view + 1}.jpg"
            if not (path.exists() and path.stat().st_size == encoded.tell()):
                with written_whole(path) as file:
                    file.write(encoded.getvalue())
            rows.append((path.absolute(), name))
    with written_whole(table, "w", newline="") as file:
        csv.writer(file).writerows([("path", "label"), *rows])
    return table


def snapshot(picture: str | Path, random: np.random.Generator) -> Image.Image:
    """One snapshot of a picture with a transparent ground, of mode RGB and 128 pixels a side."""
    emoji = Image.open(picture).convert("RGBA")
    size = int(SIDE * random.uniform(0.45, 0.95))
    emoji = emoji.resize((size, size), Image.Resampling.BICUBIC)
    if random.random() < 0.5:
        emoji = ImageOps.mirror(emoji)
    emoji = emoji.rotate(random.uniform(-60, 60), Image.Resampling.BICUBIC, expand=True)
    canvas = _ground(random)
    left, top = (int(random.uniform() * (SIDE - side)) for side in emoji.size)
    canvas.paste(emoji, (left, top), emoji)
    canvas = ImageEnhance.Brightness(canvas).enhance(random.uniform(0.6, 1.4))
    canvas = ImageEnhance.Color(canvas).enhance(random.uniform(0.2, 1.5))
    return canvas.filter(ImageFilter.GaussianBlur(random.uniform(0, 1.5)))


def _ground(random: np.random.Generator) -> Image.Image:
    """From one colour to another, across or down."""
    one, other = random.integers(0, 256, (2, 3))
    share = np.linspace(0, 1, SIDE)[:, None, None]
    colours = np.broadcast_to((1 - share) * one + share * other, (SIDE, SIDE, 3))
    if random.random() < 0.5:
        colours = colours.transpose(1, 0, 2)
    return Image.fromarray(np.ascontiguousarray(colours.astype(np.uint8)))
