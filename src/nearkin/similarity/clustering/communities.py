"""The default: average linkage on the neighbour graph, cut where neighbours hold together and groups stand apart."""

import numpy as np
from jaxtyping import Int

from nearkin.similarity.clustering.engine.clusterer import Clusterer, Task
from nearkin.similarity.clustering.engine.distinct import distinct
from nearkin.similarity.clustering.engine.level import best_level
from nearkin.similarity.clustering.engine.linkage import average_linkage_tree
from nearkin.similarity.clustering.engine.neighbours import Neighbours, find_neighbours
from nearkin.similarity.clustering.engine.spread import spread_out

NEAREST = 15
# Groups that are no more alike than any two vectors on average are not one.
_LEAST = 1e-3


def communities(task: Task) -> Int[np.ndarray, " n"]:
    """Groups by average linkage on the graph of nearest neighbours.

    One link joins two groups only if their members are alike on average, so that one bad link does not chain two
    people. Where neither k nor a threshold is given, the tree is cut where groups stand apart and neighbours are
    together, see `best_level`; not below the score that a calibration calls different.
    """
    rows, position = distinct(task.vectors)
    weights = np.bincount(position).astype(np.float64)
    points = task.vectors if len(rows) == len(task) else task.vectors[rows]
    if len(points) < 2:
        return position
    # Thresholds are of the scores as they are.
    as_they_are = task.threshold is not None or task.least is not None
    if not as_they_are:
        points = spread_out(points, seed=task.seed)
    known = as_they_are and len(rows) == len(task)
    near = task.near(NEAREST) if known else find_neighbours(points, NEAREST, seed=task.seed)
    edges = _edges(near)
    if task.k is not None:
        # With a chain through all points, so that each can be reached from each.
        chain = np.stack([np.arange(len(points) - 1), np.arange(1, len(points))], axis=1)
        tree = average_linkage_tree(points, np.concatenate([edges, chain]), least=-np.inf, weights=weights)
        return tree.cut_into(task.k)[position]
    least = next((one for one in (task.threshold, task.least) if one is not None), _LEAST)
    tree = average_linkage_tree(points, edges, least=least, weights=weights)
    cut = best_level(tree, points, weights, near, seed=task.seed) if task.threshold is None else task.threshold
    return tree.cut(cut)[position]


def _edges(near: Neighbours) -> Int[np.ndarray, "m 2"]:
    """Pairs of neighbours."""
    n, k = near.rows.shape
    pairs = np.stack([np.repeat(np.arange(n), k), near.rows.ravel()], axis=1)
    return pairs[pairs[:, 1] >= 0]


CLUSTERER = Clusterer("average linkage on the neighbour graph; finds the number of groups", communities)
