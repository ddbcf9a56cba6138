"""EVoC: embedding vector oriented clustering, where the package is installed."""

import numpy as np
from jaxtyping import Int

from nearkin.errors import MissingDependency
from nearkin.similarity.clustering.engine.clusterer import Clusterer, Task

_FEWEST = 20


def evoc(task: Task) -> Int[np.ndarray, " n"]:
    """EVoC: a layout in few dimensions and density on it; fewer than 20 vectors are in no group.

    Raises:
        MissingDependency: the package is not installed.

    Source: Tutte Institute, https://github.com/TutteInstitute/evoc.
    """
    try:
        from evoc import EVoC
    except ImportError as error:
        raise MissingDependency("evoc", "clusters", "the clusterer 'evoc'") from error
    if len(task) < _FEWEST:
        return np.full(len(task), -1, dtype=np.int64)
    return np.asarray(EVoC(random_state=task.seed).fit_predict(task.vectors), dtype=np.int64)


CLUSTERER = Clusterer("density in few dimensions", evoc, package="pip install 'nearkin[clusters]'")
