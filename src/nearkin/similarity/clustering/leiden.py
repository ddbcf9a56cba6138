"""Leiden communities of the neighbour graph, where the package graspologic-native is installed."""

import numpy as np
from jaxtyping import Int

from nearkin.errors import MissingDependency
from nearkin.similarity.clustering.engine.clusterer import Clusterer, Task

_NEAREST = 10


def leiden(task: Task) -> Int[np.ndarray, " n"]:
    """Communities of highest modularity on the graph of the ten nearest neighbours, weighed by their scores.

    Raises:
        MissingDependency: the package is not installed.

    Source: Traag, Waltman & van Eck 2019, From Louvain to Leiden: guaranteeing well-connected communities.
    """
    try:
        from graspologic_native import leiden as partition
    except ImportError as error:
        raise MissingDependency("graspologic-native", "clusters", "the clusterer 'leiden'") from error
    near = task.near(_NEAREST)
    start = np.repeat(np.arange(len(task)), near.rows.shape[1])
    end, weight = near.rows.ravel(), near.scores.ravel()
    kept = (end >= 0) & (weight > 0)
    edges = zip(map(str, start[kept].tolist()), map(str, end[kept].tolist()), weight[kept].tolist(), strict=True)
    # Its seed is positive.
    _, member = partition(list(edges), seed=task.seed + 1)
    found = np.full(len(task), -1, dtype=np.int64)
    for name, community in member.items():
        found[int(name)] = community
    return found


CLUSTERER = Clusterer("communities of highest modularity", leiden, package="pip install 'nearkin[clusters]'")
