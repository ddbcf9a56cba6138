"""Shapes whose class is a combination of attributes: colour, form, size and texture, at some place and grey."""

import csv
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

COLOURS = {"red": (220, 40, 40), "green": (40, 160, 60), "blue": (50, 70, 220), "yellow": (230, 200, 40)}
FORMS, SIZES, TEXTURES = ("circle", "square", "triangle"), (8, 14), ("plain", "striped")
COMBINATIONS = tuple(product(COLOURS, FORMS, SIZES, TEXTURES))
_PLACES = tuple(product(range(4), range(3), range(2), range(2)))
# A quarter of them, in which each value of each attribute, and nearly each pair of values, is among the others too.
UNSEEN = tuple(one for one, (c, f, s, t) in zip(COMBINATIONS, _PLACES, strict=True) if (c + f + 2 * s + t) % 4 == 0)


def name(combination: tuple[str, str, int, str]) -> str:
    return " ".join(map(str, combination))


def draw_shape(combination: tuple[str, str, int, str], random: np.random.Generator) -> Image.Image:
    colour, form, size, texture = combination
    ground = int(random.integers(200, 256))
    picture = Image.new("RGB", (32, 32), (ground, ground, ground))
    mask = Image.new("L", (32, 32))
    pen = ImageDraw.Draw(mask)
    x, y = (int(place) for place in random.integers(1, 31 - size, 2) + size // 2)
    box = (x - size // 2, y - size // 2, x + size // 2, y + size // 2)
    if form == "circle":
        pen.ellipse(box, fill=255)
    elif form == "square":
        pen.rectangle(box, fill=255)
    else:
        pen.polygon([(x, box[1]), (box[0], box[3]), (box[2], box[3])], fill=255)
    if texture == "striped":
        for row in range(box[1], box[3] + 1, 4):
            pen.rectangle((0, row, 32, row + 1), fill=0)
    picture.paste(COLOURS[colour], mask=mask)
    return picture


def write_shapes(
    folder: Path, combinations: Sequence[tuple[str, str, int, str]], *, pictures: int = 8, seed: int = 0
) -> Path:
    """A folder tree with a folder per combination; its path."""
    random = np.random.default_rng(seed)
    for combination in combinations:
        (folder / name(combination)).mkdir(parents=True, exist_ok=True)
        for number in range(pictures):
            draw_shape(combination, random).save(folder / name(combination) / f"{seed}-{number}.png")
    return folder


def write_attributes(path: Path) -> Path:
    """The table of all combinations: colour a category, form and texture a set of words, size a number."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["label", "colour", "words", "size", "striped"])
        for one in COMBINATIONS:
            colour, form, size, texture = one
            writer.writerow([name(one), colour, f"{form} | {texture}", size, int(texture == "striped")])
    return path
