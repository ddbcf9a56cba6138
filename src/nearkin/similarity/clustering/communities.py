"""The default: average linkage on the neighbour graph, cut where neighbours hold together and groups stand apart."""

import numpy as np
from jaxtyping import Float, Int

from nearkin.similarity.clustering.engine.clusterer import Clusterer, Task
from nearkin.similarity.clustering.engine.distinct import distinct
from nearkin.similarity.clustering.engine.level import best_level
from nearkin.similarity.clustering.engine.linkage import average_linkage_tree, edge_scores
from nearkin.similarity.clustering.engine.neighbours import Neighbours, find_neighbours
from nearkin.similarity.clustering.engine.spread import drawn_to_neighbours, spread_out

NEAREST = 15
# How much weaker the strong directions become where no calibration says that scores can be taken as they are.
_POWER = 0.5
# Groups that are no more alike than any two vectors on average are not one.
_LEAST = 1e-3


def communities(task: Task) -> Int[np.ndarray, " n"]:
    """Groups by average linkage on the graph of nearest neighbours.

    Two groups are as alike as their members are on average, so that one bad link does not chain two people. Vectors
    are drawn to their nearest neighbours before, which makes average linkage more certain. Where neither k nor a
    threshold is given, the tree of groups is cut where groups stand apart and neighbours are together, see
    `best_level`; and pairs that a calibration calls different are no links.
    """
    rows, position = distinct(task.vectors)
    if len(rows) < 2:
        return position
    weights = np.bincount(position).astype(np.float64)
    points = task.vectors if len(rows) == len(task) else task.vectors[rows]
    if task.threshold is not None:
        # A threshold is one of scores as they are.
        near = task.near(NEAREST) if len(rows) == len(task) else find_neighbours(points, NEAREST, seed=task.seed)
        tree = average_linkage_tree(points, _edges(near), least=task.threshold, weights=weights)
        return tree.cut(task.threshold)[position]
    plain = spread_out(points, power=_POWER if task.least is None else 0.0, seed=task.seed)
    near = find_neighbours(plain, NEAREST, seed=task.seed)
    drawn = drawn_to_neighbours(plain, near, weights)
    if task.k is not None:
        # With a chain through all points, so that each can be reached from each.
        chain = np.stack([np.arange(len(points) - 1), np.arange(1, len(points))], axis=1)
        edges = np.concatenate([_edges(near), chain])
        return average_linkage_tree(drawn, edges, least=-np.inf, weights=weights).cut_into(task.k)[position]
    if task.least is not None:
        near = _without_different(near, points, task.least)
    tree = average_linkage_tree(drawn, _edges(near), least=_LEAST, weights=weights)
    return tree.cut(best_level(tree, (drawn, plain), weights, near, seed=task.seed))[position]


def _edges(near: Neighbours) -> Int[np.ndarray, "m 2"]:
    """Pairs of neighbours."""
    n, k = near.rows.shape
    pairs = np.stack([np.repeat(np.arange(n), k), near.rows.ravel()], axis=1)
    return pairs[pairs[:, 1] >= 0]


def _without_different(near: Neighbours, vectors: Float[np.ndarray, "n dim"], least: float) -> Neighbours:
    """The neighbours whose score, as it is, is the least or more; -1 for the others."""
    n, k = near.rows.shape
    pairs = np.stack([np.repeat(np.arange(n), k), near.rows.ravel()], axis=1)
    alike = edge_scores(vectors, np.ones(n), pairs).reshape(n, k) >= least
    return Neighbours(near.scores, np.where(alike, near.rows, -1))


CLUSTERER = Clusterer("average linkage on the neighbour graph; finds the number of groups", communities)
