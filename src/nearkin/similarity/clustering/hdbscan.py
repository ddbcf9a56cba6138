"""HDBSCAN: groups are where vectors lie denser than around."""

import numpy as np
from jaxtyping import Int

from nearkin.similarity.clustering.engine.clusterer import Clusterer, Task

_FEWEST = 3


def hdbscan(task: Task) -> Int[np.ndarray, " n"]:
    """HDBSCAN (scikit-learn), groups of three or more.

    Source: Campello, Moulavi & Sander 2013, Density-based clustering based on hierarchical density estimates.
    """
    from sklearn.cluster import HDBSCAN

    if len(task) < _FEWEST:
        return np.full(len(task), -1, dtype=np.int64)
    return HDBSCAN(min_cluster_size=_FEWEST, min_samples=1, copy=True).fit_predict(task.vectors).astype(np.int64)


CLUSTERER = Clusterer("where vectors lie denser than around (scikit-learn); slow above 20,000", hdbscan)
