"""Average linkage on a neighbour graph, all pairs of groups that are each other's nearest merged at once."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

# Dot products of so many pairs of groups are taken at once.
_PAIRS = 1 << 17


@dataclass(frozen=True, eq=False)
class Tree:
    """What was merged with what: nodes 0 to n - 1 are the points, those after them the merges.

    Args:
        points: n.
        parent: of each node the merge that took it in, its own number if none did.
        score: of each node the mean score between the two that were merged; of points 1. No node has a higher score
            than those below it.
    """

    points: int
    parent: Int[np.ndarray, " nodes"]
    score: Float[np.ndarray, " nodes"]

    def cut(self, threshold: float) -> Int[np.ndarray, " n"]:
        """For each point the highest node above it whose score reaches the threshold: equal nodes, one group."""
        reached = self.score[self.parent] >= threshold
        up = np.where(reached, self.parent, np.arange(len(self.parent)))
        while True:
            higher = up[up]
            if np.array_equal(higher, up):
                return up[: self.points]
            up = higher

    def cut_into(self, k: int) -> Int[np.ndarray, " n"]:
        """As `cut`, where k groups are left; fewer or more where the tree has no such place."""
        merges = self.score[self.points :]
        done = max(0, self.points - k)
        rank = np.zeros(len(self.score))
        rank[: self.points] = 1
        rank[self.points + np.argsort(-merges, kind="stable")[:done]] = 1
        return Tree(self.points, self.parent, rank).cut(1.0)


def average_linkage_tree(
    vectors: Float[np.ndarray, "n dim"],
    edges: Int[np.ndarray, "m 2"],
    *,
    least: float,
    weights: Float[np.ndarray, " n"] | None = None,
    forbidden: Iterable[tuple[int, int]] = (),
) -> Tree:
    """Average linkage of unit vectors, of groups that an edge joins.

    The mean score between two groups is the product of their mean vectors, so that it is exact though few pairs are
    edges. Groups that are each other's nearest merge in the same round, which for average linkage gives the tree of
    merging one pair after the other.

    Args:
        vectors: float32.
        edges: pairs of points that may be merged; groups may if a pair of their members may.
        least: groups merge down to this mean score.
        weights: how many points each stands for; 1 by default.
        forbidden: pairs of points that no group holds both of.

    Source: Sumengen et al. 2021, arXiv:2105.11653 (rounds of reciprocal nearest neighbours).
    """
    n = len(vectors)
    size = np.ones(n) if weights is None else weights.astype(np.float64)
    total = (vectors * size[:, None]).astype(np.float32)
    node, parent, score = np.arange(n), np.arange(2 * n), np.ones(2 * n)
    apart = _ordered(np.array(list(forbidden), dtype=np.int64).reshape(-1, 2))
    pairs = _allowed(_unique(_ordered(edges)), apart)
    # Slots hold groups: the lower slot of two that merge holds both.
    count = size
    scores = edge_scores(total, count, pairs)
    pairs, scores = pairs[scores >= least], scores[scores >= least]
    nodes = n
    while len(pairs):
        best = np.full(n, -np.inf)
        np.maximum.at(best, pairs[:, 0], scores)
        np.maximum.at(best, pairs[:, 1], scores)
        mutual = np.flatnonzero((scores == best[pairs[:, 0]]) & (scores == best[pairs[:, 1]]))
        mutual = _matching(pairs, mutual)
        low, high = pairs[mutual].T
        new = nodes + np.arange(len(mutual))
        parent[node[low]] = parent[node[high]] = new
        score[new] = np.minimum(scores[mutual], np.minimum(score[node[low]], score[node[high]]))
        nodes += len(mutual)
        node[low] = new
        total[low] += total[high]
        count[low] += count[high]
        slot = np.arange(n)
        slot[high] = low
        changed = np.zeros(n, dtype=bool)
        changed[low] = changed[high] = True
        if len(apart):
            apart = _unique(_ordered(slot[apart]))
        pairs, scores = _updated(pairs, scores, slot, changed, apart, total, count, least)
    return Tree(n, parent[:nodes], score[:nodes])


def _updated(
    pairs: Int[np.ndarray, "m 2"],
    scores: Float[np.ndarray, " m"],
    slot: Int[np.ndarray, " n"],
    changed: Bool[np.ndarray, " n"],
    apart: Int[np.ndarray, "f 2"],
    total: Float[np.ndarray, "n dim"],
    count: Float[np.ndarray, " n"],
    least: float,
) -> tuple[Int[np.ndarray, "k 2"], Float[np.ndarray, " k"]]:
    """The pairs of groups after a round, with their scores; those that fell below the least score are gone."""
    touched = changed[pairs[:, 0]] | changed[pairs[:, 1]]
    again = _ordered(slot[pairs[touched]])
    again = _allowed(_unique(again[again[:, 0] != again[:, 1]]), apart)
    fresh = edge_scores(total, count, again)
    kept = fresh >= least
    return np.concatenate([pairs[~touched], again[kept]]), np.concatenate([scores[~touched], fresh[kept]])


def edge_scores(
    total: Float[np.ndarray, "n dim"], count: Float[np.ndarray, " n"], pairs: Int[np.ndarray, "m 2"]
) -> Float[np.ndarray, " m"]:
    """The mean score between the members of two groups, for pairs of groups by their sums and counts."""
    scores = np.empty(len(pairs))
    for start in range(0, len(pairs), _PAIRS):
        low, high = pairs[start : start + _PAIRS].T
        products = np.einsum("md,md->m", total[low], total[high]).astype(np.float64)
        scores[start : start + _PAIRS] = products / (count[low] * count[high])
    return scores


def _ordered(pairs: Int[np.ndarray, "m 2"]) -> Int[np.ndarray, "m 2"]:
    return np.sort(pairs, axis=1)


def _keys(pairs: Int[np.ndarray, "m 2"]) -> Int[np.ndarray, " m"]:
    return pairs[:, 0] << 32 | pairs[:, 1]


def _unique(pairs: Int[np.ndarray, "m 2"]) -> Int[np.ndarray, "k 2"]:
    # By sorting, which is faster here than np.unique.
    keys = np.sort(_keys(pairs))
    keys = keys[np.append(True, keys[1:] != keys[:-1])] if len(keys) else keys
    return np.stack([keys >> 32, keys & 0xFFFFFFFF], axis=1)


def _allowed(pairs: Int[np.ndarray, "m 2"], apart: Int[np.ndarray, "f 2"]) -> Int[np.ndarray, "k 2"]:
    return pairs[~np.isin(_keys(pairs), _keys(apart))] if len(apart) else pairs


def _matching(pairs: Int[np.ndarray, "m 2"], chosen: Int[np.ndarray, " c"]) -> Int[np.ndarray, " k"]:
    """Of pairs that share a group, which happens where scores are equal, some that do not, at least one.

    Each pair gets a number by chance, and stays if it is the lowest of both of its groups.
    """
    low, high = pairs[chosen].T
    groups = np.unique(np.concatenate([low, high]), return_inverse=True)[1]
    if len(groups) == groups.max(initial=-1) + 1:
        return chosen
    low, high = groups.reshape(2, -1)
    number = np.random.default_rng(0).permutation(len(chosen))
    lowest = np.full(groups.max() + 1, len(chosen))
    np.minimum.at(lowest, low, number)
    np.minimum.at(lowest, high, number)
    return chosen[(lowest[low] == number) & (lowest[high] == number)]
