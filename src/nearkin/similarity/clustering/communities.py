"""The default: communities that a random walk from neighbour to neighbour stays in for long."""

import numpy as np
from jaxtyping import Int

from nearkin.similarity.clustering.engine.clusterer import Clusterer, Task
from nearkin.similarity.clustering.engine.distinct import distinct
from nearkin.similarity.clustering.engine.linkage import average_linkage_tree
from nearkin.similarity.clustering.engine.linking import Candidates, Linking
from nearkin.similarity.clustering.engine.map_equation import map_equation_groups
from nearkin.similarity.clustering.engine.neighbours import Neighbours, find_neighbours
from nearkin.similarity.clustering.engine.strictness import find_strictness

# For average linkage.
_NEAREST = 15
# Where no calibration says it; how strict links are is found out. With k, weaker strong directions grouped five of
# seven sets of real pictures better, one as well and one (faces) worse.
_UNTOLD = Linking(power=0.0, nearest=30, strictness=None)
_UNTOLD_WITH_K = Linking(power=0.5, nearest=30, strictness=None)


def communities(task: Task) -> Int[np.ndarray, " n"]:
    """Groups by the map equation on the graph of nearest neighbours.

    Vectors are drawn to their nearest neighbours first, which makes scores more certain. Neighbours are linked that
    are more alike than nearest neighbours in shapeless data, by as much as a calibration says, or else as
    `find_strictness` finds. Where k or a threshold is given, groups merge along the links by average linkage instead.
    """
    rows, position = distinct(task.vectors)
    if len(rows) < 2:
        return position
    weights = np.bincount(position).astype(np.float64)
    points = task.vectors if len(rows) == len(task) else task.vectors[rows]
    if task.threshold is not None:
        # A threshold is one of scores as they are.
        near = task.near(_NEAREST) if len(rows) == len(task) else find_neighbours(points, _NEAREST, seed=task.seed)
        tree = average_linkage_tree(points, _edges(near), least=task.threshold, weights=weights)
        return tree.cut(task.threshold)[position]
    linking = task.linking or (_UNTOLD if task.k is None else _UNTOLD_WITH_K)
    candidates = Candidates.of(points, weights, linking, seed=task.seed)
    if task.k is not None:
        # With a chain through all points, so that each can be reached from each.
        chain = np.stack([np.arange(len(points) - 1), np.arange(1, len(points))], axis=1)
        edges = np.concatenate([_edges(candidates.near), chain])
        tree = average_linkage_tree(candidates.drawn, edges, least=-np.inf, weights=weights)
        return tree.cut_into(task.k)[position]
    strictness = linking.strictness if task.linking else find_strictness(candidates, points, linking, seed=task.seed)
    return map_equation_groups(*candidates.linked(strictness), len(points), seed=task.seed)[position]


def _edges(near: Neighbours) -> Int[np.ndarray, "m 2"]:
    """Pairs of neighbours."""
    n, k = near.rows.shape
    pairs = np.stack([np.repeat(np.arange(n), k), near.rows.ravel()], axis=1)
    return pairs[pairs[:, 1] >= 0]


CLUSTERER = Clusterer("communities of the neighbour graph (map equation); finds the number of groups", communities)
