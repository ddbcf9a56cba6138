"""A gallery of regions: one picture, many items."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

import nearkin
from nearkin.data.decoding import decode
from nearkin.gallery.gallery import Gallery
from tests.fakes import FakeEncoder

COLOURS = {"red": (0, 0), "green": (20, 0), "blue": (0, 10), "yellow": (20, 10)}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    picture = Image.new("RGB", (40, 20))
    for colour, corner in COLOURS.items():
        picture.paste(colour, (*corner, corner[0] + 20, corner[1] + 10))
    picture.save(folder / "four.png")
    return folder


def boxes(photos: Path) -> pd.DataFrame:
    path = str(photos / "four.png")
    return pd.DataFrame(
        [{"path": path, "label": name, "x": x, "y": y, "width": 20, "height": 10} for name, (x, y) in COLOURS.items()]
    )


@pytest.fixture
def gallery(photos: Path, tmp_path: Path) -> Gallery:
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder())
    assert gallery.add(nearkin.read_items(boxes(photos))).added == 4
    return gallery


def test_the_item_is_the_picture_and_the_box(gallery: Gallery, photos: Path) -> None:
    again = gallery.add(nearkin.read_items(boxes(photos)))
    assert (again.added, again.unchanged) == (0, 4)
    moved = boxes(photos).assign(x=lambda frame: frame.x + 1)[:1]
    assert gallery.add(nearkin.read_items(moved)).added == 1
    assert len(gallery) == 5


def test_each_region_has_its_own_vector_and_thumbnail(gallery: Gallery, photos: Path) -> None:
    for name, (x, y) in COLOURS.items():
        query = f"{photos / 'four.png'}#xywh={x},{y},20,10"
        hits = gallery.search(query, k=4)
        assert hits[0].label == name
        assert decode(hits[0].uri).size == gallery.thumbnail(hits[0].id).size == (20, 10)
    assert len(gallery.search(query, k=4, exclude_self=True)) == 3


def test_where_update_delete_and_export_know_the_columns(gallery: Gallery, tmp_path: Path) -> None:
    assert gallery.update({"label": "left"}, where="x < 10") == 2
    assert gallery.export(tmp_path / "all.parquet") == 4
    table = pq.read_table(tmp_path / "all.parquet").to_pandas()
    assert sorted(table[["x", "y", "width", "height"]].to_numpy().tolist()) == [
        [0, 0, 20, 10],
        [0, 10, 20, 10],
        [20, 0, 20, 10],
        [20, 10, 20, 10],
    ]
    assert gallery.delete(where="label = 'left'") == 2
    again = nearkin.read_items(tmp_path / "all.parquet", path_column="uri")
    assert {str(one.box) for one in again.pictures} == {f"{x},{y},20,10" for x, y in COLOURS.values()}
    assert gallery.add(again).added == 2


def test_a_changed_picture_changes_its_regions(gallery: Gallery, photos: Path) -> None:
    picture = Image.open(photos / "four.png").convert("RGB")
    picture.paste("white", (0, 0, 20, 10))
    picture.save(photos / "four.png")
    assert gallery.add(nearkin.read_items(boxes(photos))).replaced == 4
    assert gallery.check(read_pictures=True).changed == ()


def test_regions_follow_a_moved_folder_and_go_with_their_picture(gallery: Gallery, photos: Path) -> None:
    new = photos.rename(photos.parent / "moved")
    assert gallery.relink(photos, new).relinked == 4
    assert gallery.check(read_pictures=True).missing == ()
    assert gallery.add(nearkin.read_items(boxes(new))).unchanged == 4
    (new / "four.png").rename(new / "team.png")
    renamed = boxes(new).assign(path=str(new / "team.png"))
    summary = gallery.add(nearkin.read_items(renamed))
    assert (summary.moved, summary.added) == (4, 0)
    (new / "other.png").write_bytes((new / "team.png").read_bytes())
    gallery.add(nearkin.read_items(new / "other.png"))
    (new / "team.png").unlink()
    assert len(gallery.prune().pruned) == 4
    assert len(gallery) == 1


def test_reindex_reads_the_regions(gallery: Gallery) -> None:
    gallery.reindex(FakeEncoder(name="other"))
    assert len(gallery) == 4
    vectors = gallery.vectors(gallery.select())
    assert len(np.unique(vectors.round(3), axis=0)) == 4


def test_examples_are_regions_too(gallery: Gallery, photos: Path) -> None:
    gallery.enroll("ruby", [f"{photos / 'four.png'}#xywh=0,0,20,10"])
    gallery.enroll("leaf", [f"{photos / 'four.png'}#xywh=20,0,20,10"])
    [seen] = gallery.recognize([f"{photos / 'four.png'}#xywh=1,1,18,8"])
    assert seen.candidates[0].name == "ruby"
