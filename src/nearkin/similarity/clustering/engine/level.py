"""At which level of a tree of groups to cut it, where nobody knows how many groups there are."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from nearkin.similarity.clustering.engine.linkage import Tree
from nearkin.similarity.clustering.engine.neighbours import Neighbours

_LEVELS = 48
# Multiplications that one level may take.
_PRODUCTS = 2e10
_FEWEST = 1000


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
    levels = np.unique(np.quantile(merges, np.linspace(0, 1, _LEVELS), method="nearest"))
    graph = MutualGraph.of(near, weights)
    sample = np.random.default_rng(seed).permutation(tree.points)
    found = []
    for threshold in (*levels.tolist(), np.inf):
        groups = np.unique(tree.cut(threshold), return_inverse=True)[1]
        worth = max(graph.modularity(groups), 0.0) ** len(spaces)
        for vectors in spaces:
            worth *= max(silhouette(groups, vectors, weights, sample), 0.0)
        found.append((worth, threshold))
    return max(found)[1]


def silhouette(
    groups: Int[np.ndarray, " n"],
    vectors: Float[np.ndarray, "n dim"],
    weights: Float[np.ndarray, " n"],
    sample: Int[np.ndarray, " n"],
) -> float:
    """The mean silhouette by mean scores, 0 for points alone in their group; of the first of the sample if many.

    Source: Rousseeuw 1987, Silhouettes: a graphical aid to the interpretation and validation of cluster analysis.
    """
    count = np.bincount(groups, weights=weights)
    order = np.argsort(groups, kind="stable")
    starts = np.searchsorted(groups[order], np.arange(len(count)))
    mean = np.add.reduceat(vectors[order] * weights[order, None].astype(np.float32), starts, axis=0)
    mean /= count[:, None].astype(np.float32)
    most = int(max(_FEWEST, _PRODUCTS / (len(count) * vectors.shape[1])))
    sum_, share = 0.0, 0.0
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
        sum_ += float((weight * np.where(size > 1, value, 0)).sum())
        share += float(weight.sum())
    return sum_ / share


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
