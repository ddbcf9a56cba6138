"""At which level of a tree of groups to cut it, where nobody knows how many groups there are."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from nearkin.similarity.clustering.engine.linkage import Tree
from nearkin.similarity.clustering.engine.neighbours import Neighbours

# Levels that are compared: first over all numbers of groups, then about the best one.
_LEVELS, _AGAIN = 24, 12
# Products of numbers that one silhouette may take, and points that it is taken of at least.
_PRODUCTS, _FEWEST = 2e9, 500


def best_level(
    tree: Tree,
    spaces: Sequence[Float[np.ndarray, "n dim"]],
    weights: Float[np.ndarray, " n"],
    near: Neighbours,
    *,
    seed: int,
) -> float:
    """The score to cut at: where silhouette times modularity is greatest.

    The silhouette asks whether points are nearer to their own group than to the next one, and would be content with a
    few coarse groups, or with pairs of near copies. The modularity of the graph of mutual neighbours asks whether
    neighbours are together, more than by chance. Only a level that does well by both does well by the product.

    Args:
        tree: to be cut.
        spaces: vectors of the points; of several, the geometric mean of the silhouettes counts.
        weights: how many vectors each point stands for.
        near: neighbours of the points, best first.
        seed: random seed of the points whose silhouettes are taken, if there are many.
    """
    merges = tree.score[tree.points :]
    if not len(merges):
        return np.inf
    graph = MutualGraph.of(near, weights)
    sample = np.random.default_rng(seed).permutation(tree.points)

    def worth(threshold: float) -> float:
        groups = np.unique(tree.cut(threshold), return_inverse=True)[1]
        found = max(graph.modularity(groups), 0.0) ** len(spaces)
        for vectors in spaces:
            found = found and found * max(silhouette(groups, vectors, weights, sample), 0.0)
        return found

    thresholds = np.append(np.inf, np.sort(merges)[::-1])  # after 0, 1, ... merges
    fewest = tree.points - len(merges)
    counts = _numbers(fewest, tree.points, _LEVELS)
    found = {count: worth(thresholds[tree.points - count]) for count in counts}
    best = counts.index(max(counts, key=found.__getitem__))
    again = _numbers(counts[max(best - 1, 0)], counts[min(best + 1, len(counts) - 1)], _AGAIN)
    found |= {count: worth(thresholds[tree.points - count]) for count in again if count not in found}
    return float(thresholds[tree.points - max(sorted(found), key=found.__getitem__)])


def _numbers(low: int, high: int, several: int) -> list[int]:
    """About so many whole numbers from low to high, each by the same factor higher than the one before."""
    return np.unique(np.geomspace(low, high, several).round().astype(int)).tolist()


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
