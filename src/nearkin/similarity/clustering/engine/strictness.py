"""How strict links should be where nobody has said: groups stand apart, and not by chance."""

import math

import numpy as np
from jaxtyping import Float, Int

from nearkin.similarity.clustering.engine.linking import Candidates, Linking, shapeless
from nearkin.similarity.clustering.engine.map_equation import map_equation_groups
from nearkin.similarity.clustering.engine.neighbours import Neighbours

# What is tried, in standard deviations, see `Linking`.
_STRICTNESS = (None, -1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
# Modularity above that of shapeless data: with less, there is nothing to be found.
_LEAST_GAP = 0.1
# Neighbours in the graph whose modularity counts.
_NEAREST = 5
# Products of numbers that one silhouette may take, and points that it is taken of at least.
_PRODUCTS, _FEWEST = 2e9, 500
# Of more vectors, so many are tried: some with the nearest of each.
_MOST = 4_000


def find_strictness(
    candidates: Candidates, vectors: Float[np.ndarray, "n dim"], linking: Linking, *, seed: int
) -> float | None:
    """How strict links should be: where silhouette times gained modularity of the groups is greatest.

    The silhouette asks whether vectors are nearer to their own group than to the next one, and would be content with a
    few coarse groups. The gain asks whether near neighbours are together, more than by chance, and more than in
    shapeless data of the same covariance that is grouped likewise (as the gap statistic does).

    Args:
        candidates: of the vectors.
        vectors: unit vectors, float32.
        linking: of which all but the strictness is known.
        seed: random seed.

    Returns:
        Standard deviations; None where all neighbours are linked; infinity where there are no groups to be found.

    Source: Rousseeuw 1987, Silhouettes: a graphical aid to the interpretation and validation of cluster analysis;
    Tibshirani, Walther & Hastie 2001, Estimating the number of clusters in a data set via the gap statistic.
    """
    if len(vectors) > _MOST:
        chosen = _some_with_their_nearest(candidates.near, seed)
        vectors = vectors[chosen]
        candidates = Candidates.of(vectors, candidates.weights[chosen], linking, seed=seed)
    none = shapeless(vectors, seed)
    nothing = Candidates.of(none, np.ones(len(none)), linking, seed=seed)
    graph, chance = (MutualGraph.of(one.near, one.weights, _NEAREST) for one in (candidates, nothing))
    sample = np.random.default_rng(seed).permutation(len(vectors))
    found: dict[float | None, float] = {}
    for strictness in _STRICTNESS:
        groups, others = (
            map_equation_groups(*one.linked(strictness), len(one.weights), seed=seed) for one in (candidates, nothing)
        )
        gap = graph.modularity(groups) - chance.modularity(others)
        if gap >= _LEAST_GAP:
            spaces = (candidates.drawn, candidates.plain)
            apart = [max(silhouette(groups, space, candidates.weights, sample), 0) for space in spaces]
            found[strictness] = gap * math.prod(apart)
    return max(found, key=found.__getitem__, default=np.inf)


def _some_with_their_nearest(near: Neighbours, seed: int) -> Int[np.ndarray, " m"]:
    n, k = near.rows.shape
    first = np.random.default_rng(seed).permutation(n)[: _MOST // (k + 1)]
    rows = np.unique(np.concatenate([first, near.rows[first].ravel()]))
    return rows[rows >= 0]


def silhouette(
    groups: Int[np.ndarray, " n"],
    vectors: Float[np.ndarray, "n dim"],
    weights: Float[np.ndarray, " n"],
    sample: Int[np.ndarray, " n"],
) -> float:
    """The mean silhouette by mean scores, 0 for points alone in their group; of the first of the sample if many.

    Source: Rousseeuw 1987, Silhouettes: a graphical aid to the interpretation and validation of cluster analysis.
    """
    from scipy.sparse import csc_array

    count = np.bincount(groups, weights=weights)
    n = len(groups)
    part = (weights / count[groups]).astype(np.float32)
    mean = csc_array((part, groups, np.arange(n + 1)), shape=(len(count), n)) @ vectors
    most = int(max(_FEWEST, _PRODUCTS / (len(count) * vectors.shape[1])))
    total, over = 0.0, 0.0
    for start in range(0, min(most, len(sample)), 1024):
        rows = sample[start : min(start + 1024, most)]
        scores = vectors[rows] @ mean.T
        here = np.arange(len(rows)), groups[rows]
        own = scores[here]
        scores[here] = -np.inf
        other = scores.max(axis=1) if len(count) > 1 else np.zeros(len(rows))
        size, weight = count[groups[rows]], weights[rows]
        # Without the point itself.
        within = np.where(size > 1, (own * size - 1) / np.maximum(size - 1, 1), 0)
        value = (within - other) / np.maximum(np.maximum(1 - within, 1 - other), 1e-6)
        total += float((weight * np.where(size > 1, value, 0)).sum())
        over += float(weight.sum())
    return total / over


class MutualGraph:
    """Pairs of points that are each other's near neighbours, weighed by their scores.

    Args:
        low, high: the pairs.
        score: their weights, > 0.
        own: for each point the links between the equal vectors that it stands for.
    """

    def __init__(self, low: np.ndarray, high: np.ndarray, score: np.ndarray, own: Float[np.ndarray, " n"]) -> None:
        self.low, self.high, self.score, self.own = low, high, score, own
        self.degree = np.bincount(low, score, len(own)) + np.bincount(high, score, len(own)) + own

    @staticmethod
    def of(near: Neighbours, weights: Float[np.ndarray, " n"], k: int = 2) -> "MutualGraph":
        """Of the k nearest."""
        n = len(near.rows)
        rows, scores = near.rows[:, :k], near.scores[:, :k]
        start = np.repeat(np.arange(n), rows.shape[1])
        end, score = rows.ravel(), scores.ravel().astype(np.float64)
        kept = (end >= 0) & (score > 0)
        start, end, score = start[kept], end[kept], score[kept]
        key = np.minimum(start, end) * n + np.maximum(start, end)
        order = np.argsort(key, kind="stable")
        twice = np.flatnonzero(key[order][1:] == key[order][:-1])
        pair = order[twice]
        return MutualGraph(np.minimum(start, end)[pair], np.maximum(start, end)[pair], score[pair], weights - 1)

    def modularity(self, groups: Int[np.ndarray, " n"]) -> float:
        """How much more weight lies within groups than by chance; 0 for one group.

        Source: Newman & Girvan 2004, Finding and evaluating community structure in networks.
        """
        whole = self.degree.sum()
        if not whole:
            return 0.0
        inside = 2 * self.score[groups[self.low] == groups[self.high]].sum() + self.own.sum()
        return float(inside / whole - ((np.bincount(groups, self.degree) / whole) ** 2).sum())
