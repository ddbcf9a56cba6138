"""Pictures of the demo's steps: right and wrong are told by colour, and nothing depends on the sign of an axis."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor

from nearkin.tasks.demo.drawing import (
    RIGHT,
    WRONG,
    Cell,
    numbers_of,
    plane_map,
    rows_of_pictures,
    side_by_side,
    table_of_scores,
    two_histograms,
)


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        Image.new("RGB", (20, 20), (80 * number, 0, 0)).save(path)
    return [str(path) for path in paths]


def colours(picture: Image.Image) -> set[tuple[int, ...]]:
    return {tuple(colour) for colour in np.unique(np.asarray(picture).reshape(-1, 3), axis=0).tolist()}


def test_rows_frame_what_is_right_and_wrong(pictures: list[str]) -> None:
    right, wrong = ImageColor.getrgb(RIGHT), ImageColor.getrgb(WRONG)
    plain = rows_of_pictures([("a", [Cell(pictures[0])])])
    assert not {right, wrong} & colours(plain)
    framed = rows_of_pictures([("a", [Cell(pictures[0], "x" * 99, True)]), ("b", [Cell(pictures[1], right=False)])])
    assert {right, wrong} <= colours(framed)
    assert framed.width == plain.width
    assert framed.height > 2 * plain.height
    assert side_by_side([plain, framed]).width > plain.width + framed.width


def test_a_map_does_not_depend_on_the_sign_of_an_axis(pictures: list[str]) -> None:
    vectors = np.array([[1, 0.1, 0], [0, 1, 0.2], [-1, -1.5, 0.4]], np.float32)
    labels = np.arange(3)
    one, mirrored = (plane_map(pictures, sign * vectors, labels, "t") for sign in (1, -1))
    assert one.size == mirrored.size
    turned = plane_map(pictures, vectors[:, [2, 0, 1]], labels, "t")
    assert turned.size == one.size


def test_numbers_scores_and_histograms(pictures: list[str]) -> None:
    vectors = np.eye(3, 200, dtype=np.float32)
    assert (0, 0, 0) in colours(numbers_of(pictures, vectors))
    scores = np.array([[1, 0.5, 0.1], [0.5, 1, 0.2], [0.1, 0.2, 1]], np.float32)
    table = table_of_scores(pictures, scores)
    assert table.width == table.height
    random = np.random.default_rng(0)
    picture = two_histograms(random.uniform(0.5, 1, 50), random.uniform(-0.2, 0.6, 90), 0.55)
    assert {ImageColor.getrgb(RIGHT), ImageColor.getrgb(WRONG)} <= colours(picture)
