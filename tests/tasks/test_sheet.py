from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nearkin.data.decoding import decode
from nearkin.data.items import Items, Picture
from nearkin.errors import InvalidInput
from nearkin.gallery.gallery import Gallery
from nearkin.tasks.sheet import CELL_HEIGHT, CELL_WIDTH, GAP, TILE, draw_sheet, save_sheet
from tests.fakes import FakeEncoder

COLOURS = {"red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255)}


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    for name in COLOURS:
        Image.new("RGB", (300, 100), name).save(tmp_path / f"{name}.png")
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder())
    captions = [["красный прямоугольник"], [], ["a blue " + "very " * 50 + "wide one"]]
    gallery.add(Items.build([Picture(str(tmp_path / f"{name}.png")) for name in COLOURS], captions=captions))
    return gallery


def cell(sheet: Image.Image, row: int, column: int) -> np.ndarray:
    left, top = column * CELL_WIDTH, row * CELL_HEIGHT
    return np.asarray(sheet.crop((left, top, left + CELL_WIDTH, top + CELL_HEIGHT)))


def middle(sheet: Image.Image, row: int, column: int) -> list[int]:
    return cell(sheet, row, column)[GAP + TILE // 2, CELL_WIDTH // 2].tolist()


def ink(sheet: Image.Image, row: int, column: int) -> int:
    """Dark pixels below the picture."""
    return int((cell(sheet, row, column)[GAP + TILE :] < 100).all(2).sum())


def test_rows_of_queries_and_hits(gallery: Gallery, tmp_path: Path) -> None:
    queries = ["something red", tmp_path / "green.png", np.full((5, 5, 3), (0, 0, 255), dtype=np.uint8), np.ones(16)]
    answers = [(query, gallery.search(query, k=k)) for query, k in zip(queries, (3, 1, 2, 2), strict=True)]
    sheet = draw_sheet(gallery, answers)
    assert sheet.mode == "RGB"
    assert sheet.size == (4 * CELL_WIDTH, 4 * CELL_HEIGHT)
    assert middle(sheet, 0, 1) == [255, 0, 0]
    assert middle(sheet, 1, 0) == middle(sheet, 1, 1) == [0, 128, 0]
    assert middle(sheet, 2, 0) == middle(sheet, 2, 1) == [0, 0, 255]
    assert (cell(sheet, 1, 2) == 255).all(), "no second hit was asked for"
    assert (cell(sheet, 0, 0) < 100).all(2).any(), "the words are written"
    assert ink(sheet, 0, 1) > ink(sheet, 1, 1) > 0, "a caption is written below the score, else the file's name"


def test_cyrillic_letters_differ_so_they_are_no_boxes(gallery: Gallery) -> None:
    hits = gallery.search("red", k=1)
    drawn = {draw_sheet(gallery, [(word, hits)]).tobytes() for word in ("кот", "дом", "шар")}
    assert len(drawn) == 3


def test_a_picture_that_is_gone_is_shown_by_its_thumbnail(gallery: Gallery, tmp_path: Path) -> None:
    (tmp_path / "red.png").unlink()
    sheet = draw_sheet(gallery, [("red", gallery.search("red", k=1))])
    assert np.abs(np.subtract(middle(sheet, 0, 1), (255, 0, 0))).max() < 5


def test_long_captions_stay_in_their_cell(gallery: Gallery) -> None:
    sheet = draw_sheet(gallery, [("blue" * 30 + " blue", gallery.search("blue", k=1))] * 2)
    for column in (0, 1):
        pixels = cell(sheet, 0, column)
        for edge in (pixels[-GAP:], pixels[:, : GAP // 2], pixels[:, -GAP // 2 :]):
            assert (edge == edge[0, 0]).all()


def test_nothing_to_draw(gallery: Gallery) -> None:
    with pytest.raises(InvalidInput, match="no answers to draw"):
        draw_sheet(gallery, [])
    assert draw_sheet(gallery, [("red", [])]).size == (CELL_WIDTH, CELL_HEIGHT)


def test_where_a_sheet_cannot_be_written(tmp_path: Path) -> None:
    sheet = Image.new("RGB", (8, 8))
    save_sheet(sheet, tmp_path / "sheet.jpg")
    assert decode(tmp_path / "sheet.jpg").size == (8, 8)
    with pytest.raises(InvalidInput, match=r"contact sheet .*expected a name that ends in \.png"):
        save_sheet(sheet, tmp_path / "sheet.xyz")
    save_sheet(sheet, tmp_path / "made" / "sheet.png")
    with pytest.raises(InvalidInput, match="is a folder"):
        save_sheet(sheet, tmp_path / "made")
