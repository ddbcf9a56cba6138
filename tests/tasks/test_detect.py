"""Faces of photos: a table, crops, the items of a gallery, names."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nearkin.cli import main
from nearkin.data.decoding import decode
from nearkin.data.sources import read_items
from nearkin.encoders.encoder import Encoder
from nearkin.errors import InvalidInput, SourceError
from nearkin.gallery.gallery import Gallery
from nearkin.tasks.detect import faces_of, write_faces
from tests.drawn_faces import GREEN, drawn_face, group_photo, needs


@pytest.fixture(autouse=True)
def _installed() -> None:
    needs("mtcnn")
    needs("dlib-hog")


def run(*arguments: str) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    return int(left.value.code or 0)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    group_photo((0, 120, 40, 90), (1, 80, 250, 60)).save(folder / "two.png")
    Image.new("RGB", (200, 100), "white").save(folder / "none.png")
    return folder


def test_a_row_for_each_face(photos: Path, tmp_path: Path) -> None:
    summary = write_faces(photos, tmp_path / "faces.csv", crops=tmp_path / "crops")
    assert (summary.photos, summary.faces, summary.without) == (2, 2, (str(photos / "none.png"),))
    with (tmp_path / "faces.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [Path(row["path"]).name for row in rows] == ["two.png", "two.png"]
    assert float(rows[0]["x"]) < float(rows[0]["nose_x"]) < float(rows[0]["x"]) + float(rows[0]["width"])
    assert [decode(row["crop"]).size for row in rows] == [(150, 150)] * 2
    items = read_items(tmp_path / "faces.csv")
    assert len(items) == 2
    assert items.metadata["confidence"][0] > 0.8


def test_boxes_are_those_of_the_photo_as_it_is_shown(tmp_path: Path) -> None:
    photo = group_photo((0, 120, 40, 90), size=(300, 240))
    photo.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.rotate(90, expand=True).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    photo.convert("L").save(tmp_path / "grey.png")
    photo.resize((3600, 2880)).save(tmp_path / "huge.jpg", quality=90)
    faces, summary = faces_of(read_items(tmp_path))
    assert summary.faces == 4
    boxes = {Path(one.whole_uri).name: np.array(one.box.numbers) for one in faces.pictures if one.box}
    boxes["huge.jpg"] /= 12
    for box in boxes.values():
        np.testing.assert_allclose(box, boxes["grey.png"], atol=9)


def test_the_largest_of_each(photos: Path) -> None:
    faces, summary = faces_of(read_items(photos), largest=True)
    assert (len(faces), summary.faces) == (1, 1)
    assert decode(faces.pictures[0]).width > 60


def test_mistakes_are_said(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no face found in .*none\.png"):
        faces_of(read_items(photos / "none.png"))
    write_faces(photos, tmp_path / "faces.csv")
    with pytest.raises(InvalidInput, match="has boxes already"):
        faces_of(read_items(tmp_path / "faces.csv"))
    with pytest.raises(InvalidInput, match=r"expected a name that ends in \.csv"):
        write_faces(photos, tmp_path / "faces.xlsx")
    with pytest.raises(InvalidInput, match="confidence is 2: expected"):
        write_faces(photos, tmp_path / "faces.csv", confidence=2.0)


def test_the_command(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "faces.csv")
    assert run("detect", "faces", str(photos), "--out", out) == 0
    printed = capsys.readouterr()
    assert "2 faces in 2 photos, 1 without a face" in printed.out
    assert f"no face found in {photos / 'none.png'}" in printed.err
    assert run("detect", "faces", str(photos / "none.png"), "--out", out, "--json") == 1
    assert json.loads(capsys.readouterr().out)["faces"] == 0
    assert run("detect", "sheep", str(photos), "--out", out) == 2
    assert "known: faces" in capsys.readouterr().err
    (photos / "broken.jpg").write_bytes(b"no picture")
    assert run("detect", "faces", str(photos), "--out", out) == 1
    assert "broken.jpg" in capsys.readouterr().err


def test_from_photos_to_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (1, 2, 3):
        drawn_face(160, seed).save(tmp_path / f"person{seed}.png")
    group_photo((1, 110, 20, 40), (2, 100, 190, 60), (3, 120, 340, 80)).save(tmp_path / "group.png")
    gallery = str(tmp_path / "gallery")
    Gallery.create(gallery, Encoder.from_pretrained("faces"))
    for seed in (1, 2, 3):
        photo = str(tmp_path / f"person{seed}.png")
        assert run("enroll", gallery, f"P{seed}", photo, "--detect", "faces", "-q") == 0
    capsys.readouterr()
    assert run("recognize", gallery, str(tmp_path / "group.png"), "--detect", "faces", "--json") == 0
    answers = json.loads(capsys.readouterr().out)
    assert all("group.png#xywh=" in answer["picture"] for answer in answers)
    by_place = sorted(answers, key=lambda answer: float(answer["picture"].split("=")[1].split(",")[0]))
    assert [answer["candidates"][0]["name"] for answer in by_place] == ["P1", "P2", "P3"]
    assert run("recognize", gallery, str(tmp_path / "person1.png"), "--detect", "cats") == 2


def test_of_several_photos_a_broken_one_and_one_without_faces_are_named(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "broken.jpg").write_bytes(b"no picture")
    gallery = str(tmp_path / "gallery")
    Gallery.create(gallery, Encoder.from_pretrained("faces"))
    names = [str(photos / name) for name in ("broken.jpg", "none.png", "two.png")]
    assert run("enroll", gallery, "Anna", *names, "--detect", "faces", "--json") == 1
    printed = capsys.readouterr()
    assert f"no face found in {names[1]}" in printed.err
    summary = json.loads(printed.out)
    assert [each["reason"] for each in summary["refused"]] == ["unreadable"]
    assert len(summary["taken"]) == 1
    assert run("recognize", gallery, *names, "--detect", "faces") == 1
    printed = capsys.readouterr()
    assert [line.split("\t")[0].rpartition("/")[2].partition("#")[0] for line in printed.out.splitlines()] == [
        "two.png"
    ] * 2
    assert "skipped" in printed.err
    assert "broken.jpg" in printed.err
    assert run("recognize", gallery, names[1], "--detect", "faces") == 2
    assert "no face found in" in capsys.readouterr().err
    assert run("enroll", gallery, "Bob", names[2], "--detect", "faces", "--box", "1,2,50,60") == 2
    assert "leave it out with --box" in capsys.readouterr().err
    assert run("enroll", gallery, "--from-column", "label", "--detect", "faces") == 2


def test_people_are_calibrated_verified_and_erased(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people = tmp_path / "people"
    for seed in range(1, 16):
        (people / f"P{seed}").mkdir(parents=True)
        for number, degrees in enumerate((0, 6)):
            turned = drawn_face(150, seed).rotate(degrees, Image.Resampling.BICUBIC, fillcolor=GREEN)
            turned.save(people / f"P{seed}" / f"{number}.png")
    model, gallery = str(tmp_path / "runs" / "faces"), str(tmp_path / "gallery")
    assert run("calibrate", "faces", str(people), "--out", model, "-q") == 0
    a, b, c = (str(people / name) for name in ("P1/0.png", "P1/1.png", "P2/0.png"))
    capsys.readouterr()
    probabilities = []
    for other in (b, c):
        assert run("verify", model, a, other, "--detect", "faces", "--json") == 0
        probabilities.append(json.loads(capsys.readouterr().out)["probability"])
    assert probabilities[0] > probabilities[1]
    assert run("index", model, str(people), gallery, "-q") == 0
    assert run("enroll", gallery, "--from-column", "label", "--force", "-q") == 0
    capsys.readouterr()
    assert run("forget", gallery, "P1", "--erase", "--yes", "--json") == 0
    items = json.loads(capsys.readouterr().out)["items"]
    assert len(items) == 2
    assert run("gallery", "delete", gallery, "--yes", *(word for id in items for word in ("--id", str(id)))) == 0
    opened = Gallery.open(gallery)
    assert [each.name for each in opened.classes()] == [f"P{seed}" for seed in sorted(range(2, 16), key=str)]
    assert len(opened) == 28


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ("5,5,0,10", "its width is 0"),
        ("nan,5,10,10", "expected a finite number of pixels"),
        ("900,5,10,10", "is outside its picture of 500 x 300 pixels"),
    ],
)
def test_a_box_that_is_none_is_refused(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], box: str, said: str
) -> None:
    (tmp_path / "boxes.csv").write_text(f"path,x,y,width,height\n{photos / 'two.png'},{box}\n")
    assert run("index", "faces", str(tmp_path / "boxes.csv"), str(tmp_path / "gallery")) == 2
    assert "boxes.csv: row 2: " in (printed := capsys.readouterr().err)
    assert said in printed
    assert not (tmp_path / "gallery").exists()


def test_two_hundred_faces_from_photo_to_gallery(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = [(0, 60, 64 * column, 64 * row) for row in range(10) for column in range(20)]
    group_photo(*places, size=(1280, 640)).save(tmp_path / "many.png")
    out = str(tmp_path / "faces.csv")
    assert run("detect", "faces", str(tmp_path / "many.png"), "--out", out, "--crops", str(tmp_path / "crops")) == 0
    assert "200 faces in 1 photo" in capsys.readouterr().out
    assert len(read_items(out)) == len(list((tmp_path / "crops").iterdir())) == 200


def test_a_gallery_of_faces(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gallery = str(tmp_path / "gallery")
    assert run("index", "faces", str(photos), gallery, "--detect", "faces") == 0
    printed = capsys.readouterr()
    assert "2 items; 2 added" in printed.out
    assert "no face found in" in printed.err
    assert run("search", gallery, str(photos / "two.png"), "--detect", "faces", "-k", "1") == 0
    assert "two.png#xywh=" in capsys.readouterr().out
    assert run("index", "faces", str(photos), gallery, "--detect", "faces") == 0
    assert "2 unchanged" in capsys.readouterr().out
