"""Exact scores of a few candidates: the last step of every search, so that all kinds of index give the same scores."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

Metric = Literal["cosine", "euclidean"]

# Rows whose exact scores are taken at once: 64 MiB of double precision at 128 numbers a vector.
_ROWS = 1 << 16


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
        parts = [best_of(query, vectors, rows[i : i + _ROWS], k, metric) for i in range(0, len(rows), _ROWS)]
        scores, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
    else:
        scores = exact_scores(query, vectors[rows], metric)
    best = np.lexsort((rows, -scores))[:k]
    return scores[best], rows[best]


def rerank(
    queries: Float[np.ndarray, "q dim"],
    vectors: Float[np.ndarray, "n dim"],
    candidates: Sequence[Int[np.ndarray, " _"]],
    k: int,
    metric: Metric = "cosine",
) -> tuple[Float[np.ndarray, "q k"], Int[np.ndarray, "q k"]]:
    """The k best candidates of each query by exact score, best first; of equal scores the lower row first.

    Args:
        queries, vectors: float32.
        candidates: for each query some rows of the vectors, each once.
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
    scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
    rows = np.full((len(queries), k), -1, dtype=np.int64)
    with np.errstate(over="ignore"):  # a score beyond float32 is infinite
        for q, (query, some) in enumerate(zip(queries, candidates, strict=True)):
            found, where = best_of(query, vectors, some, k, metric)
            scores[q, : len(found)], rows[q, : len(found)] = found, where
    return scores, rows
