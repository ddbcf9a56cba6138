"""DBSCAN: groups are where vectors lie dense."""

import numpy as np
from jaxtyping import Int

from nearkin.similarity.clustering.engine.clusterer import Clusterer, Task

_DENSE = 4


def dbscan(task: Task) -> Int[np.ndarray, " n"]:
    """DBSCAN (scikit-learn): vectors with three others or more within reach, and what such vectors reach.

    Without a threshold the reach is the median distance to the third neighbour.

    Source: Ester et al. 1996, A density-based algorithm for discovering clusters in large spatial databases with noise.
    """
    from sklearn.cluster import DBSCAN

    if len(task) < 2:
        return np.full(len(task), -1, dtype=np.int64)
    least = task.threshold
    if least is None:
        least = float(np.median(task.near(_DENSE - 1).scores[:, -1]))
    # Of unit vectors |x - y|^2 = 2 - 2 x.y.
    reach = float(np.sqrt(max(2 - 2 * least, 0))) + 1e-6
    return DBSCAN(eps=reach, min_samples=_DENSE).fit_predict(task.vectors).astype(np.int64)


CLUSTERER = Clusterer("where vectors lie dense, by one density for all (scikit-learn)", dbscan)
