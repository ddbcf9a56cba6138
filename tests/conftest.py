"""Small pictures that can be learned: a class is a shape and a colour, a picture one of it at some place."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

COLOURS = {"red": "красный", "green": "зелёный", "blue": "синий", "black": "чёрный"}
SHAPES = {"circle": "круг", "square": "квадрат", "cross": "крест"}


def draw(shape: str, colour: str, random: np.random.Generator) -> Image.Image:
    picture = Image.new("RGB", (32, 32), "white")
    pen = ImageDraw.Draw(picture)
    x, y = (int(position) for position in random.integers(4, 14, 2))
    box = (x, y, x + 14, y + 14)
    if shape == "circle":
        pen.ellipse(box, fill=colour)
    elif shape == "square":
        pen.rectangle(box, fill=colour)
    else:
        pen.line(box, fill=colour, width=4)
        pen.line((x, y + 14, x + 14, y), fill=colour, width=4)
    return picture


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder tree of 12 classes with 8 pictures each, and `captions.csv` in two languages beside it."""
    root = tmp_path_factory.mktemp("shapes")
    random = np.random.default_rng(0)
    lines = ["path,label,caption_en,caption_ru"]
    for colour, in_russian in COLOURS.items():
        for shape, shape_in_russian in SHAPES.items():
            folder = root / "tree" / f"{colour} {shape}"
            folder.mkdir(parents=True)
            for number in range(8):
                path = folder / f"{number}.png"
                draw(shape, colour, random).save(path)
                lines.append(f"{path},{folder.name},a {colour} {shape},{in_russian} {shape_in_russian}")
    (root / "captions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def draw_groups_of_pictures(folder: Path) -> Path:
    """Three groups of six pictures that hardly differ, one folder each."""
    random = np.random.default_rng(0)
    for group in range(3):
        (folder / str(group)).mkdir(parents=True)
        picture = random.integers(0, 256, (4, 4, 3)).repeat(8, 0).repeat(8, 1)
        for number in range(6):
            noisy = picture + random.integers(-5, 6, picture.shape)
            Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / str(group) / f"{number}.png")
    return folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEARKIN_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def pytest_make_parametrize_id(val: object) -> str | None:
    """Texts as parameters are cut in the names of tests, so that a name fits a line."""
    return f"{val[:40]}..." if isinstance(val, str) and len(val) > 40 else None
