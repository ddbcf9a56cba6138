"""The class registry from the command line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from nearkin.cli.app import app
from nearkin.errors import InvalidInput, SourceError, UnknownName
from nearkin.gallery.gallery import Gallery
from nearkin.tasks.sheet import CELL_HEIGHT, CELL_WIDTH
from tests.cli.test_index_search import make_encoder
from tests.fakes import draw_noise
from tests.gallery.classes.drawn import draw_view, draw_views


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    draw_noise(tmp_path / "photos" / "Anna", range(3))
    draw_noise(tmp_path / "photos" / "Bob", range(3, 6))
    Gallery.create(tmp_path / "gallery", make_encoder(0)).add(tmp_path / "photos")
    return tmp_path


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner(env={"COLUMNS": "300"}).invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def facts(*arguments: object) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


def sizes() -> dict[str, int]:
    return {each["name"]: each["examples"] for each in facts("classes", "gallery")}


def test_from_the_first_example_to_undo(folder: Path) -> None:
    said = run("enroll", "gallery", "Anna", "photos/Anna/0.png", "photos/Anna/1.png", "--force")
    assert said.stdout.splitlines() == [
        "gallery: 2 examples of 'Anna' taken, 0 refused",
        "  taken    Anna: photos/Anna/0.png",
        "  taken    Anna: photos/Anna/1.png",
    ]
    assert "next: nearkin recognize gallery PICTURE; nearkin undo gallery takes this back" in said.stderr
    assert facts("enroll", "gallery", "Bob", "--item", "3", "--force")["change"] == 3
    assert sizes() == {"Anna": 2, "Bob": 1}
    assert run("rename", "gallery", "anna", "Anne").stdout == "'Anna' is 'Anne' now\n"
    assert run("merge", "gallery", "Bob", "Anne").stdout == "'Bob' is part of 'Anne' now: 3 examples\n"
    assert run("undo", "gallery").stdout == "merge 'Bob' (change 5) is taken back\n"
    assert "next: nearkin undo gallery 7 takes this back" in run("forget", "gallery", "Bob").stderr
    assert sizes() == {"Anne": 2}
    run("undo", "gallery", "7")
    assert run("reject", "gallery", "photos/Anna/1.png", "Anne", "--why", "a twin").stdout == (
        "photos/Anna/1.png is not 'Anne': 1 example less\n"
    )
    assert facts("ignore", "gallery", "photos/Bob/4.png", "#5")["examples"] == 2
    assert sizes() == {"Anne": 1, "Bob": 1}
    listed = run("classes", "gallery", "--changes").stdout
    assert "undo 5" in listed
    assert "a twin" in listed
    assert "rejected" in run("classes", "gallery").stdout


def test_a_class_of_a_group(folder: Path) -> None:
    draw_views(folder / "things", range(3), range(5))
    opened = Gallery.create(folder / "grouped", make_encoder(0))
    opened.add(folder / "things")
    first = opened.cluster(k=3).groups[0]
    said = facts("enroll", "grouped", "first", "--group", first.id, "--force")
    assert len(said["taken"]) == len(first.members)
    with pytest.raises(InvalidInput, match="no group 99"):
        run("enroll", "grouped", "first", "--group", "99")


def test_recognize(folder: Path) -> None:
    views = draw_views(folder / "things", range(20), range(3))
    opened = Gallery.create(folder / "known", make_encoder(0))
    opened.enroll_many(views, force=True)
    known, wrong = views["thing 3"][0], draw_view(folder / "stranger.png", 99)
    said = run("recognize", "known", known, wrong, "--fpir", "0.5", "--sheet", "out.png")
    lines = [line.split("\t") for line in said.stdout.splitlines()]
    assert [line[0] for line in lines] == [str(known), str(wrong)]
    assert lines[0][1] in ("name", "not sure", "unknown")
    assert lines[0][5:] == [str(known), "1.0000"]
    assert "50 % of strangers' pictures reach it [" in said.stderr
    assert "measured with 60 pictures of 20 strangers" in said.stderr
    with Image.open("out.png") as sheet:
        assert sheet.size == (4 * CELL_WIDTH, 2 * CELL_HEIGHT)
    [answer, other] = facts("recognize", "known", known, "stranger.png", "--fpir", "0.5", "-k", "2")
    assert answer["candidates"][0]["evidence"][0]["what"] == str(known)
    assert (len(other["candidates"]), other["threshold"]["fpir"]) == (2, 0.5)
    Path("bad.png").write_text("no picture")
    said = run("recognize", "known", "bad.png", known, "--quiet", code=1)
    assert len(said.stdout.splitlines()) == 1
    assert "skipped bad.png: no picture" in said.stderr
    np.save("vector.npy", opened.encoder.embed_images([known])[0])
    assert facts("recognize", "known", "vector.npy")[0]["candidates"][0]["name"] == "thing 3"
    np.save("vectors.npy", np.ones((2, 8)))
    with pytest.raises(InvalidInput, match="expected one vector"):
        run("recognize", "known", "vectors.npy")


def test_recognize_without_enough_strangers_says_that_it_guesses(folder: Path) -> None:
    run("enroll", "gallery", "Anna", "photos/Anna/0.png", "--force")
    said = run("recognize", "gallery", "photos/Bob/4.png")
    assert "a guess" in said.stderr
    assert "nothing is promised" in said.stderr


def test_health(folder: Path) -> None:
    opened = Gallery.create(folder / "known", make_encoder(0))
    opened.enroll_many(draw_views(folder / "things", range(12), range(4)), force=True)
    opened.enroll("thing 3", draw_view(folder / "wrong.png", 7, 9), force=True)
    said = run("classes", "known", "--health", "--fpir", "0.5", "--out", "health.html")
    assert "known: 12 classes, 49 examples; the worst 10" in said.stdout
    found = facts("classes", "known", "--health", "--fpir", "0.5")
    assert 0 <= found["accuracy"]["low"] <= found["accuracy"]["value"] <= 1
    assert all(Path(what).exists() for each in found["siblings"] for what in each["examples"])
    page = Path("health.html").read_text(encoding="utf-8")
    assert "12 classes, 49 examples" in page
    assert "data:image/jpeg;base64," in page
    for arguments, message in (
        (("--health", "--changes"), "choose one"),
        (("--out", "health.html"), "--out goes with --health"),
        (("--health", "--out", "health.txt"), "health.txt"),
    ):
        with pytest.raises(InvalidInput, match=message):
            run("classes", "known", *arguments)
    with pytest.raises(InvalidInput, match="knows no class yet"):
        run("classes", "gallery", "--health")


def test_many_at_once(folder: Path) -> None:
    run("enroll", "gallery", "--folder", "photos", "--force")
    assert sizes() == {"Anna": 3, "Bob": 3}
    assert "0 examples taken, 6 refused" in run("enroll", "gallery", "--from-column", "label").stdout
    Path("more.csv").write_text("name,path\nCarla,photos/Bob/4.png\n")
    run("enroll", "gallery", "--table", "more.csv", "--force")
    assert sizes() == {"Anna": 3, "Bob": 3, "Carla": 1}


def test_nothing_is_taken(folder: Path) -> None:
    Path("bad.png").write_text("no picture")
    said = run("enroll", "gallery", "Anna", "bad.png", code=1)
    assert "refused  Anna: bad.png: no picture in a known format" in said.stdout
    # What cannot be read is not taken by force either, so that this is no way out.
    assert "--force" not in said.output
    Path("few.png").write_bytes(Path("photos/Anna/0.png").read_bytes())
    run("enroll", "gallery", "Anna", "photos/Anna/0.png", "--force")
    assert "--force takes what can be read" in run("enroll", "gallery", "Bob", "few.png", "bad.png", code=1).output


@pytest.mark.parametrize(
    "arguments",
    [
        ("enroll", "gallery", "Anna", "photos/Anna/0.png", "photos/Anna/O.png"),
        ("recognize", "gallery", "photos/Anna/O.png"),
        ("reject", "gallery", "photos/Anna/O.png", "Bob"),
        ("ignore", "gallery", "photos/Anna/0.png", "photos/Anna/O.png"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_picture_that_is_not_there(folder: Path, arguments: tuple[str, ...]) -> None:
    run("enroll", "gallery", "Bob", "photos/Bob", "--force")
    with pytest.raises(SourceError, match=r"O\.png: no such file or folder: did you mean .*0\.png"):
        run(*arguments)
    assert sizes() == {"Bob": 3}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("enroll", "gallery"), "whom or what to enrol"),
        (("enroll", "gallery", "Anna", "--folder", "photos"), "--folder has the names itself"),
        (("enroll", "gallery", "--table", "a.csv", "--folder", "photos"), "--folder and --table: choose one"),
        (("enroll", "gallery", "Anna", "photos/Anna/0.png", "--box", "1,2,3"), "expected left, top, right, bottom"),
        (("enroll", "gallery", "Anna", "--text", " "), "text 0 is"),
        (("forget", "gallery", "Anna"), "no class is enrolled yet"),
        (("undo", "gallery"), "there is nothing to undo"),
        (("undo", "gallery", "7"), "no change 7: there is none yet"),
        (("classes", "nope"), "no gallery at"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_arguments(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(Exception, match=said):
        run(*arguments)


def test_erase_is_asked_about(folder: Path) -> None:
    run("enroll", "gallery", "Anna", "photos/Anna/0.png", "--force")
    with pytest.raises(UnknownName, match="did you mean Anna"):
        run("forget", "gallery", "Ana", "--erase", "--yes")
    with pytest.raises(InvalidInput, match="would erase 'Anna' for good, with its pictures: say --yes"):
        run("forget", "gallery", "Anna", "--erase")
    assert run("forget", "gallery", "Anna", "--erase", "--yes").stdout == "'Anna' is erased: 1 event is gone for good\n"
    assert sizes() == {}
    with pytest.raises(InvalidInput, match="erased examples: that cannot be undone"):
        run("undo", "gallery", "2")


def test_items_of_an_erased_class_are_named(folder: Path) -> None:
    run("enroll", "gallery", "Anna", "--item", "1", "--item", "3", "photos/Anna/0.png", "--force")
    run("gallery", "delete", "gallery", "--id", "3")
    assert facts("forget", "gallery", "Anna")["items"] == []
    said = run("forget", "gallery", "Anna", "--erase", "--yes").stderr
    assert "still items of the gallery: 1 picture that taught it its name" in said
    assert "next: nearkin gallery delete gallery --id 1 deletes it" in said


def test_names_that_are_not_utf_8(folder: Path) -> None:
    strange = folder / "strange" / "caf\udce9.png"
    draw_noise(folder / "strange", [9])
    try:
        (folder / "strange" / "9.png").rename(strange)
    except OSError:
        pytest.skip("this file system takes no such names")
    assert len(facts("search", "gallery", "strange", "-k", "1")) == 1
    assert (
        "taken    Zoe: strange/caf\\xe9.png"
        in run("enroll", "gallery", "Zoe", "strange/caf\udce9.png", "--force").stdout
    )
    found = facts("recognize", "gallery", "strange")
    assert [each["candidates"][0]["name"] for each in found] == ["Zoe"]
    assert "caf\\xe9.png is not 'Zoe'" in run("reject", "gallery", "strange/caf\udce9.png", "Zoe").stdout
    assert "caf\\xe9.png will get no name" in run("ignore", "gallery", "strange/caf\udce9.png").stdout
