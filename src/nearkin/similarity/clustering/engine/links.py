"""What people have said: these two belong together, those two do not. Groups are joined and parted accordingly."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from nearkin.errors import InvalidInput
from nearkin.similarity.clustering.engine.linkage import average_linkage_tree
from nearkin.similarity.clustering.engine.neighbours import find_neighbours

# Pairs of rows.
Links = Sequence[tuple[int, int]]
# Members of a group that is parted: up to so many, each may join each.
_ALL_PAIRS = 1000
_NEAREST = 30


def check_links(must: Iterable[tuple[int, int]], cannot: Iterable[tuple[int, int]], n: int) -> None:
    """Refuse links that name no row, or contradict each other.

    Raises:
        InvalidInput: as said.
    """
    must, cannot = list(must), list(cannot)
    for name, links in (("must", must), ("cannot", cannot)):
        for link in links:
            if len(link) != 2 or not all(0 <= row < n for row in link):
                raise InvalidInput(f"{name}: {link} is no pair of rows, 0 to {n - 1}")
    together = _components(must, n)
    for a, b in cannot:
        if together[a] == together[b]:
            raise InvalidInput(f"rows {a} and {b} cannot be in one group, and must be by other links: take one back")


def obey(
    groups: Int[np.ndarray, " n"], vectors: Float[np.ndarray, "n dim"], must: Links, cannot: Links
) -> Int[np.ndarray, " n"]:
    """The groups after links: those that a must-link joins are one, those with a cannot-link inside are parted.

    A group is parted by average linkage of its members, which merges all that it may.

    Args:
        groups: -1 for vectors in none.
        vectors: unit vectors.
        must, cannot: pairs of rows, that `check_links` found right.

    Example:
        >>> obey(np.array([0, 0, -1]), np.eye(3, dtype=np.float32), must=[(1, 2)], cannot=[(0, 1)]).tolist()
        [0, 1, 1]
    """
    if not must and not cannot:
        return groups
    linked = np.unique(np.array([*must, *cannot], dtype=np.int64))
    joined = groups.astype(np.int64, copy=True)
    # Those in no group get one of their own, for now.
    alone = linked[joined[linked] < 0]
    joined[alone] = joined.max(initial=-1) + 1 + np.arange(len(alone))
    if must:
        joined = np.where(joined >= 0, _components(joined[np.array(must)], int(joined.max()) + 1)[joined], -1)
    if cannot:
        pairs = np.array(cannot)
        inside = joined[pairs[:, 0]] == joined[pairs[:, 1]]
        for group in np.unique(joined[pairs[inside, 0]]):
            members = np.flatnonzero(joined == group)
            parts = _parted(members, vectors[members], must, pairs)
            joined[members] = np.where(parts == 0, group, joined.max() + parts)
    lonely = np.isin(joined, np.flatnonzero(np.bincount(joined[joined >= 0]) == 1))
    return np.where(lonely & (joined >= 0) & np.isin(np.arange(len(groups)), alone), -1, joined)


def _parted(
    members: Int[np.ndarray, " m"], vectors: Float[np.ndarray, "m dim"], must: Links, cannot: Int[np.ndarray, "c 2"]
) -> Int[np.ndarray, " m"]:
    """Parts 0, 1, ... of a group such that no cannot-link lies within one."""
    place = {row: position for position, row in enumerate(members.tolist())}
    together = [(place[a], place[b]) for a, b in must if a in place and b in place]
    # What must be together is one point, of their mean direction and weight.
    point = _components(together, len(members))
    weight = np.bincount(point).astype(np.float64)
    mean = np.zeros((len(weight), vectors.shape[1]), np.float32)
    np.add.at(mean, point, vectors)
    mean /= weight[:, None].astype(np.float32)
    apart = [(int(point[place[a]]), int(point[place[b]])) for a, b in cannot.tolist() if a in place and b in place]
    tree = average_linkage_tree(mean, _edges(mean), least=-np.inf, weights=weight, forbidden=apart)
    return np.unique(tree.cut(-np.inf), return_inverse=True)[1][point]


def _edges(vectors: Float[np.ndarray, "m dim"]) -> Int[np.ndarray, "e 2"]:
    n = len(vectors)
    if n <= _ALL_PAIRS:
        return np.stack(np.triu_indices(n, 1), axis=1)
    near = find_neighbours(vectors, _NEAREST).rows
    chain = np.stack([np.arange(n - 1), np.arange(1, n)], axis=1)
    return np.concatenate([np.stack([np.repeat(np.arange(n), near.shape[1]), near.ravel()], axis=1), chain])


def _components(links: Iterable[Any], n: int) -> Int[np.ndarray, " n"]:
    """Numbers of the connected components."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = np.array([tuple(link) for link in links], dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def part_in_two(vectors: Float[np.ndarray, "n dim"]) -> Bool[np.ndarray, " n"]:
    """Which of a group's members are in the first of two halves, by average linkage; two members or more.

    Example:
        >>> part_in_two(np.eye(2, dtype=np.float32)[[0, 0, 1]]).tolist()
        [True, True, False]
    """
    halves = average_linkage_tree(vectors, _edges(vectors), least=-np.inf).cut_into(2)
    return halves == halves[0]
