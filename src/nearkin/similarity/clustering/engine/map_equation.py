"""Communities by the map equation: groups of nodes that a random walk along the links stays in for long."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

# Sweeps of single moves at most; rounds of moves, of nodes and of whole groups, at most.
_SWEEPS, _ROUNDS = 40, 3
# Bits by which the code must become shorter, or it is as short as it gets.
_LEAST_GAIN = 1e-6
# Nodes whose moves are judged at once.
_ROWS = 1 << 16


def map_equation_groups(
    start: Int[np.ndarray, " m"], end: Int[np.ndarray, " m"], weight: Float[np.ndarray, " m"], n: int, *, seed: int = 0
) -> Int[np.ndarray, " n"]:
    """Groups of nodes for which the description of a random walk on the graph is short.

    Single nodes move to the group of a neighbour, half of those that would gain at once, then whole groups move to and
    merge with others, until the code gets no shorter (as Louvain does it).

    Args:
        start, end: the links, each once, from a node to another or to itself.
        weight: of the links, > 0.
        n: how many nodes.
        seed: random seed of the moves.

    Returns:
        Group of each node, 0, 1, ...; a node without links is alone.

    Example:
        >>> start, end = np.array([0, 1, 2, 3, 4, 5, 2]), np.array([1, 2, 0, 4, 5, 3, 3])
        >>> groups = map_equation_groups(start, end, np.array([1, 1, 1, 1, 1, 1, 0.1]), 6)
        >>> groups[:3] == groups[0], groups[3:] == groups[3], bool(groups[0] == groups[3])
        (array([ True,  True,  True]), array([ True,  True,  True]), False)

    Source: Rosvall & Bergstrom 2008, Maps of random walks on complex networks reveal community structure; Blondel et
    al. 2008, Fast unfolding of communities in large networks.
    """
    if not len(start):
        return np.arange(n)
    generator = np.random.default_rng(seed)
    from scipy.sparse import coo_array

    both = coo_array(
        (np.concatenate([weight, weight]), (np.concatenate([start, end]), np.concatenate([end, start]))), shape=(n, n)
    ).tocsr()
    walk = _Walk(both / both.sum())
    groups, length = _moved(walk, np.arange(n), generator)
    for _ in range(_ROUNDS):
        whole = walk.between(groups)
        groups = _named(_moved(whole, np.arange(whole.nodes), generator)[0][groups])
        groups = _merged(walk.between(groups))[groups]
        groups, shorter = _moved(walk, groups, generator)
        if shorter > length - _LEAST_GAIN:
            break
        length = shorter
    return groups


@dataclass(frozen=True, eq=False)
class _Walk:
    """A random walk on an undirected graph.

    Args:
        flow: share of steps from one node to another, both ways; 1 in sum.
    """

    flow: Any

    @property
    def nodes(self) -> int:
        return self.flow.shape[0]

    @cached_property
    def visits(self) -> Float[np.ndarray, " n"]:
        """Share of time at each node."""
        return np.asarray(self.flow.sum(axis=1)).ravel()

    @cached_property
    def stays(self) -> Float[np.ndarray, " n"]:
        """Share of steps from each node to itself."""
        return self.flow.diagonal()

    @cached_property
    def rows(self) -> Int[np.ndarray, " m"]:
        return np.repeat(np.arange(self.nodes), np.diff(self.flow.indptr))

    def between(self, groups: Int[np.ndarray, " n"]) -> "_Walk":
        """The walk among groups."""
        members = _members(groups)
        return _Walk((members.T @ self.flow @ members).tocsr())


def _moved(
    walk: _Walk, groups: Int[np.ndarray, " n"], generator: np.random.Generator
) -> tuple[Int[np.ndarray, " n"], float]:
    """The groups after moves of single nodes, and the length of their code in bits, less what no grouping changes."""
    share, shortest = 0.5, np.inf
    kept = targets = groups
    for _ in range(_SWEEPS):
        wanted, length = _best_moves(walk, groups)
        if length < shortest - _LEAST_GAIN:
            kept, targets, shortest = groups, wanted, length
        else:
            # Neighbours that moved at once stood in each other's way.
            share /= 2
        gaining = np.flatnonzero(targets != kept)
        if share < 0.03 or not len(gaining):
            break
        moving = np.zeros(len(kept), dtype=bool)
        moving[generator.choice(gaining, max(1, round(share * len(gaining))), replace=False)] = True
        groups = _named(np.where(moving, targets, kept))
    return kept, shortest


def _best_moves(walk: _Walk, groups: Int[np.ndarray, " n"]) -> tuple[Int[np.ndarray, " n"], float]:
    """For each node the group that it should be in, and the length of the code as it is."""
    visits, leaves = walk.visits, walk.visits - walk.stays
    inside = groups[walk.flow.indices] == groups[walk.rows]
    home = np.bincount(walk.rows, walk.flow.data * inside, walk.nodes) - walk.stays
    mass = np.bincount(groups, visits)
    cut = np.maximum(np.bincount(groups, leaves - home), 0)
    whole = cut.sum()
    length = float(_plogp(whole) + _own(cut, mass).sum())
    # Without the node, its group has this much less.
    left = np.maximum(cut[groups] - leaves + 2 * home, 0)
    leaving = _own(left, mass[groups] - visits) - _own(cut, mass)[groups]
    targets = groups.copy()
    members = _members(groups)
    for first in range(0, walk.nodes, _ROWS):
        there = (walk.flow[first : first + _ROWS] @ members).tocsr()
        row = first + np.repeat(np.arange(there.shape[0]), np.diff(there.indptr))
        other = groups[row] != there.indices
        row, group, link = row[other], there.indices[other], there.data[other]
        joined = cut[group] + leaves[row] - 2 * link
        change = leaving[row] + _own(joined, mass[group] + visits[row]) - _own(cut, mass)[group]
        less = (left - cut[groups])[row] + joined - cut[group]
        change += _plogp(np.maximum(whole + less, 0)) - _plogp(whole)
        best = np.zeros(walk.nodes)
        np.minimum.at(best, row, change)
        chosen = (change <= best[row]) & (change < -1e-12)
        targets[row[chosen]] = group[chosen]
    return targets, length


def _merged(walk: _Walk) -> Int[np.ndarray, " n"]:
    """Groups of nodes merged two by two, all pairs at once of which each gains most by the other."""
    groups = np.arange(walk.nodes)
    while True:
        mass, cut = walk.visits, walk.visits - walk.stays
        whole = cut.sum()
        pairs = walk.flow.tocoo()
        once = pairs.row < pairs.col
        low, high, link = pairs.row[once], pairs.col[once], pairs.data[once]
        joined = np.maximum(cut[low] + cut[high] - 2 * link, 0)
        alone = _own(cut, mass)
        change = _own(joined, mass[low] + mass[high]) - alone[low] - alone[high]
        change += _plogp(np.maximum(whole + joined - cut[low] - cut[high], 0)) - _plogp(whole)
        best = np.zeros(walk.nodes)
        np.minimum.at(best, low, change)
        np.minimum.at(best, high, change)
        mutual = np.flatnonzero((change < -1e-12) & (change == best[low]) & (change == best[high]))
        # Of pairs that share a group, which happens where they gain alike, the last.
        last = np.full(walk.nodes, -1)
        last[low[mutual]] = mutual
        last[high[mutual]] = mutual
        mutual = mutual[(last[low[mutual]] == mutual) & (last[high[mutual]] == mutual)]
        if not len(mutual):
            return groups
        to = np.arange(walk.nodes)
        to[high[mutual]] = low[mutual]
        to = _named(to)
        groups, walk = to[groups], walk.between(to)


def _plogp(share: Any) -> Any:
    return share * np.log2(np.where(share > 0, share, 1))


def _own(cut: Float[np.ndarray, " g"], mass: Float[np.ndarray, " g"]) -> Float[np.ndarray, " g"]:
    """What groups add to the code: of their share of time, and the share of steps that leave them."""
    return _plogp(cut + mass) - 2 * _plogp(cut)


def _members(groups: Int[np.ndarray, " n"]) -> Any:
    """1 where a node is in a group."""
    n = len(groups)
    from scipy.sparse import csr_array

    return csr_array((np.ones(n), groups, np.arange(n + 1)), shape=(n, int(groups.max()) + 1))


def _named(groups: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Groups as 0, 1, ... without gaps."""
    return np.unique(groups, return_inverse=True)[1]
