"""What was said of classes survives another encoder, compaction, a restore, an erasure and a copy of the gallery."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nearkin.gallery.classes import log as log_module
from nearkin.gallery.classes.registry import ClassRegistry
from nearkin.gallery.classes.vectors import vectors_name
from nearkin.gallery.gallery import Gallery
from tests.fakes import FakeEncoder
from tests.gallery.classes.drawn import draw_view, draw_views

CLASSES, REJECTS, IGNORED = 20, 200, 50


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery of 20 classes, 200 pictures rejected for a class and 50 ignored; their files are gone."""
    folder = tmp_path_factory.mktemp("corrected")
    gallery = Gallery.create(folder / "gallery", FakeEncoder())
    gallery.add(draw_views(folder / "items", range(500, 503), range(2))["thing 500"])
    gallery.enroll_many(draw_views(folder / "things", range(CLASSES), range(2)), force=True)
    for number in range(REJECTS):
        thing = number % CLASSES
        gallery.reject(draw_view(folder / "rejected" / f"{number}.png", thing, 10 + number), f"thing {thing}")
    gallery.ignore([draw_view(folder / "ignored" / f"{n}.png", n % CLASSES, 1000 + n) for n in range(IGNORED)])
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "copy")


def check_all_bind(gallery: Gallery, folder: Path) -> None:
    """Every correction binds, on the very picture and on a copy of it."""
    rejected = [folder / "rejected" / f"{number}.png" for number in range(REJECTS)]
    ignored = [folder / "ignored" / f"{number}.png" for number in range(IGNORED)]
    copies = []
    for path in (*rejected[::10], *ignored[::10]):
        copies.append(path.with_suffix(".jpg"))
        Image.open(path).save(copies[-1], quality=75)
    answers = gallery.recognize([*rejected, *ignored, *copies], k=CLASSES)
    for number, answer in enumerate(answers[:REJECTS]):
        assert f"thing {number % CLASSES}" not in [one.name for one in answer.candidates]
    for answer in answers[REJECTS : REJECTS + IGNORED]:
        assert (answer.decision, answer.candidates) == ("unknown", ())
    of_copies = answers[REJECTS + IGNORED :]
    for number, answer in zip(range(0, REJECTS, 10), of_copies, strict=False):
        assert f"thing {number % CLASSES}" not in [one.name for one in answer.candidates]
    assert all(answer.decision == "unknown" for answer in of_copies[REJECTS // 10 :])
    assert answers[0].threshold.trials == 2 * CLASSES + IGNORED


def test_after_a_restart(folder: Path) -> None:
    check_all_bind(Gallery.open(folder / "gallery", FakeEncoder()), folder)


def test_after_another_encoder_and_back(folder: Path) -> None:
    # The pictures are in the gallery: it needs no files.
    shutil.rmtree(folder / "things")
    gallery = Gallery.open(folder / "gallery", FakeEncoder())
    summary = gallery.reindex(new := FakeEncoder(dim=24, name="new"))
    assert (summary.examples, summary.examples_left) == (2 * CLASSES + REJECTS + IGNORED, 0)
    check_all_bind(gallery, folder)
    check_all_bind(Gallery.open(folder / "gallery", new), folder)
    assert gallery.check().sound
    gallery.restore(gallery.versions()[0].version)
    old = Gallery.open(folder / "gallery", FakeEncoder())
    check_all_bind(old, folder)


def test_after_a_change_of_encoder_that_was_cut_short(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep, kept = ClassRegistry.keep, []

    def cut_short(*arguments: Any) -> None:
        if kept:
            raise KeyboardInterrupt
        kept.append(keep(*arguments))

    new = FakeEncoder(dim=24, name="new")
    with monkeypatch.context() as patched:
        patched.setattr(ClassRegistry, "keep", cut_short)
        with pytest.raises(KeyboardInterrupt):
            Gallery.open(folder / "gallery", FakeEncoder()).reindex(new)
    gallery = Gallery.open(folder / "gallery", FakeEncoder())
    check_all_bind(gallery, folder)
    assert gallery.reindex(new).examples_left == 0
    check_all_bind(Gallery.open(folder / "gallery", new), folder)


def test_after_compaction(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "SMALL_FRAGMENTS", 3)
    gallery = Gallery.open(folder / "gallery", FakeEncoder())
    before = gallery.classes()
    gallery.enroll("thing 0", draw_view(folder / "more.png", 0, 77), force=True)
    registry = gallery._registry
    assert len(registry.log._dataset.get_fragments()) == 1  # type: ignore[union-attr]
    gallery.undo()
    assert gallery.classes() == before
    assert Gallery.open(folder / "gallery", FakeEncoder()).classes() == before
    gallery.enroll("thing 0", folder / "more.png", force=True)
    gallery.undo()
    check = Gallery.open(folder / "gallery", FakeEncoder())
    check_all_bind(check, folder)
    assert check.check().sound


def test_what_is_said_to_another_encoder_is_embedded_when_the_old_one_comes_back(folder: Path) -> None:
    gallery = Gallery.open(folder / "gallery", FakeEncoder())
    gallery.reindex(FakeEncoder(dim=24, name="new"))
    gallery.enroll("late", draw_view(folder / "late.png", 300))
    gallery.reject(draw_view(folder / "late no.png", 300, 5), "late")
    gallery.restore(gallery.versions()[0].version)
    old = Gallery.open(folder / "gallery", FakeEncoder())
    assert old.recognize(draw_view(folder / "query.png", 300, 1))[0].candidates[0].name == "late"
    assert "late" not in [one.name for one in old.recognize(folder / "late no.png", k=30)[0].candidates]


def test_bare_vectors_wait_for_their_encoder_but_those_of_items_go_along(tmp_path: Path) -> None:
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder())
    gallery.add_vectors([str(path := draw_view(tmp_path / "a.png", 1))], FakeEncoder().embed_images([path]))
    gallery.enroll("of an item", items=[0])
    path.rename(moved := tmp_path / "moved.png")
    gallery.enroll("bare", vectors=np.ones(16))
    gallery.enroll("of an item, without its file", items=[0], force=True)
    moved.rename(path)
    summary = gallery.reindex(new := FakeEncoder(dim=24, name="new"))
    assert (summary.examples, summary.examples_left) == (1, 1)
    assert {each.name: each.kinds for each in gallery.classes()} == {
        "of an item": {"picture": 1},
        "bare": {"vector": 1},
        "of an item, without its file": {"vector": 1},
    }
    [answer] = gallery.recognize(new.embed_images([path]))
    assert {one.name for one in answer.candidates} == {"of an item", "of an item, without its file"}
    gallery.restore(gallery.versions()[0].version)
    old = Gallery.open(tmp_path / "gallery", FakeEncoder())
    assert len(old.recognize(np.ones(16, np.float32))[0].candidates) == 3


def test_erased_is_gone_from_the_disk(folder: Path) -> None:
    gallery = Gallery.open(folder / "gallery", FakeEncoder())
    secret = draw_view(folder / "secret.png", 999)
    gallery.enroll("A secret name", secret, why="a secret reason")
    gallery.rename("A secret name", "Another secret name")
    gallery.reindex(FakeEncoder(dim=24, name="new"))
    assert _holds(folder / "gallery", secret.read_bytes())
    change = gallery.forget("another secret name", erase=True)
    assert change.examples == 2
    assert not _holds(folder / "gallery", secret.read_bytes())
    for text in (b"secret name", b"secret reason", str(secret).encode()):
        assert not _holds(folder / "gallery", text)
    assert gallery.check().sound
    assert len(gallery.classes()) == CLASSES
    check_all_bind(gallery, folder)
    # Numbers are not given twice.
    last = gallery.class_changes()[-1]["change"]
    assert gallery.enroll("new", secret).change == last + 1


def _holds(folder: Path, content: bytes) -> bool:
    return any(content in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_what_was_forgotten_can_be_erased(folder: Path) -> None:
    gallery = Gallery.open(folder / "gallery", FakeEncoder())
    gallery.enroll("gone", picture := draw_view(folder / "gone.png", 999))
    gallery.forget("gone")
    assert _holds(folder / "gallery", picture.read_bytes())
    gallery.forget("gone", erase=True)
    assert not _holds(folder / "gallery", picture.read_bytes())


def test_vectors_go_with_their_encoder(tmp_path: Path) -> None:
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder())
    gallery.enroll("a", draw_view(tmp_path / "a.png", 1))
    gallery.reindex(FakeEncoder(dim=24, name="new"))
    # No item: there is nothing to restore.
    gallery.enroll("b", draw_view(tmp_path / "b.png", 2))
    kept = {path.name for path in (tmp_path / "gallery" / "example_vectors").iterdir()}
    needed = {each.encoder for each in gallery.versions()} | {"new-24"}
    assert kept == {Path(vectors_name(each)).name for each in needed}


def test_a_damaged_registry_is_found(folder: Path) -> None:
    gallery = Gallery.open(folder / "gallery", FakeEncoder())
    for data in (folder / "gallery" / "examples.lance" / "data").iterdir():
        data.write_bytes(b"damaged")
    faults = Gallery.open(folder / "gallery", FakeEncoder()).check().faults
    assert any("examples of classes cannot be read" in fault for fault in faults)
    assert gallery.search(0, k=1)[0].id == 0
