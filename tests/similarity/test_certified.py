"""The certified search against brute force in extended precision, on vectors made to lead it astray."""

import numpy as np
import pytest

from nearkin.arrays import unit
from nearkin.similarity import CertifiedSearch, Codes, certified


def brute_force(queries, vectors, k, metric, allowed):
    """Every score in extended precision, rounded to float32; sorted by score and then by row.

    Vectors that are of unit length but for rounding are of unit length, where that shows: near 1 and -1.
    """
    x, q = vectors.astype(np.longdouble), queries.astype(np.longdouble)
    scores = q @ x.T if metric == "cosine" else -((q[:, None] - x[None]) ** 2).sum(axis=2)
    if metric == "cosine":
        lengths = [(rows * rows).sum(axis=1) for rows in (q, x)]
        is_unit = np.logical_and.outer(*(abs(length - 1) <= 2.0**-20 for length in lengths))
        near = is_unit & (abs(abs(scores) - 1) <= 2.0**-19)
        scores[near] /= np.sqrt(np.multiply.outer(*lengths))[near]
    with np.errstate(over="ignore", under="ignore"):
        scores = scores.astype(np.float32)
    rows = np.flatnonzero(allowed)
    found = np.full((len(queries), k), -1)
    best = np.full((len(queries), k), -np.inf, dtype=np.float32)
    for i, row in enumerate(scores[:, rows]):
        order = np.lexsort((rows, -row))[:k]
        found[i, : len(order)], best[i, : len(order)] = rows[order], row[order]
    return best, found


def some(n, dim, generator):
    return generator.standard_normal((n, dim)).astype(np.float32)


ADVERSE = {
    "even": lambda n, dim, g: unit(some(n, dim, g)),
    "few directions": lambda n, dim, g: unit(some(5, dim, g))[g.integers(0, 5, n)],
    "all equal": lambda n, dim, g: np.repeat(unit(some(1, dim, g)), n, axis=0),
    "near ties": lambda n, dim, g: unit(some(3, dim, g))[g.integers(0, 3, n)] + 3e-8 * some(n, dim, g),
    "collapsed": lambda n, dim, g: unit(1 + 1e-3 * some(n, dim, g)),
    "zeros among them": lambda n, dim, g: some(n, dim, g) * g.integers(0, 2, (n, 1)).astype(np.float32),
    "all zero": lambda n, dim, g: np.zeros((n, dim), dtype=np.float32),
    "one-hot": lambda n, dim, g: np.eye(dim, dtype=np.float32)[g.integers(0, dim, n)],
    "a spike in each": lambda n, dim, g: unit(
        some(n, dim, g) + 50 * np.eye(dim, dtype=np.float32)[g.integers(0, dim, n)]
    ),
    "whole numbers": lambda n, dim, g: g.integers(-2, 3, (n, dim)).astype(np.float32),
    "lengths over 40 orders": lambda n, dim, g: some(n, dim, g) * 10 ** g.uniform(-20, 18, (n, 1)).astype(np.float32),
    "huge": lambda n, dim, g: some(n, dim, g) * np.float32(1e30),
    "denormal": lambda n, dim, g: some(n, dim, g) * np.float32(1e-42),
    "far from the origin": lambda n, dim, g: some(n, dim, g) + np.float32(1e4),
}


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("name", ADVERSE)
def test_equals_brute_force(name, metric, monkeypatch):
    monkeypatch.setattr(certified, "_BLOCK_SCORES", 2000)
    monkeypatch.setattr(certified, "_CHUNK", 2)
    for seed, (n, dim, count, k) in enumerate([(700, 24, 9, 10), (333, 7, 2, 1), (64, 3, 5, 70), (1500, 40, 1, 33)]):
        generator = np.random.default_rng(seed)
        both = ADVERSE[name](n + count, dim, generator)
        vectors, queries = both[:n].copy(), both[n:].copy()
        queries[0] = vectors[n // 2]
        search = CertifiedSearch(vectors, metric)
        for share in (1.0, 0.5, 0.004, 0.0):
            allowed = generator.random(n) < share
            scores, rows = search(queries, k, None if share == 1 else allowed)
            best, expected = brute_force(queries, vectors, k, metric, allowed)
            np.testing.assert_array_equal(scores, best)
            np.testing.assert_array_equal(rows, expected)


def test_more_queries_than_a_block():
    generator = np.random.default_rng(0)
    vectors, queries = unit(some(500, 16, generator)), unit(some(600, 16, generator))
    expected = brute_force(queries, vectors, 5, "cosine", np.ones(500, bool))
    for found, wanted in zip(CertifiedSearch(vectors)(queries, 5), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_as_many_queries_as_blocks(metric, monkeypatch):
    monkeypatch.setattr(certified, "_BLOCK_SCORES", 64)
    generator = np.random.default_rng(0)
    vectors, queries = unit(some(64, 16, generator)), unit(some(2, 16, generator))
    for count in (1, 2):
        expected = brute_force(queries[:count], vectors, 5, metric, np.ones(64, bool))
        for found, wanted in zip(CertifiedSearch(vectors, metric)(queries[:count], 5), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_few_rows_are_scored_in_full():
    """The proof is of use: what it leaves to be scored is a small part."""
    generator = np.random.default_rng(0)
    vectors, queries = unit(some(20_000, 64, generator)), unit(some(20, 64, generator))
    read = []

    class Counted(np.ndarray):
        def take(self, rows, axis):
            read.append(len(rows))
            return np.asarray(self).take(rows, axis)

    search = CertifiedSearch(vectors.view(Counted), codes=Codes.of(vectors))
    search(queries, 10)
    assert len(read) == 20
    assert 10 < np.mean(read) < 200


def test_nothing_to_find():
    scores, rows = CertifiedSearch(np.empty((0, 4), np.float32))(np.ones((2, 4), np.float32), 3)
    assert rows.tolist() == [[-1] * 3] * 2
    assert np.isneginf(scores).all()
    scores, rows = CertifiedSearch(np.eye(4, dtype=np.float32))(np.empty((0, 4), np.float32), 3)
    assert scores.shape == rows.shape == (0, 3)


@pytest.mark.parametrize("name", ADVERSE)
def test_codes_bound_what_rounding_left_out(name):
    vectors = ADVERSE[name](100, 24, np.random.default_rng(0))
    codes = Codes.of(vectors)
    for row, vector in enumerate(vectors.astype(np.float64) - codes.center):
        group = row // certified.GROUP
        rounded = codes.step[group] * codes.numbers[row]
        slack = 1e-12 * np.linalg.norm(vector)
        assert np.linalg.norm(vector - rounded) <= codes.residual[group] + slack
        assert np.linalg.norm(vector) <= codes.length[group] + slack
        assert np.abs(vector - rounded).max() <= codes.step[group] * (0.5 + 1e-9)
    # No larger than they need be.
    centred = vectors.astype(np.float64) - codes.center
    rest = centred - np.repeat(codes.step, certified.GROUP)[:100, None] * codes.numbers[:100]
    for bound, each in ((codes.length, centred), (codes.residual, rest)):
        lengths = np.linalg.norm(each, axis=1)
        of_groups = [lengths[start : start + certified.GROUP].max() for start in range(0, 100, certified.GROUP)]
        np.testing.assert_allclose(bound, of_groups, rtol=1e-9, atol=1e-12 * lengths.max())


@pytest.mark.parametrize("scale", [1.0, 2.0**-20, 2.0**20])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_scores_that_are_equal_once_rounded_tie_by_row(metric, scale):
    """Rounding to 8 bits leaves nothing out here, so the bound must know that float32 cannot tell the scores apart."""
    little = 2.0**-27
    vectors = (scale * np.array([[1, -little]] * 40 + [[1, little]] * 40)).astype(np.float32)
    query = np.full((1, 2), scale, np.float32)
    search = CertifiedSearch(vectors, metric)
    assert search.codes.residual.max() < 1e-12 * scale
    for k in (1, 3):
        scores, rows = search(query, k)
        np.testing.assert_array_equal(scores, brute_force(query, vectors, k, metric, np.ones(80, bool))[0])
        assert rows.tolist() == [list(range(k))]


def test_codes_of_more_groups_than_are_made_at_once():
    vectors = some(1024 * certified.GROUP + 70, 2, np.random.default_rng(0))
    codes = Codes.of(vectors)
    group = np.arange(len(vectors)) // certified.GROUP
    rest = vectors.astype(np.float64) - codes.center - codes.step[group, None] * codes.numbers[: len(vectors)]
    assert (np.linalg.norm(rest, axis=1) <= codes.residual[group] * (1 + 1e-9)).all()
    assert codes.residual.max() < 0.03
    assert len(codes.numbers) == -(-len(vectors) // certified.GROUP) * certified.GROUP


@pytest.mark.parametrize("rounded", ["query", "vectors"])
def test_the_bound_is_needed_in_full(rounded, monkeypatch):
    """The best row scores 0 by its codes: all of its score is what rounding left out, along the other vector."""
    monkeypatch.setattr(certified, "_CHUNK", 1)
    monkeypatch.setattr(certified, "_BLOCK_SCORES", 1)
    part, whole = np.full(15, 0.49), np.full(15, 127)
    best = [0, *np.ones(15)] if rounded == "query" else [0, *part]
    query = [127, *part] if rounded == "query" else [0, *whole]
    score = np.dot(best, query)
    group = certified.GROUP // 2
    # The second group; in its first two columns a row that makes its step 1 where the vectors are to be rounded.
    second = [best] if rounded == "query" else [[127, *np.zeros(15)], best]
    other = np.zeros(16)
    other[0 if rounded == "query" else 1] = 0.98 * score / 127
    half = np.concatenate([[other] * group, *[[row] * (group // len(second)) for row in second]])
    vectors = np.stack([half, -half], axis=1).reshape(-1, 16).astype(np.float32)  # the mean is zero
    query = np.array([query], np.float32)
    found = CertifiedSearch(vectors)(query, 1)
    for one, expected in zip(found, brute_force(query, vectors, 1, "cosine", np.ones(len(vectors), bool)), strict=True):
        np.testing.assert_array_equal(one, expected)
    np.testing.assert_allclose(found[0], score, rtol=1e-6)


@pytest.mark.parametrize("scale", [2.0**-20, 2.0**20])
def test_distances_from_the_middle_that_are_equal_once_rounded_tie_by_row(scale):
    """Rounding left nothing out of such a query, so all of the bound is what float32 cannot tell of the vectors."""
    sign = np.tile([1, -1], 128)[:, None]  # the mean is zero
    vectors = (scale * sign * np.array([[1, 2e-5]] * 128 + [[1, 1e-5]] * 128)).astype(np.float32)
    query = np.zeros((1, 2), np.float32)
    scores, rows = CertifiedSearch(vectors, "euclidean")(query, 3)
    assert rows.tolist() == [[0, 1, 2]]
    np.testing.assert_array_equal(scores, np.float32(-(scale**2)))


def test_scores_far_from_the_middle_that_are_equal_once_rounded_tie_by_row():
    vectors = np.array([[1, -(2.0**-19)]] * 64 + [[1, 2.0**-19]] * 64, np.float32)
    query = np.array([[127, 1]], np.float32) / 128
    scores, rows = CertifiedSearch(vectors)(query, 3)
    assert rows.tolist() == [[0, 1, 2]]
    np.testing.assert_array_equal(scores, np.float32(127 / 128))


def test_beyond_float32_all_scores_are_equal():
    most = float(np.finfo(np.float32).max)
    base = np.array([most / 4, -most / 4, most / 4, 5.0])
    queries = certified._Rounded(np.zeros((4, 1), np.int8), np.ones(4), np.zeros((4, 5)), base, factor=2)
    low = np.array([most, most / 8, -most, 3.0])
    found = queries.threshold(low)
    assert 2 * found[0] + base[0] == pytest.approx(most)  # what scores infinity, scores no more than this
    assert found[1:].tolist() == [most / 8, -np.inf, 3.0]
