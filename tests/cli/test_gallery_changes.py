"""Changing a gallery from the command line: what is asked first, what is only told, and what can be taken back."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from nearkin.cli.app import app
from nearkin.errors import InvalidInput
from nearkin.gallery.gallery import Gallery
from tests.cli.test_index_search import make_encoder
from tests.fakes import FakeEncoder, draw_noise


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    """Thirty pictures in two folders."""
    draw_noise(tmp_path / "photos" / "cat", range(28))
    draw_noise(tmp_path / "photos" / "dog", range(28, 30))
    Gallery.create(tmp_path / "gallery", FakeEncoder()).add(tmp_path / "photos")
    return tmp_path / "gallery"


def run(*arguments: object, answer: str | None = None) -> Result:
    result = CliRunner(env={"COLUMNS": "300"}).invoke(app, [str(argument) for argument in arguments], input=answer)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def facts(*arguments: object) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        """Standard input and error as they are at a terminal."""

        def __init__(self, stream: Any) -> None:
            self._stream = stream

        def __getattr__(self, name: str) -> Any:
            return getattr(self._stream, name)

        def isatty(self) -> bool:
            return True

    import nearkin.cli.confirm as confirm

    class Streams:
        @property
        def stdin(self) -> Terminal:
            return Terminal(sys.stdin)

        @property
        def stderr(self) -> Terminal:
            return Terminal(sys.stderr)

    monkeypatch.setattr(confirm, "sys", Streams())


CHANGES = {"delete": (), "update": ("--set", "label=x")}


@pytest.mark.parametrize("change", CHANGES)
def test_a_tenth_of_the_gallery_needs_no_question(gallery: Path, change: str) -> None:
    shown = run("gallery", change, gallery, "--where", "item_id < 3", *CHANGES[change])
    assert shown.exit_code == 0
    assert f"{change} 3 of 30 items" in shown.stderr
    version = Gallery.open(gallery).versions()[0].version
    assert f"next: nearkin gallery restore {gallery} --version {version} takes this back" in shown.stderr
    changed = ("item_id < 3",) if change == "delete" else ("label = 'x'",)
    assert len(Gallery.open(gallery).select(where=changed[0])) == (0 if change == "delete" else 3)


@pytest.mark.parametrize("change", CHANGES)
def test_more_is_refused_without_a_terminal(gallery: Path, change: str) -> None:
    before = Gallery.open(gallery).version
    with pytest.raises(
        InvalidInput, match=f"would {change} 4 of 30 items, more than a tenth .*--dry-run, then say --yes"
    ):
        run("gallery", change, gallery, "--where", "item_id < 4", *CHANGES[change])
    assert Gallery.open(gallery).version == before
    done = facts("gallery", change, gallery, "--where", "item_id < 4", *CHANGES[change], "--yes")
    assert done[f"{change}d"] == 4


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("answer", "changed"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_more_is_asked_about_at_a_terminal(
    gallery: Path, change: str, answer: str, changed: bool, terminal: None
) -> None:
    before = Gallery.open(gallery).version
    shown = run("gallery", change, gallery, "--where", "item_id < 4", *CHANGES[change], answer=answer)
    assert f"{change} 4 of 30 items? [y/N]" in shown.stderr
    assert (Gallery.open(gallery).version > before) == changed
    assert (shown.exit_code, "nothing was changed" in shown.stderr) == ((0, False) if changed else (1, True))


@pytest.mark.parametrize("change", CHANGES)
def test_dry_run_tells_and_changes_nothing(gallery: Path, change: str) -> None:
    before = Gallery.open(gallery).version
    where = ("--where", "item_id >= 4", *CHANGES[change], "--dry-run")
    told = facts("gallery", change, gallery, *where)
    assert (told[f"would_{change}"], told["items"], [item["id"] for item in told["first"]]) == (26, 30, [4, 5, 6, 7, 8])
    shown = run("gallery", change, gallery, *where).stdout
    assert "#4  cat  " in shown
    assert "and 21 more" in shown
    # What is wrong with the change itself shows now.
    with pytest.raises(InvalidInput, match="item has the id 99"):
        run("gallery", change, gallery, "--id", 99, *CHANGES[change], "--dry-run")
    with pytest.raises(InvalidInput, match="syntax error"):
        run("gallery", change, gallery, "--where", "label =", *CHANGES[change], "--dry-run")
    assert Gallery.open(gallery).version == before


def test_items_that_are_named_by_id_are_meant(gallery: Path) -> None:
    ids = [word for id in range(20) for word in ("--id", id)]
    assert facts("gallery", "delete", gallery, *ids)["deleted"] == 20


def test_a_filter_that_nothing_passes(gallery: Path) -> None:
    shown = run("gallery", "delete", gallery, "--where", "label = 'fish'")
    assert "deleted: 0" in shown.stdout
    assert "takes this back" not in shown.stderr


def test_versions_and_restore(gallery: Path) -> None:
    run("gallery", "delete", gallery, "--where", "label = 'cat'", "--yes")
    listed = facts("gallery", "versions", gallery)
    assert [(each["before"], each["items"]) for each in listed] == [("delete", 30), ("index", 0)]
    version = listed[0]["version"]
    shown = run("gallery", "versions", gallery)
    assert str(version) in shown.stdout
    assert "kept until (UTC)" in shown.stdout
    assert f"nearkin gallery restore {gallery} --version {version}" in shown.stderr
    assert facts("gallery", "restore", gallery, "--version", version) == {
        "gallery": str(gallery), "restored": version, "items_before": 2, "items": 30,
    }  # fmt: skip
    with pytest.raises(InvalidInput, match="version 777 cannot be restored: those kept are"):
        run("gallery", "restore", gallery, "--version", 777)


def test_relink(gallery: Path, tmp_path: Path) -> None:
    photos, new = tmp_path / "photos", tmp_path / "new place"
    photos.rename(new)
    (new / "dog" / "28.png").write_bytes(b"another")
    (new / "dog" / "29.png").unlink()
    told = facts("gallery", "relink", gallery, "--from", photos, "--to", new, "--dry-run")
    assert told["would_relink"] == 28
    assert told["mismatched"] == [str(new / "dog" / "28.png")]
    assert told["missing"] == [str(photos / "dog" / "29.png")]
    assert len(facts("gallery", "check", gallery)["missing"]) == 30
    shown = run("gallery", "relink", gallery, "--from", photos, "--to", new)
    assert "relinked: 28" in shown.stdout
    assert f"mismatched: 1\n  {new / 'dog' / '28.png'}" in shown.stdout
    assert "takes this back" in shown.stderr
    assert len(facts("gallery", "check", gallery)["missing"]) == 2


def test_prune(gallery: Path, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / "photos" / "cat" / f"{number}.png").unlink()
    assert facts("gallery", "prune", gallery, "--dry-run")["would_delete"] == 3
    shown = run("gallery", "prune", gallery)
    assert "delete 3 of 30 items" in shown.stderr
    assert "deleted: 3" in shown.stdout
    for number in range(3, 7):
        (tmp_path / "photos" / "cat" / f"{number}.png").unlink()
    with pytest.raises(InvalidInput, match="would delete 4 of 27 items, more than a tenth"):
        run("gallery", "prune", gallery)
    assert facts("gallery", "prune", gallery, "--yes") == {"gallery": str(gallery), "deleted": 4, "items": 23}
    assert "deleted: 0" in run("gallery", "prune", gallery).stdout


def test_prune_asks_when_a_folder_has_lost_all(gallery: Path, tmp_path: Path) -> None:
    for picture in (tmp_path / "photos" / "dog").iterdir():
        picture.unlink()
    dog = tmp_path / "photos" / "dog"
    assert facts("gallery", "prune", gallery, "--dry-run")["empty_folders"] == [str(dog)]
    with pytest.raises(InvalidInput, match=f"no picture is left in {dog}; is a disk not mounted"):
        run("gallery", "prune", gallery)
    with pytest.raises(InvalidInput, match="no picture of the gallery is in"):
        run("gallery", "prune", gallery, "--below", tmp_path / "elsewhere")
    assert facts("gallery", "prune", gallery, "--below", dog, "--yes")["deleted"] == 2


def test_index_keeps_what_was_set_and_tells_of_it(tmp_path: Path) -> None:
    model = make_encoder(0).save_pretrained(tmp_path / "model")
    gallery, photos = tmp_path / "gallery", tmp_path / "photos"
    pictures = draw_noise(photos / "cat", range(4))
    run("index", model, photos, gallery)
    run("gallery", "update", gallery, "--set", "label=tabby", "--id", 1)
    shown = run("index", model, photos, gallery)
    assert "4 unchanged" in shown.stdout
    assert "values set with `nearkin gallery update` were kept in 1 item where DATA says otherwise" in shown.stderr
    assert Gallery.open(gallery).get([1])[0].label == "tabby"
    assert "1 updated" in run("index", model, photos, gallery, "--overwrite-labels").stdout
    assert Gallery.open(gallery).get([1])[0].label == "cat"
    # A moved picture is the same item, one that is gone is named with the way out.
    pictures[2].rename(photos / "cat" / "moved.png")
    pictures[3].unlink()
    shown = run("index", model, photos, gallery)
    assert "4 items; 0 added, 0 replaced, 0 updated, 3 unchanged, 0 skipped, 1 of these moved" in shown.stdout
    assert f"gone from {photos}: 1 picture of the gallery, such as {pictures[3]}" in shown.stderr
    assert f"`nearkin gallery prune {gallery}`" in shown.stderr
    shown = run("index", model, photos, gallery, "--prune")
    assert "3 items" in shown.stdout
    assert "1 item deleted whose pictures are gone" in shown.stderr


def test_one_picture_can_be_added(tmp_path: Path) -> None:
    model = make_encoder(0).save_pretrained(tmp_path / "model")
    first, second = draw_noise(tmp_path / "photos", range(2))
    assert "1 item; 1 added" in run("index", model, first, tmp_path / "gallery").stdout
    assert "2 items; 1 added" in run("index", model, second, tmp_path / "gallery").stdout
    gallery = Gallery.open(tmp_path / "gallery")
    assert gallery.add([str(first), str(second)]).unchanged == 2
