"""Items that are regions of pictures: in tables, decoded, cached, in galleries."""

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from nearkin.data.box import Box, split_region
from nearkin.data.decoding import decode
from nearkin.data.items import Picture
from nearkin.data.loading import Loaded, load_picture
from nearkin.data.pixel_cache import PixelCache
from nearkin.data.preprocessing import Preprocessing
from nearkin.data.sources import check_source, read_items
from nearkin.errors import PictureError, SourceError

# A picture of four coloured quarters, 40 x 20 pixels.
QUARTERS = {"red": (0, 0), "green": (20, 0), "blue": (0, 10), "yellow": (20, 10)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    quarters().save(tmp_path / "four.png")
    return tmp_path


def quarters() -> Image.Image:
    picture = Image.new("RGB", (40, 20))
    for colour, corner in QUARTERS.items():
        picture.paste(colour, (*corner, corner[0] + 20, corner[1] + 10))
    return picture


def rows() -> list[dict]:
    return [
        {"path": "four.png", "label": colour, "x": x, "y": y, "width": 20, "height": 10}
        for colour, (x, y) in QUARTERS.items()
    ]


def write(folder: Path, kind: str) -> Path:
    frame = pd.DataFrame(rows())
    path = folder / f"boxes.{kind}"
    if kind == "parquet":
        frame.to_parquet(path)
    elif kind == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",")
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_every_kind_of_table_gives_four_regions_of_one_picture(folder: Path, kind: str) -> None:
    items = read_items(write(folder, kind))
    assert len(items) == 4
    for picture, label in zip(items.pictures, items.labels, strict=True):
        seen = decode(picture)
        assert seen.size == (20, 10)
        assert seen.getpixel((10, 5)) == Image.new("RGB", (1, 1), label).getpixel((0, 0))
    assert items.metadata["x"] == (0.0, 20.0, 0.0, 20.0)


def test_bbox_as_list_as_text_and_in_coco(folder: Path) -> None:
    boxes = [[x, y, 20, 10] for x, y in QUARTERS.values()]
    frame = pd.DataFrame({"path": [str(folder / "four.png")] * 4, "bbox": boxes})
    expected = [str(Box(*box)) for box in boxes]
    texts = frame.assign(bbox=[json.dumps(box) for box in boxes])
    coco = folder / "instances.json"
    coco.write_text(
        json.dumps(
            {
                "images": [{"id": 7, "file_name": "four.png"}],
                "categories": [{"id": 1, "name": "quarter"}],
                "annotations": [{"id": n, "image_id": 7, "category_id": 1, "bbox": b} for n, b in enumerate(boxes)],
            }
        )
    )
    for source in (frame, texts, coco):
        items = read_items(source)
        assert [str(picture.box) for picture in items.pictures] == expected
    assert set(items.labels) == {"quarter"}


def test_width_and_height_alone_are_metadata(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "sizes.csv").write_text("path,width,height\nfour.png,40,20\n")
    items = read_items(folder / "sizes.csv")
    assert items.pictures[0].box is None
    assert items.metadata == {"width": (40,), "height": (20,)}
    assert not caplog.records
    (folder / "three.csv").write_text("path,x,y,width\nfour.png,0,0,20\n")
    assert read_items(folder / "three.csv").pictures[0].box is None
    assert "without 'height' are no boxes" in caplog.text


def test_a_row_without_a_box_is_the_whole_picture(folder: Path) -> None:
    (folder / "some.csv").write_text("path,x,y,width,height\nfour.png,0,0,20,10\nfour.png,,,,\n")
    items = read_items(folder / "some.csv")
    assert [decode(picture).size for picture in items.pictures] == [(20, 10), (40, 20)]
    assert items.metadata["x"] == (0.0, None)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ("40,0,5,5", "outside its picture of 40 x 20"),
        ("-9,-9,5,5", "outside its picture"),
        ("0,0,0,5", "its width is 0"),
        ("0,0,5,-1", "its height is -1"),
        ("0,0,NaN,5", "'width' is empty|'width' is 'NaN'"),
        ("0,0,inf,5", "expected a finite number"),
        ("0,,5,5", "'y' is empty: expected all four"),
        ("0,0,five,5", "'width' is 'five': expected a number of pixels"),
    ],
)
def test_a_bad_box_is_refused_with_its_row(folder: Path, cells: str, said: str) -> None:
    (folder / "bad.csv").write_text(f"path,x,y,width,height\nfour.png,0,0,20,10\nfour.png,{cells}\n")
    with pytest.raises(SourceError, match=f"row 3: .*({said})"):
        read_items(folder / "bad.csv")


@pytest.mark.parametrize(
    ("box", "said"),
    [([[0, 0, 5, 5], [5, 5, 5, 5]], "holds 2 boxes: expected one"), ([0, 0, 5], "expected \\[x, y, width, height")],
)
def test_a_bad_bbox_is_refused(folder: Path, box: list, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        read_items(pd.DataFrame({"path": [str(folder / "four.png")], "bbox": [box]}))


def test_what_reaches_beyond_the_picture_is_cut_off_and_said(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "over.csv").write_text("path,x,y,width,height\nfour.png,-5,10,20,30\n")
    with caplog.at_level(logging.WARNING):
        [picture] = read_items(folder / "over.csv").pictures
    assert str(picture.box) == "0,10,15,10"
    assert "1 box reached beyond the picture and was cut off there, such as row 2: the box -5,10,20,30" in caplog.text


def test_boxes_count_in_the_picture_as_it_is_shown(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    quarters().rotate(90, expand=True).save(tmp_path / "turned.jpg", exif=exif, quality=100, subsampling=0)
    assert decode(tmp_path / "turned.jpg").size == (40, 20)
    (tmp_path / "boxes.csv").write_text("path,x,y,width,height\nturned.jpg,20,0,20,10\n")
    [picture] = read_items(tmp_path / "boxes.csv").pictures
    red, green, blue = decode(picture).getpixel((10, 5))  # type: ignore[misc]
    assert green > 100 > max(red, blue)


def test_a_region_goes_by_its_name_everywhere(folder: Path) -> None:
    name = str(folder / "four.png#xywh=20,0,20,10")
    check_source(name)
    [picture] = read_items(name).pictures
    assert picture.box == Box(20, 0, 20, 10)
    assert decode(name).size == (20, 10)
    assert split_region(picture.uri)[0] == picture.whole_uri == str(folder / "four.png")
    quarters().save(folder / "odd#xywh=0,0,1,1", "PNG")
    assert decode(folder / "odd#xywh=0,0,1,1").size == (40, 20)


def test_a_box_outside_a_picture_that_has_changed_is_broken(folder: Path) -> None:
    with pytest.raises(PictureError, match="the box 50,0,5,5: it is outside the picture of 40 x 20"):
        decode(Picture(str(folder / "four.png"), box=Box(50, 0, 5, 5)))


def test_regions_are_cached_apart(folder: Path, tmp_path: Path) -> None:
    pictures = [*read_items(write(folder, "csv")).pictures, Picture(str(folder / "four.png"))]
    for decoded in (5, 0):
        cache = PixelCache.build(pictures, Preprocessing(height=8, width=8), tmp_path / "cache")
        assert cache.decoded == decoded
        means = cache.batch(range(5)).mean(axis=(1, 2))
        assert len(np.unique(means.round(), axis=0)) == 5
    hashes = [loaded.content_hash for p in pictures if isinstance(loaded := load_picture(p, size=(8, 8)), Loaded)]
    assert len({*hashes}) == 5
