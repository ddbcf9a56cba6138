import numpy as np
import pytest

from nearkin.arrays import unit
from nearkin.similarity import Metric, exact_scores, rerank


def test_scores_are_rounded_once():
    generator = np.random.default_rng(0)
    query, vectors = generator.standard_normal(300, dtype=np.float32), generator.standard_normal((50, 300), np.float32)
    long = vectors.astype(np.longdouble)
    np.testing.assert_array_equal(exact_scores(query, vectors), (long @ query).astype(np.float32))
    gap = ((long - query) ** 2).sum(axis=1)
    np.testing.assert_array_equal(exact_scores(query, vectors, "euclidean"), -gap.astype(np.float32))


def test_equal_scores_by_row_and_nothing_at_the_end():
    vectors = np.array([[1, 0], [0, 1], [1, 0], [1, 0]], dtype=np.float32)
    scores, rows = rerank(vectors[:2], vectors, [np.array([3, 1, 0, 2]), np.array([], dtype=np.int64)], k=5)
    assert rows.tolist() == [[0, 2, 3, 1, -1], [-1] * 5]
    assert scores.tolist() == [[1, 1, 1, 0, -np.inf], [-np.inf] * 5]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_many_candidates_part_by_part(metric, monkeypatch):
    generator = np.random.default_rng(0)
    vectors = generator.integers(-1, 2, (300, 3)).astype(np.float32)
    rows = [generator.permutation(300)]
    whole = rerank(vectors[:1], vectors, rows, 20, metric)
    monkeypatch.setattr("nearkin.similarity.exact._ROWS", 7)
    for part, expected in zip(rerank(vectors[:1], vectors, rows, 20, metric), whole, strict=True):
        np.testing.assert_array_equal(part, expected)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("count", [1, 2, 50])
def test_an_array_of_candidates_is_as_a_list_of_them(metric: Metric, count: int) -> None:
    generator = np.random.default_rng(count)
    vectors = generator.standard_normal((40, 5), dtype=np.float32)
    vectors[20:30] = vectors[0]
    queries = generator.standard_normal((count, 5), dtype=np.float32)
    rows = np.array([generator.permutation(40)[:30] for _ in range(count)])
    rows[0, 4:] = -1
    rows[-1, ::3] = -1
    expected = rerank(queries, vectors, [row[row >= 0] for row in rows], 12, metric)
    for part, as_listed in zip(rerank(queries, vectors, rows, 12, metric), expected, strict=True):
        np.testing.assert_array_equal(part, as_listed)


def test_unit_vectors_that_are_equal_or_opposite_score_exactly_1_or_minus_1():
    generator = np.random.default_rng(0)
    for one in unit(generator.standard_normal((50, 33), dtype=np.float32)):
        for sign in (1, -1):
            assert exact_scores(one, sign * one[None]).tolist() == [sign]
            scores, _ = rerank(np.stack([one, one]), sign * one[None], np.zeros((2, 1), np.int64), 1)
            assert scores.tolist() == [[sign], [sign]]


@pytest.mark.parametrize("asked_for", [True, False])
def test_a_product_near_1_is_a_cosine_only_of_unit_vectors(asked_for):
    """A squared length within 2^-20 of 1 is that of a unit vector; a product within 2^-19 of 1 is near."""
    unit_step = 2.0**-20

    def score(x, y):
        query, vector = ([x, y], [1, 0]) if asked_for else ([1, 0], [x, y])
        return float(exact_scores(np.array(query, np.float32), np.array([vector], np.float32))[0])

    assert score(1, 0.05) == 1  # a longer vector, at an angle
    assert score(np.sqrt(1 + 0.8 * unit_step), 0) == 1
    assert score(np.sqrt(1 - 0.8 * unit_step), 0) == 1
    for squared in (1 + 1.5 * unit_step, 1 - 1.5 * unit_step):
        assert score(np.sqrt(squared), 0) == np.float32(np.sqrt(squared)) != 1
    # Both of nearly unit length, at an angle: the product is divided by the lengths if it is near 1.
    for cosine, is_near in ((1 - 1.5 * unit_step, True), (1 - 2.5 * unit_step, False), (0.5, False)):
        length = np.float32(np.sqrt(1 - 0.8 * unit_step))
        other = np.array([cosine, np.sqrt(1 - cosine**2)]) * np.sqrt(1 + 0.4 * unit_step)
        query, vector = np.array([length, 0], np.float32), other.astype(np.float32)
        product = float(query.astype(np.float64) @ vector)
        lengths = np.linalg.norm(query.astype(np.float64)) * np.linalg.norm(vector.astype(np.float64))
        expected = np.float32(product / lengths if is_near else product)
        assert exact_scores(query, np.stack([vector, query])).tolist() == [expected, 1]
        assert np.float32(product / lengths) != np.float32(product)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("k", [1, 3])
def test_the_best_of_many_more_candidates_than_are_wanted(metric, k):
    """Scores that are all different, and scores that are often equal, against a sort of all of them."""
    generator = np.random.default_rng(0)
    different = generator.permutation(300).astype(np.float32)[:, None]
    for vectors in (different, generator.integers(-2, 3, (300, 2)).astype(np.float32)):
        query = np.ones((1, vectors.shape[1]), np.float32)
        values = vectors.sum(axis=1) if metric == "cosine" else -((vectors - 1) ** 2).sum(axis=1)
        expected = sorted(range(300), key=lambda row: (-values[row], row))[:k]
        ascending = np.argsort(values, kind="stable")
        rest = [row for row in ascending if row not in expected]
        for candidates in (generator.permutation(300), ascending, ascending[::-1], [*rest, *expected]):
            scores, rows = rerank(query, vectors, [np.array(candidates)], k, metric)
            assert rows.tolist() == [expected]
            assert scores.tolist() == [values[expected].tolist()]


def test_in_an_array_minus_1_stands_for_none():
    vectors = np.array([[4], [1], [2], [3]], dtype=np.float32)
    query = np.ones((1, 1), np.float32)
    for count in (1, 2):
        asked = np.repeat(query, count, axis=0)
        scores, rows = rerank(asked, vectors, np.array([[-1, 3, 0, -1]] * count), 2)
        assert rows.tolist() == [[0, 3]] * count
        assert rerank(asked, vectors, np.array([[2, 0, 1, -1]] * count), 2)[1].tolist() == [[0, 2]] * count
        scores, rows = rerank(asked, vectors, np.array([[-1, 2, -1, -1]] * count), 2)
        assert (rows.tolist(), scores.tolist()) == ([[2, -1]] * count, [[2, -np.inf]] * count)
        scores, rows = rerank(asked, vectors, np.empty((count, 0), np.int64), 2)
        assert (rows.tolist(), scores.tolist()) == ([[-1, -1]] * count, [[-np.inf, -np.inf]] * count)
