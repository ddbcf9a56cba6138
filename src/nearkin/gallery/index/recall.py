"""The recall of an index: which share of the true nearest neighbours a search of it finds."""

import numpy as np
from jaxtyping import Bool, Float

from nearkin.gallery.index.base import Index
from nearkin.gallery.index.faiss_index import ANSWERS
from nearkin.intervals.binomial import share_figure
from nearkin.intervals.figure import Figure, Z

# By how much the share of misses changes when a twentieth of the vectors joins an index: a tenth of it, typically.
_TYPICAL_CHANGE = 0.1


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
    true_scores = index.exact.search(queries, k, allowed)[0]
    return recall_figure(found_shares(index.search(queries, k, allowed)[0], true_scores))


def found_shares(scores: Float[np.ndarray, "q k"], true_scores: Float[np.ndarray, "q k"]) -> Float[np.ndarray, " q"]:
    """For each query the share of its true nearest neighbours that was found, from both searches' scores."""
    exist = np.isfinite(true_scores)
    lowest = np.where(exist, true_scores, np.inf).min(axis=1)
    return (scores >= lowest[:, None]).sum(axis=1) / np.maximum(1, exist.sum(axis=1))


def recall_figure(shares: Float[np.ndarray, " q"]) -> Figure:
    """The mean share, with binomial limits for as many independent neighbours as would vary as much.

    Neighbours of one query are found or missed together, so the queries are what varies. Where nothing was missed, the
    limit is that of as many neighbours as queries.

    Example:
        >>> figure = recall_figure(np.ones(36))
        >>> figure.value, round(figure.low, 3), figure.high
        (1.0, 0.903, 1.0)

    Source: Korn & Graubard 1998, Confidence intervals for proportions with small expected number of positive counts.
    """
    q = len(shares)
    value = min(1.0, max(0.0, float(shares.mean())))
    variance = float(shares.var(ddof=1)) / q if q > 1 else 0.0
    return share_figure(value, variance, float(q - 1), independent=q, n=q)


def recall_after_joining(before: Float[np.ndarray, " q"], after: Float[np.ndarray, " q"]) -> Figure:
    """The recall for new queries once these queries have joined the index themselves.

    What an index finds depends on how many vectors it holds: among more, the true neighbours have more rivals, and the
    same effort finds fewer of them. Once a query is in the index it can no longer tell what a new one would find, for
    its own place in a graph or cell leads to its neighbours. So the queries are asked twice: before others joined, and
    after as many others as there are queries joined. When the queries join, the same change is expected once more.

    Few queries tell little of the change, so it is multiplied by the share of its variance that is not chance
    (empirical Bayes), and what remains unknown widens the interval.

    Args:
        before: for each query the share of its neighbours that was found at first.
        after: the same, after as many other vectors joined as there are queries.

    Returns:
        Recall with its interval; `benchmarks/recall_after_join.py` measures how often that holds.

    Example:
        >>> recall_after_joining(np.full(50, 0.98), np.full(50, 0.97)).value
        0.96
    """
    change = after - before
    q, misses = len(after), max(0.0, 1 - float(after.mean()))
    typical = (_TYPICAL_CHANGE * misses) ** 2
    chance = float(change.var(ddof=1)) / q if q > 1 else np.inf
    trusted = typical / (typical + chance) if typical > 0 else 0.0
    figure = recall_figure(after + trusted * change)
    if figure.low is None or figure.high is None:
        return figure
    unknown = Z * float(np.sqrt(typical * (1 - trusted)))
    low = figure.value - float(np.hypot(figure.value - figure.low, unknown))
    high = figure.value + float(np.hypot(figure.high - figure.value, unknown))
    return Figure(figure.value, max(0.0, low), min(1.0, high), q)
