"""What every kind that searches by faiss promises; a new file of a kind is tested here without being named."""

import subprocess
import sys

import numpy as np
import pytest

from nearkin.arrays import unit
from nearkin.errors import ArtefactError
from nearkin.gallery.index import KINDS as INDEX_KINDS
from nearkin.gallery.index import ExactIndex, build, load, measure_recall
from nearkin.gallery.index.faiss_index import FaissIndex

KINDS = [name for name, kind in INDEX_KINDS.items() if issubclass(kind, FaissIndex)]
N, DIM = 6000, 32
CENTERS = np.random.default_rng(99).standard_normal((40, DIM), dtype=np.float32)


def mixture(n: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return unit(CENTERS[generator.integers(0, 40, n)] + 0.7 * generator.standard_normal((n, DIM), dtype=np.float32))


VECTORS, QUERIES = mixture(N, 0), mixture(300, 1)
EXACT = ExactIndex(VECTORS)


@pytest.fixture(scope="module", params=KINDS)
def index(request):
    return build(VECTORS, request.param, recall=0.98)


def test_reaches_the_recall_on_queries_that_it_never_saw(index):
    assert index.recall.value >= 0.98
    assert index.recall.low < index.recall.value
    expected = EXACT.search(QUERIES, 10)[1]
    found = index.search(QUERIES, 10)[1]
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), expected.tolist(), strict=True)])
    assert recall >= 0.98
    assert measure_recall(index, QUERIES).value == pytest.approx(recall, abs=1e-9)


def test_scores_are_exact_and_in_order(index):
    scores, rows = index.search(QUERIES, 10)
    assert (np.diff(scores, axis=1) <= 0).all()
    expected = np.einsum("qd,qkd->qk", QUERIES, VECTORS[rows], dtype=np.float64)
    np.testing.assert_allclose(scores, expected, rtol=1e-6)
    assert all(len(set(row)) == 10 for row in rows.tolist())


@pytest.mark.parametrize("k", [1, 100])
def test_other_numbers_of_answers(index, k):
    assert measure_recall(index, QUERIES, k=k).value >= 0.97


@pytest.fixture
def approximately(monkeypatch):
    """Filtered searches go through the index even where an exact one is faster."""
    monkeypatch.setattr("nearkin.gallery.index.faiss_index._FEW", 1)
    monkeypatch.setattr("nearkin.gallery.index.faiss_index._MOST_WORK", float("inf"))


@pytest.mark.usefixtures("approximately")
@pytest.mark.parametrize("share", [0.5, 0.1, 0.01, 0.001])
def test_a_filter_keeps_the_recall(index, share):
    allowed = np.random.default_rng(5).random(N) < share
    k = min(10, int(allowed.sum()) // 2)
    scores, rows = index.search(QUERIES, k, allowed)
    assert allowed[rows].all()
    expected = EXACT.search(QUERIES, k, allowed)[0]
    assert np.mean(scores == expected) >= 0.98
    assert measure_recall(index, QUERIES, k=k, allowed=allowed).value >= 0.98


@pytest.mark.usefixtures("approximately")
def test_a_filter_by_class_keeps_the_recall(index):
    """Half of the queries lie among what is left out, so that what is allowed is far from them."""
    allowed = (VECTORS @ unit(CENTERS).T).argmax(axis=1) < len(CENTERS) // 2
    assert 0.4 < allowed.mean() < 0.6
    assert measure_recall(index, QUERIES, allowed=allowed).value >= 0.98


@pytest.mark.usefixtures("approximately")
def test_a_filter_that_lies_away_from_the_query_is_answered_exactly(index):
    far = VECTORS @ QUERIES[0] < 0
    assert far.sum() > 1000
    scores, rows = index.search(QUERIES[:1], 10, far)
    expected = EXACT.search(QUERIES[:1], 10, far)
    np.testing.assert_array_equal(rows, expected[1])
    np.testing.assert_array_equal(scores, expected[0])


def test_a_filter_that_makes_the_index_slow_is_answered_exactly(index, monkeypatch):
    monkeypatch.setattr("nearkin.gallery.index.faiss_index._FEW", 1)
    monkeypatch.setattr(index, "work", lambda effort: N + 1.0)
    monkeypatch.setattr(index, "_nearest", None)
    allowed = np.arange(N) % 2 == 0
    np.testing.assert_array_equal(index.search(QUERIES, 10, allowed)[1], EXACT.search(QUERIES, 10, allowed)[1])


@pytest.mark.usefixtures("approximately")
def test_after_a_few_deletions_no_exact_search_is_needed(index, monkeypatch):
    monkeypatch.setattr("nearkin.gallery.index.faiss_index._MOST_WORK", 0.0)
    monkeypatch.setattr(index, "_exact", None)
    there = np.arange(N) >= 20
    found = index.search(QUERIES, 10, there)[1]
    assert (found >= 20).all()
    expected = EXACT.search(QUERIES, 10, there)[1]
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), expected.tolist(), strict=True)]) >= 0.98


def test_more_answers_than_there_are(index):
    scores, rows = index.search(QUERIES[:2], N + 5)
    assert (rows[:, -5:] == -1).all()
    assert np.isneginf(scores[:, -5:]).all()
    none = index.search(QUERIES[:2], 3, np.zeros(N, bool))
    assert (none[1] == -1).all()


def test_comes_back_from_its_files(index, tmp_path):
    index.save(tmp_path)
    again = load(tmp_path, VECTORS)
    assert (again.kind, again.recall, again.bytes_per_vector) == (index.kind, index.recall, index.bytes_per_vector)
    np.testing.assert_array_equal(again.search(QUERIES, 10)[1], index.search(QUERIES, 10)[1])
    with pytest.raises(ArtefactError, match=f"built from {N} vectors, expected 10"):
        load(tmp_path, VECTORS[:10])
    file = tmp_path / "index.faiss"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ArtefactError, match="build it again"):
        load(tmp_path, VECTORS)


def test_takes_less_memory_than_the_vectors_and_a_graph(index):
    assert index.floor_bytes(DIM) <= index.bytes_per_vector < 4 * DIM + 200


@pytest.mark.parametrize("kind", [name for name in KINDS if "euclidean" in INDEX_KINDS[name].metrics])
def test_distance_of_vectors_that_are_not_unit(kind):
    generator = np.random.default_rng(0)
    vectors, queries = (mixture(n, n) * generator.uniform(1, 5, (n, 1)).astype(np.float32) + 10 for n in (3000, 100))
    index = build(vectors, kind, recall=0.95, metric="euclidean")
    scores, rows = index.search(queries, 10)
    distance = ((queries[:, None] - vectors[None]) ** 2).sum(axis=2)
    expected = np.argsort(distance, axis=1)[:, :10]
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(rows.tolist(), expected.tolist(), strict=True)]) > 0.9
    np.testing.assert_allclose(scores, -np.take_along_axis(distance, rows, axis=1), rtol=1e-3)


def test_searches_beside_what_puts_another_search_into_faiss() -> None:
    """In a process of its own, for it cannot be undone."""
    program = """
import faiss.contrib.torch_utils
import subprocess
import sys

import numpy as np
from nearkin.arrays import unit
from nearkin.gallery.index import KINDS, build
vectors = unit(np.random.default_rng(0).standard_normal((1000, 16), dtype=np.float32))
for kind in KINDS:
    assert build(vectors, kind, recall=0.9).search(vectors[:5], 1)[1].ravel().tolist() == [0, 1, 2, 3, 4], kind
"""
    subprocess.run([sys.executable, "-c", program], check=True)
