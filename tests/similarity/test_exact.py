import numpy as np
import pytest

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
