"""Vectors of any length and type: equal ones score exactly 1, opposite ones exactly -1, by every door."""

import numpy as np
import pytest

from nearkin.arrays import unit
from nearkin.similarity import CertifiedSearch, exact_scores, int8_product, rerank, top_k


def in_single_precision(vectors):
    """Unit vectors as other libraries make them: the length is taken in float32, and wrong by some of its last bits."""
    length = np.sqrt((vectors * vectors).sum(axis=1, keepdims=True, dtype=np.float32))
    return vectors / (length * np.float32(1 + 2e-7))


def doors(query, vectors):
    """Scores of one query with all vectors, by every function that gives scores."""
    n = len(vectors)
    every = np.arange(n)
    found = [
        rerank(query[None], vectors, [every], n),
        rerank(np.repeat(query[None], 3, axis=0), vectors, np.repeat(every[None], 3, axis=0), n),
        top_k(query[None], vectors, n),
        CertifiedSearch(vectors)(query[None], n),
        CertifiedSearch(vectors)(np.repeat(query[None], 5, axis=0), n),
    ]
    yield exact_scores(query, vectors)
    for scores, rows in found:
        by_row = np.empty(n, np.float32)
        by_row[rows[0]] = scores[0]
        yield by_row


@pytest.mark.parametrize("dim", [3, 8, 100])
def test_opposites_alone_are_minus_one(dim):
    """Where no score is near 1: those near -1 were once a rounding off."""
    vectors = in_single_precision(np.random.default_rng(dim).standard_normal((50, dim), dtype=np.float32))
    for row in range(50):
        for scores in doors(vectors[row], -vectors[row : row + 1]):
            assert scores.tolist() == [-1.0]


@pytest.mark.parametrize("make", [unit, in_single_precision])
@pytest.mark.parametrize("dim", [1, 2, 3, 8, 100, 512])
def test_equal_is_one_and_opposite_is_minus_one(dim, make):
    generator = np.random.default_rng(dim)
    vectors = make(generator.standard_normal((300, dim), dtype=np.float32))
    both = np.concatenate([vectors, -vectors])
    for row in range(0, 300, 37):
        for scores in doors(vectors[row], both):
            assert scores[row] == 1.0
            assert scores[row + 300] == -1.0
            assert (np.abs(scores) <= 1).all()


@pytest.mark.parametrize("length", [1e30, 1e-30, 1e-42, 1.0])
def test_the_length_of_a_query_does_not_matter_once_it_is_unit(length):
    generator = np.random.default_rng(0)
    vectors = unit(generator.standard_normal((50, 16)).astype(np.float32))
    query = unit((vectors[7].astype(np.float64) * length).astype(np.float32))
    if length == 1e-42:  # a denormal number has few digits
        assert top_k(query[None], vectors, 1)[1] == 7
    else:
        assert all(scores[7] == 1 for scores in doors(query, vectors))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_type_of_the_input(dtype):
    vectors = unit(np.random.default_rng(0).standard_normal((50, 16)).astype(np.float32))
    query = unit(vectors[7].astype(dtype).astype(np.float32))
    scores, rows = top_k(query[None], vectors, 50)
    assert rows[0, 0] == 7
    assert scores[0, 0] == pytest.approx(1, abs=1e-6)
    assert scores.dtype == np.float32


def test_equal_vectors_tie_by_row_wherever_they_stand():
    """Kernels give equal vectors other sums at other places of a block; the scores must not show it."""
    generator = np.random.default_rng(3)
    vectors = unit(generator.standard_normal((3000, 100), dtype=np.float32))
    copies = np.sort(generator.permutation(3000)[:40])
    vectors[copies] = vectors[copies[0]]
    for found in (top_k(vectors[copies], vectors, 40), CertifiedSearch(vectors)(vectors[copies], 40)):
        scores, rows = found
        assert (scores == 1).all()
        assert (rows == copies).all()


def test_a_score_that_is_no_cosine_is_not_rounded_to_one():
    near = np.array([[1 + 2.0**-20, 0], [1 - 2.0**-20, 0], [2, 0], [0.5, 0]], np.float32)
    scores = exact_scores(np.array([1, 0], np.float32), near)
    assert scores[2:].tolist() == [2, 0.5]
    longer = np.array([1 + 2.0**-18, 1 - 2.0**-18], np.float32)
    assert exact_scores(np.array([1, 0], np.float32), np.stack([longer, longer * 0], 1)).tolist() == longer.tolist()


@pytest.mark.parametrize("by", ["numpy", "torch"])
def test_the_dot_product_of_vectors_beyond_all_bounds(by, monkeypatch):
    """Infinite scores tie by row; infinity less infinity is never met."""
    if by == "numpy":
        monkeypatch.setattr(int8_product, "_usable_torch", lambda: None)
    vectors = np.array([[1e30, -1e30], [1, 1], [1e30, 0], [0, 0], [-1, 0]], np.float32)
    queries = np.array([[1e30, 1e30], [1e30, 0]], np.float32)
    expected = [[2, 1, 0, 3, 4], [0, 2, 1, 3, 4]]
    for search in (top_k, lambda q, x, k: CertifiedSearch(x)(q, k)):
        scores, rows = search(queries, vectors, 5)
        assert rows.tolist() == expected
        assert scores[0, 0] == np.inf
        assert scores[0, 2] == 0
        assert scores[1, -1] == np.float32(-1e30)


@pytest.mark.parametrize("k", [1, 3, 200, 300])
@pytest.mark.parametrize("order", ["falling", "rising", "equal", "two values"])
def test_top_k_in_any_order_of_the_keys(order, k, monkeypatch):
    monkeypatch.setattr("nearkin.similarity.scores.KEY_BLOCK", 1000)
    keys = np.linspace(2, 0, 3000, dtype=np.float32)[:, None]
    keys = {
        "falling": keys,
        "rising": keys[::-1].copy(),
        "equal": np.ones_like(keys),
        "two values": np.where(np.arange(3000)[:, None] % 7 == 3, 2, 1).astype(np.float32),
    }[order]
    scores, rows = top_k(np.ones((2, 1), np.float32), keys, k)
    expected = np.lexsort((np.arange(3000), -keys[:, 0]))[:k]
    assert rows.tolist() == [expected.tolist()] * 2
    np.testing.assert_array_equal(scores[0], keys[expected, 0])
