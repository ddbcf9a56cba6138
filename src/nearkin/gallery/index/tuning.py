"""Tuning: the settings and the effort of an index are chosen so that held-out queries find their true neighbours."""

import numpy as np
from jaxtyping import Float

from nearkin.gallery.index.base import Vectors
from nearkin.gallery.index.faiss_index import ANSWERS, FaissIndex
from nearkin.gallery.index.kinds.exact import ExactIndex
from nearkin.gallery.index.recall import found_shares, recall_after_joining, recall_figure
from nearkin.similarity import Metric

# Vectors held out while an index is tuned: half of them choose the effort, the recall is measured on the other half.
HELD_OUT = 2000


def tuned(
    kind: type[FaissIndex],
    vectors: Vectors,
    recall: float,
    metric: Metric,
    queries: Float[np.ndarray, "q dim"] | None,
    seed: int,
) -> FaissIndex:
    """An index of one kind: of its settings the fastest, with the least effort that reaches the recall.

    Half of the held-out queries choose; the recall is measured on the other half. Then all join the index.
    """
    drawn = np.random.default_rng(seed).permutation(len(vectors))
    held_out = np.sort(drawn[: min(HELD_OUT, len(vectors) // 10) if queries is None else 0])
    inside = np.ones(len(vectors), dtype=bool)
    inside[held_out] = False
    asked = vectors[held_out] if queries is None else queries
    exact = ExactIndex(vectors, metric)
    true_scores = exact.search(asked, ANSWERS, inside)[0]
    chooses = np.random.default_rng(seed).permutation(len(asked)) < len(asked) / 2
    # A quarter of what is missing to 1 is room for chance.
    target = recall + (1 - recall) / 4
    best, rank = None, (-1.0, 0.0)
    for setting in kind.settings:
        index = kind.empty(vectors, metric, setting, seed=seed)
        index.add(np.flatnonzero(inside))
        reached = _least_effort(index, asked[chooses], true_scores[chooses], target)
        this = min(reached, target), -index.work(index.effort)
        if this > rank:
            best, rank = index, this
    assert best is not None
    asked = asked[~chooses]
    shares = found_shares(best.search(asked, ANSWERS)[0], true_scores[~chooses])
    if queries is not None:
        best.recall = recall_figure(shares)
        return best
    best.add(held_out[chooses])
    inside[held_out[chooses]] = True
    after = found_shares(best.search(asked, ANSWERS)[0], exact.search(asked, ANSWERS, inside)[0])
    best.recall = recall_after_joining(shares, after)
    best.add(held_out[~chooses])
    return best


def _least_effort(index: FaissIndex, queries: np.ndarray, true_scores: np.ndarray, target: float) -> float:
    """Set the lowest effort that reaches the target, or else the one with the highest recall; returns that recall."""
    reached: dict[int, float] = {}
    for effort in index.efforts:
        index.effort = effort
        reached[effort] = float(found_shares(index.search(queries, ANSWERS)[0], true_scores).mean())
        if reached[effort] >= target:
            break
    index.effort = max(reached, key=lambda effort: reached[effort])
    return reached[index.effort]
