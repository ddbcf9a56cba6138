"""Earlier versions are kept before each change, can be restored, and go in the end."""

import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from nearkin.data.items import Items, Picture
from nearkin.errors import ArtefactError, InvalidInput
from nearkin.gallery.gallery import Gallery, Item
from nearkin.gallery.items import history
from nearkin.gallery.items.store import ENCODER, NEXT_ID, SMALL_FRAGMENTS, Store
from tests.fakes import FakeEncoder, draw_noise


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    """Ten items at known vectors, without pictures."""
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder(dim=10))
    items = Items.build([Picture(f"/{i}.png") for i in range(10)], labels=["a", "b"] * 5, metadata={"n": range(10)})
    gallery.add_vectors(items, np.eye(10))
    return gallery


def contents(gallery: Gallery) -> list[Item]:
    return gallery.get(sorted(gallery.select().tolist()))


def test_each_change_can_be_taken_back(gallery: Gallery) -> None:
    states = [contents(gallery)]
    gallery.delete(where="label = 'a'")
    states.append(contents(gallery))
    gallery.update({"label": "c", "new": 1.5}, where="n > 3", create=True)
    states.append(contents(gallery))
    gallery.delete([9])
    listed = gallery.versions()
    assert [(each.before, each.items) for each in listed] == [
        ("delete", 5),
        ("update", 5),
        ("delete", 10),
        ("index", 0),
    ]
    assert all(each.kept_until - each.replaced_at == history.KEPT for each in listed)
    for earlier, state in zip(listed, reversed(states), strict=False):
        gallery.restore(earlier.version)
        assert contents(gallery) == state
        assert len(gallery.search(np.ones(10), k=20)) == len(state)
        assert gallery.check().sound
    # Restoring is a change itself.
    assert gallery.versions()[0].before == "restore"
    gallery.restore(gallery.versions()[0].version)
    assert contents(gallery) == states[1]


def test_another_process_sees_what_was_restored(gallery: Gallery) -> None:
    other = Gallery.open(gallery.path)
    gallery.build("lsh")
    before = other.search(np.eye(10)[3], k=10)
    gallery.delete([3, 4])
    assert other.search(np.eye(10)[3], k=10).ids.tolist() != before.ids.tolist()
    gallery.restore(gallery.versions()[0].version)
    assert other.search(np.eye(10)[3], k=10) == before


def test_ids_are_never_given_again(gallery: Gallery) -> None:
    gallery.delete([0])
    version = gallery.versions()[0].version
    gallery.add_vectors(["/x.png"], np.ones((1, 10)))
    gallery.restore(version)
    gallery.add_vectors(["/y.png"], np.ones((1, 10)))
    assert gallery.get([11])[0].uri == "/y.png"
    with pytest.raises(InvalidInput, match="no item has the id 10"):
        gallery.get([10])


def test_ids_are_not_given_again_after_a_restore_that_was_cut_short(gallery: Gallery) -> None:
    gallery.delete([0])
    version = gallery.versions()[0].version
    gallery.add_vectors(["/x.png"], np.ones((1, 10)))
    import lance

    # The process died between the two commits.
    lance.dataset(str(gallery.path / "items.lance"), version=version).restore()
    assert gallery._store.snapshot().settings[NEXT_ID] == "10"
    assert gallery.add_vectors(["/y.png"], np.ones((1, 10))).added == 1
    assert gallery.get([11])[0].uri == "/y.png"


def test_what_changes_nothing_leaves_no_version(gallery: Gallery) -> None:
    listed = gallery.versions()
    assert gallery.delete(where="n > 100") == 0
    with pytest.raises(InvalidInput):
        gallery.delete([77])
    with pytest.raises(InvalidInput):
        gallery.update({"n": "x"}, [1])
    gallery.delete([1], dry_run=True)
    assert gallery.versions() == listed


def test_a_series_of_adds_counts_as_one(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(3):
        gallery.add_vectors([f"/more{i}.png"], np.ones((1, 10)))
    assert [each.items for each in gallery.versions()] == [0]
    monkeypatch.setattr(history, "SERIES", timedelta(0))
    gallery.add_vectors(["/later.png"], np.ones((1, 10)))
    assert [each.items for each in gallery.versions()] == [13, 0]


def test_versions_that_are_not_kept(gallery: Gallery) -> None:
    with pytest.raises(InvalidInput, match=r"version 77 cannot be restored: those kept are \d+; .*kept for 14 days"):
        gallery.restore(77)
    with pytest.raises(InvalidInput, match="cannot be restored"):
        gallery.restore(gallery.version)


def test_they_survive_compaction_and_cleaning_up(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    state = contents(gallery)
    gallery.delete(where="label = 'a'")
    version = gallery.versions()[0].version
    fragments = gallery._store.newest().get_fragments
    for i in range(SMALL_FRAGMENTS + 3):
        gallery.add_vectors([f"/more{i}.png"], np.ones((1, 10)))
    assert len(fragments()) < SMALL_FRAGMENTS
    gallery._store.clean_up(grace=timedelta(0))
    gallery.restore(version)
    assert contents(gallery) == state


def test_they_go_when_their_time_is_over(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery.delete([1])
    kept = [each.version for each in gallery.versions()]
    monkeypatch.setattr(history, "KEPT", timedelta(0))
    assert gallery.versions() == []
    gallery.delete([2])
    gallery._store.clean_up(grace=timedelta(0))
    monkeypatch.setattr(history, "KEPT", timedelta(days=14))
    assert not {each.version for each in gallery.versions()} & set(kept)
    assert len(gallery._store.newest().versions()) == 1


def test_there_are_never_too_many(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST", 4)
    for i in range(8):
        gallery.update({"n": i}, [1])
    listed = gallery.versions()
    assert len(listed) == 4
    # The oldest and the newest state are among them.
    assert listed[-1].items == 0
    gallery.restore(listed[0].version)
    assert gallery.get([1])[0].metadata["n"] == 6


def test_back_to_the_old_encoder(tmp_path: Path) -> None:
    draw_noise(tmp_path / "pictures", range(4))
    old, new = FakeEncoder(), FakeEncoder(dim=8, name="new")
    gallery = Gallery.create(tmp_path / "gallery", old)
    gallery.add(tmp_path / "pictures")
    vectors = gallery.vectors(range(4))
    gallery.reindex(new)
    (earlier, *_) = gallery.versions()
    assert (earlier.before, earlier.encoder) == ("reindex", "fake-16")
    gallery.restore(earlier.version)
    assert (gallery.fingerprint, gallery.dim) == ("fake-16", 16)
    np.testing.assert_array_equal(gallery.vectors(range(4)), vectors)
    assert Gallery.open(gallery.path, old).search(tmp_path / "pictures" / "2.png", k=1)[0].id == 2
    gallery.restore(gallery.versions()[0].version)
    assert Gallery.open(gallery.path, new).search(tmp_path / "pictures" / "2.png", k=1)[0].id == 2
    shutil.rmtree(gallery.path / "encoders" / "fake-16")
    with pytest.raises(ArtefactError, match="has vectors of encoder fake-16, which is no longer in the gallery: put"):
        gallery.restore(earlier.version)
    assert gallery._store.snapshot().settings[ENCODER] == "new-8"


def test_writers_of_an_object_store_keep_one_version_at_once(gallery: Gallery) -> None:
    """No lock keeps them apart: both were told that the tag exists already, or is gone."""
    writers = [Store(str(gallery.path / "items.lance")) for _ in range(2)]
    one, other = (history.History(store) for store in writers)
    with one.before("delete"), other.before("update"):
        gallery.delete([9])
    listed = [each.version for each in gallery.versions()]
    assert len(listed) == len(set(listed)) == 2
    with one.before("delete"):
        tags = writers[0].newest().tags
        for name in tags.list():
            tags.delete(name)
    assert gallery.versions() == []
