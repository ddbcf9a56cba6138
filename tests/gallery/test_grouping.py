"""Groups of a gallery: numbers that stay, corrections that bind, a column that holds them."""

from pathlib import Path

import numpy as np
import pytest
from jaxtyping import Float

from nearkin.errors import ArtefactError, InvalidInput
from nearkin.gallery.gallery import Gallery
from nearkin.gallery.grouping import LINKS, Link, _consistent
from tests.fakes import FakeEncoder

DIM = 16


def vectors_of(classes: int, each: int, seed: int = 0) -> Float[np.ndarray, "n dim"]:
    generator = np.random.default_rng(seed)
    centres = 4 * np.eye(classes, DIM)
    return (np.repeat(centres, each, axis=0) + 0.1 * generator.standard_normal((classes * each, DIM))).astype(
        np.float32
    )


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    """Items 0 to 59 of six groups of ten."""
    made = Gallery.create(tmp_path / "gallery", FakeEncoder(DIM))
    made.add_vectors([f"{row}.png" for row in range(60)], vectors_of(6, 10))
    return made


def groups_of(gallery: Gallery) -> dict[int, int]:
    found = gallery.cluster()
    return dict(zip(found.things.tolist(), found.group_ids.tolist(), strict=True))


def test_groups_have_medoid_size_cohesion_and_members(gallery: Gallery) -> None:
    found = gallery.cluster()
    assert [group.size for group in found.groups] == [10] * 6
    assert len(found.ungrouped) == 0
    for group in found.groups:
        vectors = gallery.vectors(group.members)
        scores = (vectors @ vectors.T)[np.triu_indices(10, 1)]
        assert group.cohesion == pytest.approx(scores.mean(), abs=1e-6)
        assert group.low < group.cohesion < group.high
        assert group.medoid == group.members[0]
        assert (vectors @ vectors.sum(axis=0)).argmax() == 0
    assert found.uri_of(3).endswith("3.png")
    assert gallery.group_of(3) == found.group_ids[3]
    assert sorted(gallery.group_members(0).tolist()) == sorted(found.group(0).members.tolist())


def test_new_items_join_groups_and_old_ones_keep_their_numbers(gallery: Gallery) -> None:
    before = groups_of(gallery)
    gallery.delete(range(8))
    gallery.add_vectors([f"new/{row}.png" for row in range(63)], vectors_of(7, 9, seed=1))
    after = groups_of(gallery)
    assert {item: before[item] for item in range(8, 60)} == {item: after[item] for item in range(8, 60)}
    new = [after[item] for item in sorted(after) if item >= 60]
    assert new[:54:9] == [before[item] for item in range(0, 60, 10)]
    assert set(new[54:]) == {6}


def test_a_number_is_never_given_to_another_group(gallery: Gallery) -> None:
    before = groups_of(gallery)
    gallery.delete([item for item, group in before.items() if group == 5])
    groups_of(gallery)
    gallery.add_vectors([f"new/{row}.png" for row in range(5)], vectors_of(8, 5)[35:])
    assert set(groups_of(gallery).values()) == {0, 1, 2, 3, 4, 6}


def test_corrections_bind_after_reindex_and_restart(gallery: Gallery) -> None:
    groups = groups_of(gallery)
    gallery.merge_groups(0, 1)
    gallery.split_group(2)
    alone = next(item for item, group in groups.items() if group == 3)
    gallery.reject_from_group(alone)
    gallery.apart(40, 41)
    again = Gallery.open(gallery.path, FakeEncoder(DIM))
    for _ in range(2):
        found = groups_of(again)
        joined = {found[item] for item, group in groups.items() if group in (0, 1)}
        assert len(joined) == 1
        assert len({found[item] for item, group in groups.items() if group == 2}) == 2
        assert found[alone] not in {found[item] for item, group in groups.items() if group == 3 and item != alone}
        assert found[40] != found[41]
    reasons = [link.why for link in again.links()]
    assert list(dict.fromkeys(reasons)) == ["merge 0 1", "split 2", f"reject {alone} from 3", "apart"]
    while again.links():
        again.undo_link()
    assert [group.size for group in again.cluster().groups] == [10] * 6


def test_the_newest_of_contradicting_links_counts() -> None:
    def link(kind, first, second):
        return Link(kind, first, second, "", "")

    links = [link("together", 1, 2), link("together", 2, 3), link("apart", 1, 3)]
    assert _consistent(links) == links[1:]
    assert _consistent([*links, link("together", 1, 3)]) == [links[0], links[1], link("together", 1, 3)]


def test_groups_are_written_into_a_column(gallery: Gallery) -> None:
    found = gallery.cluster(write="pile")
    assert gallery.columns["pile"] == "int64"
    assert sorted(gallery.select(where="pile = 2").tolist()) == sorted(found.group(2).members.tolist())
    gallery.add_vectors(["odd.png"], -np.ones((1, DIM)))
    gallery.cluster(write="pile")
    assert gallery.get([60])[0].metadata["pile"] is None
    gallery.update({"name": "x"}, [0], create=True)
    with pytest.raises(InvalidInput, match="column 'name' holds string: groups are whole numbers"):
        gallery.cluster(write="name")
    with pytest.raises(InvalidInput, match="cannot hold a column named '_x'"):
        gallery.cluster(write="_x")


def test_a_filter_clusters_some_items(gallery: Gallery) -> None:
    found = gallery.cluster(where="item_id < 20")
    assert [group.size for group in found.groups] == [10, 10]


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda one: one.merge_groups(0, 0), "expected two groups"),
        (lambda one: one.merge_groups(0, 99), "no group 99 in the last clustering"),
        (lambda one: one.split_group(-1), "no group -1"),
        (lambda one: one.reject_from_group(99), "item is in no group"),
        (lambda one: one.apart(3, 3), "item 3 twice"),
        (lambda one: one.apart(3, 99), "no item has the id 99"),
        (lambda one: one.undo_link(), "no correction to take back"),
        (lambda one: one.cluster(k=61), "61 groups of 60 vectors"),
    ],
)
def test_mistakes(gallery: Gallery, act, message: str) -> None:
    gallery.cluster()
    with pytest.raises(InvalidInput, match=message):
        act(gallery)


def test_nothing_clustered_yet_and_nothing_there(gallery: Gallery, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="has no groups yet: `nearkin cluster"):
        gallery.split_group(0)
    with pytest.raises(InvalidInput, match="has no items to cluster"):
        Gallery.create(tmp_path / "empty", FakeEncoder(DIM)).cluster()


def test_damaged_links(gallery: Gallery) -> None:
    (gallery.path / LINKS).write_text("{")
    with pytest.raises(ArtefactError, match="is damaged"):
        gallery.cluster()
