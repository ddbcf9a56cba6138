"""The class registry from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from nearkin.cli.app import app
from nearkin.errors import InvalidInput, UnknownName
from nearkin.gallery.gallery import Gallery
from tests.cli.test_index_search import make_encoder
from tests.fakes import draw_noise


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
