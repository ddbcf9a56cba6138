"""Pictures of things that a FakeEncoder tells apart: patches of colour, which two views of a thing have in common."""

from pathlib import Path

import numpy as np
from PIL import Image


def draw_view(path: Path, thing: int, view: int = 0, *, spread: float = 18.0) -> Path:
    """One view of a thing: its patches of colour, a little changed; large enough to be saved again without loss."""
    cells = np.random.default_rng(thing).uniform(20, 235, (4, 4, 3))
    cells += spread * np.random.default_rng([thing, view, 1]).standard_normal(cells.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = cells.clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).resize((96, 96), Image.Resampling.NEAREST).save(path)
    return path


def draw_views(folder: Path, things: range, views: range) -> dict[str, list[Path]]:
    """Views of things, a folder for each."""
    return {
        f"thing {thing}": [draw_view(folder / f"thing {thing}" / f"{view}.png", thing, view) for view in views]
        for thing in things
    }
