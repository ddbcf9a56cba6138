"""What the README and the tour speak of, drawn: photos, captions, people and a stranger, in the working folder."""

import shutil
from pathlib import Path

import numpy as np

from tests.conftest import draw


def draw_reader_folder(shapes: Path) -> None:
    """`photos`, `other-photos`, `captions.csv`, `query.jpg`, `a.jpg`, `b.jpg`, `anna1.jpg` and so on."""
    shutil.copytree(shapes / "tree", "photos")
    shutil.copy(shapes / "captions.csv", ".")
    for name in ("query.jpg", "a.jpg", "b.jpg"):
        shutil.copy(shapes / "tree" / "red circle" / "0.png", name)
    people = np.random.default_rng(2)
    for person, colour, shape in (("anna", "orange", "circle"), ("bob", "purple", "square")):
        for number in range(1, 5):
            draw(shape, colour, people).save(f"{person}{number}.jpg")
    draw("cross", "cyan", people).save("stranger.jpg")
    # Classes that are not trained on.
    random = np.random.default_rng(1)
    for colour in ("orange", "purple", "brown", "grey", "pink", "cyan"):
        for shape in ("circle", "square", "cross"):
            folder = Path("other-photos", f"{colour} {shape}")
            folder.mkdir(parents=True)
            for number in range(4):
                draw(shape, colour, random).save(folder / f"{number}.png")
