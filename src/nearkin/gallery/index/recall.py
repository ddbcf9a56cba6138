"""The recall of an index: which share of the true nearest neighbours a search of it finds."""

import numpy as np
from jaxtyping import Bool, Float

from nearkin.gallery.index.base import Index
from nearkin.gallery.index.faiss_index import ANSWERS
from nearkin.intervals.bootstrap import Figure, bootstrap_mean


def measure_recall(
    index: Index,
    queries: Float[np.ndarray, "q dim"],
    *,
    k: int = ANSWERS,
    allowed: Bool[np.ndarray, " n"] | None = None,
) -> Figure:
    """The share of the true k nearest neighbours that a search of the index finds, with its interval.

    A row counts as found if its score is one of the k highest: among equal scores any will do.

    Args:
        index: compared with an exact search of the same vectors.
        queries: vectors that it does not hold.
        k: how many neighbours.
        allowed: the filter of both searches.

    Example:
        >>> from nearkin.gallery.index.kinds.exact import ExactIndex
        >>> measure_recall(ExactIndex(np.eye(20, dtype=np.float32)), np.eye(3, 20, dtype=np.float32)).value
        1.0
    """
    truth = index.exact.search(queries, k, allowed)[0]
    return recall_of(index.search(queries, k, allowed)[0], truth)


def recall_of(scores: Float[np.ndarray, "q k"], truth: Float[np.ndarray, "q k"]) -> Figure:
    """Recall from the scores that were found and those of the true nearest neighbours."""
    return bootstrap_mean(found_shares(scores, truth), within=(0.0, 1.0))


def found_shares(scores: Float[np.ndarray, "q k"], truth: Float[np.ndarray, "q k"]) -> Float[np.ndarray, " q"]:
    """For each query the share of its true nearest neighbours that was found."""
    exist = np.isfinite(truth)
    lowest = np.where(exist, truth, np.inf).min(axis=1)
    return (scores >= lowest[:, None]).sum(axis=1) / np.maximum(1, exist.sum(axis=1))
