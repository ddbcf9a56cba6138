"""Exact scores of a few candidates: the last step of every search, so that all kinds of index give the same scores."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

Metric = Literal["cosine", "euclidean"]

# Rows whose exact scores are taken at once, for one query and for several: in double precision they stay in the cache.
_ROWS, _TOGETHER = 1 << 10, 1 << 13


def exact_scores(
    query: Float[np.ndarray, " dim"], vectors: Float[np.ndarray, "m dim"], metric: Metric = "cosine"
) -> Float[np.ndarray, " m"]:
    """How alike a query is to each vector, summed in double precision and rounded once.

    So a score hangs on the two vectors alone, not on the kernel that multiplied, nor on what else was searched.

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
        return (vectors.astype(np.float64) @ query.astype(np.float64)).astype(np.float32)
    gap = vectors.astype(np.float64) - query.astype(np.float64)
    return (0 - np.einsum("md,md->m", gap, gap)).astype(np.float32)


def best_of(
    query: Float[np.ndarray, " dim"],
    vectors: Float[np.ndarray, "n dim"],
    rows: Int[np.ndarray, " m"],
    k: int,
    metric: Metric = "cosine",
) -> tuple[Float[np.ndarray, " kept"], Int[np.ndarray, " kept"]]:
    """Exact scores and numbers of the k best among some rows of the vectors; of equal scores the lower row first."""
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
        k: answers wanted.
        metric: see `exact_scores`.

    Returns:
        Scores and rows `[q, k]`; where a query has fewer candidates, -inf and -1.

    Example:
        >>> vectors = np.eye(3, dtype=np.float32)
        >>> scores, rows = rerank(vectors[:1], vectors, [np.array([2, 0, 1])], k=2)
        >>> scores.tolist(), rows.tolist()
        ([[1.0, 0.0]], [[0, 1]])
    """
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
        scores = np.einsum("qmd,qd->qm", exact, asked)
    scores = np.where(rows >= 0, scores, -np.inf).astype(np.float32)
    best = np.lexsort((rows, -scores))[:, :k]
    return np.take_along_axis(scores, best, axis=1), np.take_along_axis(rows, best, axis=1)
