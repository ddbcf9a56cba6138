import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from nearkin.arrays import unit
from nearkin.errors import InvalidInput, UnknownName
from nearkin.gallery.gallery import Gallery
from tests.fakes import FakeEncoder

COUNT = 600


def some(seed: int, count: int) -> np.ndarray:
    return unit(np.random.default_rng(seed).standard_normal((count, 8)).astype(np.float32))


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder(dim=8))
    gallery.add_vectors([f"/{i}" for i in range(COUNT)], some(0, COUNT))
    return gallery


def wait() -> None:
    for thread in threading.enumerate():
        if thread.name == "nearkin-index":
            thread.join()


def recall(gallery: Gallery) -> float:
    queries = some(1, 50)
    ids = np.sort(gallery.search(queries[0], k=10_000).ids)
    scores = queries @ gallery.vectors(ids).T
    expected = [set(ids[row]) for row in np.argsort(-scores)[:, :10]]
    found = gallery.search_many(queries)
    return float(np.mean([len(set(hits.ids) & best) / 10 for hits, best in zip(found, expected, strict=True)]))


@pytest.mark.parametrize("kind", ["lsh", "hnsw"])
def test_the_choice_stays_and_follows_the_items(gallery: Gallery, kind: str) -> None:
    info = gallery.build(kind, recall=0.95)
    assert (info.kind, info.items, info.changed) == (kind, COUNT, 0)
    assert info.recall is not None
    assert recall(gallery) > 0.9
    other = Gallery.open(gallery.path)
    assert other.index == info
    gallery.delete(list(range(20)))
    gallery.add_vectors(["/new"], some(2, 1))
    assert gallery.search(some(2, 1)[0], k=1)[0].uri == "/new"
    assert all(hits[0].id >= 20 for hits in gallery.search_many(some(0, COUNT)[:20], k=1))
    assert (gallery.index.kind, gallery.index.items) == (kind, COUNT)
    assert gallery.index.changed == pytest.approx(21 / COUNT)
    if kind == "lsh":
        buckets = gallery.buckets(5)
        assert sorted(id for ids in buckets.values() for id in ids) == [*range(20, COUNT), COUNT]
        assert all(gallery.hashes(ids)[0].startswith(prefix) for prefix, ids in buckets.items())
        assert [len(ids) for ids in buckets.values()] == sorted(map(len, buckets.values()), reverse=True)
        with pytest.raises(InvalidInput, match=r"bits is 0, expected a whole number from 1 to (128|256|512)$"):
            gallery.buckets(0)
    assert gallery.build("exact").recall is None
    assert other.index.kind == "exact"


def test_it_is_measured_again_and_renewed_behind_the_searches(gallery: Gallery) -> None:
    gallery.build("lsh", recall=0.9)
    gallery.add_vectors([f"/more-{i}" for i in range(100)], some(3, 100))
    assert len(gallery.search(some(1, 1)[0])) == 10
    wait()
    assert gallery.index.changed == pytest.approx(1 / 6)
    assert gallery.index.recall is not None
    assert gallery.index.recall.n == 100
    gallery.add_vectors([f"/most-{i}" for i in range(400)], some(4, 400))
    assert gallery.search(some(4, 1)[0], k=1)[0].uri == "/most-0"
    wait()
    assert (gallery.index.items, gallery.index.changed) == (COUNT + 500, 0)
    assert recall(gallery) > 0.85


def test_searches_are_exact_until_a_lost_index_is_built_again(gallery: Gallery) -> None:
    gallery.build("lsh", recall=0.9)
    shutil.rmtree(gallery.path / "derived" / "indexes")
    opened = Gallery.open(gallery.path)
    assert recall(opened) > 0.9
    wait()
    assert opened.index.kind == "lsh"


def test_check_builds_what_does_not_fit(gallery: Gallery, tmp_path: Path) -> None:
    other = Gallery.create(tmp_path / "other", FakeEncoder(dim=8, name="other"))
    other.add_vectors([f"/{i}" for i in range(COUNT)], some(0, COUNT))
    other.build("lsh", recall=0.9)
    gallery.build("lsh", recall=0.9)
    shutil.rmtree(gallery.path / "derived" / "indexes")
    shutil.copytree(other.path / "derived" / "indexes", gallery.path / "derived" / "indexes")
    opened = Gallery.open(gallery.path)
    (repaired,) = opened.check().repaired
    assert Path(repaired).name.startswith("lsh-")
    assert (opened.index.kind, opened.index.changed) == ("lsh", 0)
    assert opened.check().repaired == ()


def test_what_cannot_be_built(gallery: Gallery) -> None:
    with pytest.raises(UnknownName, match="unknown kind of index 'hsnw': did you mean hnsw"):
        gallery.build("hsnw")
    with pytest.raises(InvalidInput, match="recall is 1, expected"):
        gallery.build("lsh", recall=1.0)
    assert gallery.index.kind == "exact"
    with pytest.raises(InvalidInput, match="is of kind exact and has no hashes"):
        gallery.hashes([0])
