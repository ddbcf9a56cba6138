"""Pictures that were moved or deleted: counted, found again by their content, or taken out."""

import os
import shutil
from pathlib import Path

import pytest

from nearkin.data.items import Items, Picture
from nearkin.errors import InvalidInput
from nearkin.gallery.gallery import Gallery
from nearkin.gallery.items.gone import empty_folders
from tests.fakes import FakeEncoder, draw_noise


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
def gallery(tmp_path: Path, encoder: FakeEncoder) -> Gallery:
    draw_noise(tmp_path / "photos" / "cat", range(3))
    draw_noise(tmp_path / "photos" / "dog", range(3, 6))
    gallery = Gallery.create(tmp_path / "gallery", encoder)
    gallery.add(tmp_path / "photos")
    return gallery


def names(gallery: Gallery, root: Path) -> dict[int, str]:
    return {item.id: str(Path(item.uri).relative_to(root)) for item in gallery.get(gallery.select())}


def test_relink_after_a_folder_was_moved(gallery: Gallery, tmp_path: Path, encoder: FakeEncoder) -> None:
    gallery.update({"label": "tabby"}, [1])
    (tmp_path / "photos").rename(tmp_path / "pictures")
    (tmp_path / "pictures" / "cat" / "0.png").unlink()
    (tmp_path / "pictures" / "cat" / "2.png").write_bytes((tmp_path / "pictures" / "dog" / "3.png").read_bytes())
    assert len(gallery.check().missing) == gallery.check().pictures == 6
    before = gallery.version
    planned = gallery.relink(tmp_path / "photos", tmp_path / "pictures", dry_run=True)
    assert gallery.version == before
    summary = gallery.relink(tmp_path / "photos", tmp_path / "pictures")
    assert summary == planned
    assert summary.relinked == 4
    assert summary.missing == (str(tmp_path / "photos" / "cat" / "0.png"),)
    assert summary.mismatched == (str(tmp_path / "pictures" / "cat" / "2.png"),)
    report = gallery.check()
    assert report.sound
    assert len(report.missing) == 2
    assert gallery.get([1])[0].label == "tabby"
    embedded = encoder.embedded
    assert gallery.search(tmp_path / "pictures" / "dog" / "4.png", k=1)[0].id == 4
    assert gallery.add(tmp_path / "pictures").unchanged == 4
    assert encoder.embedded == embedded + 2  # the query, and the picture that is another one
    gallery.restore(gallery.versions()[1].version)


def test_what_relink_leaves_alone(gallery: Gallery, tmp_path: Path) -> None:
    photos, copy = tmp_path / "photos", tmp_path / "copy"
    shutil.copytree(photos, copy)
    # All pictures are still where they were.
    summary = gallery.relink(photos, copy)
    assert (summary.relinked, summary.present) == (0, 6)
    # Another item has the new path already.
    gallery.add([copy / "cat" / "0.png"])
    shutil.rmtree(photos)
    summary = gallery.relink(photos, copy)
    assert (summary.relinked, summary.taken) == (5, (str(copy / "cat" / "0.png"),))
    for old, new, reason in (
        (tmp_path / "nowhere", copy, "no picture of the gallery is in"),
        (copy, photos, "no folder"),
    ):
        with pytest.raises(InvalidInput, match=reason):
            gallery.relink(old, new)


def test_a_folder_whose_name_begins_alike_is_another_one(gallery: Gallery, tmp_path: Path) -> None:
    draw_noise(tmp_path / "photos2", [7])
    gallery.add(tmp_path / "photos2")
    shutil.move(tmp_path / "photos", tmp_path / "new")
    assert gallery.relink(tmp_path / "photos", tmp_path / "new").relinked == 6
    assert gallery.check().missing == ()


def test_a_moved_picture_is_known_by_its_content(gallery: Gallery, tmp_path: Path, encoder: FakeEncoder) -> None:
    photos = tmp_path / "photos"
    gallery.update({"label": "mine"}, [1, 4])
    (photos / "fish").mkdir()
    (photos / "cat" / "1.png").rename(photos / "fish" / "other name.png")
    (photos / "dog" / "4.png").rename(photos / "dog" / "renamed.png")
    embedded = encoder.embedded
    summary = gallery.add(photos)
    assert (summary.moved, summary.added, summary.gone) == (2, 0, ())
    assert encoder.embedded == embedded
    assert len(gallery) == 6
    assert names(gallery, photos)[1] == str(Path("fish", "other name.png"))
    assert [item.label for item in gallery.get([1, 4])] == ["mine", "mine"]
    assert gallery.get([1])[0].metadata == {"folder": "fish"}
    assert gallery.add(photos).unchanged == 6


def test_copies_are_new_items_and_copies_that_moved_stay_apart(gallery: Gallery, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    shutil.copy(photos / "cat" / "0.png", photos / "cat" / "copy.png")
    assert (gallery.add(photos).added, len(gallery)) == (1, 7)
    (photos / "new").mkdir()
    for name in ("0.png", "copy.png"):
        (photos / "cat" / name).rename(photos / "new" / name)
    summary = gallery.add(photos)
    assert (summary.moved, summary.added, len(gallery)) == (2, 0, 7)
    found = names(gallery, photos)
    assert (found[0], found[6]) == (str(Path("new", "0.png")), str(Path("new", "copy.png")))


def test_index_tells_of_pictures_that_are_gone(gallery: Gallery, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    elsewhere = draw_noise(tmp_path / "elsewhere", [9])
    gallery.add(tmp_path / "elsewhere")
    elsewhere[0].unlink()
    (photos / "cat" / "0.png").unlink()
    gone = (str(photos / "cat" / "0.png"),)
    assert (gallery.add(photos).gone, len(gallery)) == (gone, 7)
    summary = gallery.add(photos, prune=True)
    assert (summary.gone, summary.pruned, len(gallery)) == (gone, 1, 6)
    assert gallery.add(photos).gone == ()
    gallery.restore(gallery.versions()[0].version)
    assert len(gallery) == 7


def test_prune(gallery: Gallery, tmp_path: Path) -> None:
    assert gallery.prune().pruned == ()
    shutil.rmtree(tmp_path / "photos" / "dog")
    gallery.add_vectors(["/no/such.png"], [[1.0] * 16])
    summary = gallery.prune(dry_run=True)
    assert (len(summary.pruned), summary.items, summary.empty_folders, len(gallery)) == (3, 7, (), 7)
    assert gallery.prune() == summary
    assert len(gallery) == 4
    assert gallery.check().missing == ()
    gallery.restore(gallery.versions()[0].version)
    assert len(gallery) == 7


@pytest.mark.parametrize("way", ["gone", "empty"])
def test_prune_refuses_when_a_whole_folder_is_missing(gallery: Gallery, tmp_path: Path, way: str) -> None:
    """As when a disk is not mounted: its folder is gone, or empty."""
    draw_noise(tmp_path / "disk", [8])
    gallery.add(tmp_path / "disk")
    shutil.rmtree(tmp_path / "photos")
    if way == "empty":
        (tmp_path / "photos").mkdir()
    folders = gallery.prune(dry_run=True).empty_folders
    assert folders == ((str(tmp_path / "photos"),) if way == "empty" else ())
    if way == "empty":
        with pytest.raises(InvalidInput, match=f"no picture is left in {tmp_path / 'photos'}: mount the disk"):
            gallery.prune()
        assert len(gallery) == 7
    (tmp_path / "disk" / "8.png").unlink()
    with pytest.raises(InvalidInput, match="no picture is left in"):
        gallery.prune()
    assert gallery.prune(whole_folders=True).pruned
    assert len(gallery) == 0


def test_folders_that_are_empty(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()

    def found(*uris: str, missing: tuple[str, ...]) -> list[str]:
        records = [{"uri": str(tmp_path / uri)} for uri in uris]
        return empty_folders(records, [{"uri": str(tmp_path / uri)} for uri in missing])

    assert found("a/1", "disk/2", missing=("a/1",)) == []
    assert found("a/1", missing=("a/1",)) == [str(tmp_path / "a")]
    assert found("a/1", "a/b/2", missing=("a/1", "a/b/2")) == [str(tmp_path / "a")]
    assert found("disk/1", "b/2", missing=("disk/1",)) == [str(tmp_path / "disk")]
    assert found("disk/photos/1", "b/2", missing=("disk/photos/1",)) == [str(tmp_path / "disk" / "photos")]


def test_pictures_on_another_disk_say_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two disks below one folder, the one that is gone is not held to be deleted."""
    (tmp_path / "b").mkdir()
    records = [{"uri": str(tmp_path / uri)} for uri in ("a/x/1", "a/y/2", "b/3")]
    assert empty_folders(records, records[:2]) == []
    devices = {tmp_path / "b": 7, tmp_path: 1}
    monkeypatch.setattr("nearkin.gallery.items.gone._device", devices.get)
    assert empty_folders(records, records[:2]) == [str(tmp_path / "a")]


def test_index_does_not_prune_what_may_be_a_disk(gallery: Gallery, tmp_path: Path) -> None:
    for path in (tmp_path / "photos" / "cat").iterdir():
        path.unlink()
    (tmp_path / "photos" / "dog" / "3.png").unlink()
    summary = gallery.add(tmp_path / "photos", prune=True)
    assert (len(summary.gone), summary.pruned, len(gallery)) == (4, 1, 5)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_cannot_be_looked_at_is_not_gone(gallery: Gallery, tmp_path: Path) -> None:
    (tmp_path / "photos" / "cat").chmod(0)
    try:
        assert gallery.prune().pruned == ()
        report = gallery.check()
        assert (len(report.unreadable), report.missing) == (3, ())
    finally:
        (tmp_path / "photos" / "cat").chmod(0o755)


def test_a_file_that_cannot_be_looked_at_is_not_gone(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.stat

    def stat(path: object, **options: object) -> os.stat_result:
        if str(path).endswith("0.png"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", stat)
    assert gallery.prune().pruned == ()
    report = gallery.check()
    assert (report.unreadable, report.missing) == ((str(tmp_path / "photos" / "cat" / "0.png"),), ())


def test_values_set_by_hand_stay(gallery: Gallery, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    gallery.update({"label": "tabby"}, [0, 1])
    summary = gallery.add(photos)
    assert (summary.kept, summary.unchanged) == (2, 6)
    assert [item.label for item in gallery.get([0, 1, 2])] == ["tabby", "tabby", "cat"]
    assert "edited_columns" not in gallery.get([0])[0].metadata
    # A column that was not set by hand still follows the source.
    items = Items.build(
        [Picture(item.uri) for item in gallery.get([0, 2])], labels=["lion"] * 2, metadata={"folder": ["zoo"] * 2}
    )
    summary = gallery.add(items)
    assert (summary.kept, summary.updated) == (1, 2)
    assert [(item.label, item.metadata["folder"]) for item in gallery.get([0, 2])] == [
        ("tabby", "zoo"),
        ("lion", "zoo"),
    ]
    # New content does not change it either.
    draw_noise(tmp_path / "x", [50])
    shutil.copy(tmp_path / "x" / "50.png", photos / "cat" / "0.png")
    assert (gallery.add(photos).replaced, gallery.get([0])[0].label) == (1, "tabby")
    summary = gallery.add(photos, overwrite_labels=True)
    assert (summary.kept, summary.updated) == (0, 2)
    assert [item.label for item in gallery.get([0, 1])] == ["cat", "cat"]
    # From then on the source counts.
    gallery.add(Items.build([Picture(gallery.get([0])[0].uri)], labels=["lion"]))
    assert gallery.get([0])[0].label == "lion"


def test_a_path_is_looked_for_as_it_is_and_other_text_in_both_forms(tmp_path: Path, encoder: FakeEncoder) -> None:
    """Texts are kept composed, paths as the file system has them: `uri <> ...` must not take the picture itself."""
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    one, _ = draw_noise(tmp_path / "photos", range(2))
    picture = one.rename(one.with_name(f"{decomposed}.png"))
    gallery = Gallery.create(tmp_path / "gallery", encoder)
    gallery.add(tmp_path / "photos")
    id = next(item.id for item in gallery.get([0, 1]) if item.uri == str(picture))
    for where in (
        f"uri = '{picture}'", f"uri IN ('{picture}', 'x')", f"NOT uri <> ('{picture}')", f"uri LIKE '%{decomposed}%'",
        f"contains(uri, '{decomposed}')", f"uri BETWEEN '{picture}' AND '{picture}'",
    ):  # fmt: skip
        assert gallery.select(where=where).tolist() == [id]
    gallery.update({"label": decomposed, "captions": [decomposed]}, [id])
    assert (gallery.get([id])[0].label, gallery.get([id])[0].captions) == (composed, (composed,))
    for form in (composed, decomposed):
        assert gallery.select(where=f"label = '{form}' AND array_has(captions, '{form}')").tolist() == [id]
        assert gallery.select(where=f"label <> '{form}'").tolist() == []


def test_files_whose_names_are_no_utf8_are_gone_and_found_as_others(tmp_path: Path, encoder: FakeEncoder) -> None:
    odd, moved = (tmp_path / os.fsdecode(name) for name in (b"\xff old", b"\xfe new"))
    draw_noise(odd, range(3))
    draw_noise(tmp_path / "cat", [7])
    gallery = Gallery.create(tmp_path / "gallery", encoder)
    gallery.add(tmp_path)
    assert (gallery.check().pictures, gallery.check().missing) == (4, ())
    embedded = encoder.embedded
    assert gallery.add(tmp_path).unchanged == 4
    odd.rename(moved)
    (moved / "2.png").unlink()
    gone = {f"{tmp_path}/\\xff old/{i}.png" for i in range(3)}
    assert {*gallery.check().missing} == {*gallery.prune(dry_run=True).pruned} == gone
    summary = gallery.relink(odd, moved)
    assert (summary.relinked, summary.missing) == (2, (f"{tmp_path}/\\xff old/2.png",))
    assert gallery.relink(odd, moved).relinked == 0
    # What moves on is known by its content.
    moved.rename(odd)
    assert gallery.add(tmp_path).moved == 2
    assert len(gallery.prune().pruned) == 1
    assert encoder.embedded == embedded


def test_an_empty_name_is_no_folder(gallery: Gallery, tmp_path: Path) -> None:
    for old, new in (("", tmp_path), (tmp_path / "photos", "")):
        with pytest.raises(InvalidInput, match=r"the folder is empty|is no folder"):
            gallery.relink(old, new)
    with pytest.raises(InvalidInput, match="the folder is empty"):
        gallery.prune(below="")
