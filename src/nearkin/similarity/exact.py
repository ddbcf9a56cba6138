"""Exact scores of a few candidates: the last step of every search, so that all kinds of index give the same scores."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from nearkin.arrays import check_count

Metric = Literal["cosine", "euclidean"]

# Vectors whose squared length is so near to 1 are of unit length but for rounding, whoever normalised them.
_UNIT = 2.0**-20

# Rows whose exact scores are taken at once, for one query and for several: in double precision they stay in the cache.
_ROWS, _TOGETHER = 1 << 10, 1 << 13


def exact_scores(
    query: Float[np.ndarray, " dim"], vectors: Float[np.ndarray, "m dim"], metric: Metric = "cosine"
) -> Float[np.ndarray, " m"]:
    """How alike a query is to each vector, summed in double precision and rounded once.

    So a score depends on the two vectors alone, not on the kernel that multiplied, nor on what else was searched. Equal
    unit vectors score exactly 1 and opposite ones exactly -1, though float32 cannot hold unit vectors exactly: near 1
    and -1 the product is divided by the true lengths.

    Args:
        query: float32.
        vectors: float32, one row per item.
        metric: "cosine" gives the dot product (the cosine, of unit vectors), "euclidean" minus the squared distance.

    Returns:
        float32 scores; higher means more alike.

    Example:
        >>> exact_scores(np.array([1, 0], np.float32), np.eye(2, dtype=np.float32), "euclidean").tolist()
        [0.0, -2.0]
    """
    if metric == "cosine":
        exact, asked = vectors.astype(np.float64), query.astype(np.float64)
        return _rounded((exact @ asked)[None], exact[None], asked[None])[0]
    gap = vectors.astype(np.float64) - query.astype(np.float64)
    return (0 - np.einsum("md,md->m", gap, gap)).astype(np.float32)


def _rounded(
    products: Float[np.ndarray, "q m"], vectors: Float[np.ndarray, "q m dim"], queries: Float[np.ndarray, "q dim"]
) -> Float[np.ndarray, "q m"]:
    """Products of double precision as float32; those near 1 and -1 are cosines, of vectors that are nearly unit."""
    if max(products.max(initial=0), -products.min(initial=0)) > 1 - 2 * _UNIT:
        query, row = np.nonzero(np.abs(np.abs(products) - 1) <= 2 * _UNIT)
        near, asked = vectors[query, row], queries[query]
        square, asked_square = np.einsum("md,md->m", near, near), np.einsum("md,md->m", asked, asked)
        is_unit = (np.abs(square - 1) <= _UNIT) & (np.abs(asked_square - 1) <= _UNIT)
        products[query, row] /= np.where(is_unit, np.sqrt(square * asked_square), 1)
    return products.astype(np.float32)


def best_of(
    query: Float[np.ndarray, " dim"],
    vectors: Float[np.ndarray, "n dim"],
    rows: Int[np.ndarray, " m"],
    k: int,
    metric: Metric = "cosine",
) -> tuple[Float[np.ndarray, " kept"], Int[np.ndarray, " kept"]]:
    """Exact scores and rows of the k best among some rows of the vectors; of equal scores the lower row first."""
    if len(rows) > _ROWS:
        parts = (vectors.take(rows[i : i + _ROWS], axis=0) for i in range(0, len(rows), _ROWS))
        scores = np.concatenate([exact_scores(query, part, metric) for part in parts])
    else:
        scores = exact_scores(query, vectors.take(rows, axis=0), metric)
    if len(rows) > 20 * k:
        among = np.flatnonzero(scores >= np.partition(scores, -k)[-k])
        scores, rows = scores[among], rows[among]
    best = np.lexsort((rows, -scores))[:k]
    return scores[best], rows[best]


def rerank(
    queries: Float[np.ndarray, "q dim"],
    vectors: Float[np.ndarray, "n dim"],
    candidates: Sequence[Int[np.ndarray, " _"]] | Int[np.ndarray, "q m"],
    k: int,
    metric: Metric = "cosine",
) -> tuple[Float[np.ndarray, "q k"], Int[np.ndarray, "q k"]]:
    """The k best candidates of each query by exact score, best first; of equal scores the lower row first.

    Args:
        queries, vectors: float32.
        candidates: for each query some rows of the vectors, each once. In an array, -1 stands for none.
        k: how many.
        metric: see `exact_scores`.

    Returns:
        Scores and rows `[q, k]`; where a query has fewer candidates, -inf and -1.

    Example:
        >>> vectors = np.eye(3, dtype=np.float32)
        >>> scores, rows = rerank(vectors[:1], vectors, [np.array([2, 0, 1])], k=2)
        >>> scores.tolist(), rows.tolist()
        ([[1.0, 0.0]], [[0, 1]])
    """
    k = check_count(k, "k", least=0)
    with np.errstate(over="ignore"):  # a score beyond float32 is infinite
        if len(queries) == 1:
            found, where = best_of(queries[0], vectors, candidates[0][candidates[0] >= 0], k, metric)
            if len(found) == k:
                return found[None], where[None]
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        rows = np.full((len(queries), k), -1, dtype=np.int64)
        # One query with many candidates fills the cache by itself.
        if isinstance(candidates, np.ndarray) and candidates.shape[1] <= _TOGETHER // 2:
            together = _TOGETHER // max(1, candidates.shape[1])
            for start in range(0, len(queries), together):
                part = slice(start, start + together)
                found, where = _best_of_each(queries[part], vectors, candidates[part], k, metric)
                scores[part, : found.shape[1]], rows[part, : found.shape[1]] = found, where
        else:
            for q, (query, some) in enumerate(zip(queries, candidates, strict=True)):
                found, where = best_of(query, vectors, some[some >= 0], k, metric)
                scores[q, : len(found)], rows[q, : len(found)] = found, where
    return scores, rows


def _best_of_each(
    queries: Float[np.ndarray, "q dim"],
    vectors: Float[np.ndarray, "n dim"],
    rows: Int[np.ndarray, "q m"],
    k: int,
    metric: Metric,
) -> tuple[Float[np.ndarray, "q kept"], Int[np.ndarray, "q kept"]]:
    """As `best_of`, for several queries that have as many candidates each."""
    exact, asked = vectors.take(rows, axis=0).astype(np.float64), queries.astype(np.float64)
    if metric == "euclidean":
        exact -= asked[:, None]
        scores = 0 - np.einsum("qmd,qmd->qm", exact, exact)
    else:
        scores = _rounded(np.einsum("qmd,qd->qm", exact, asked), exact, asked)
    scores = np.where(rows >= 0, scores, -np.inf).astype(np.float32)
    best = np.lexsort((rows, -scores))[:, :k]
    return np.take_along_axis(scores, best, axis=1), np.take_along_axis(rows, best, axis=1)
