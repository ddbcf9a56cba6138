"""Links that others bear out: one bad link between two people is none."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

# Nodes whose common neighbours are counted at once.
_ROWS = 1 << 14


def confirmed(
    start: Int[np.ndarray, " m"], end: Int[np.ndarray, " m"], weight: Float[np.ndarray, " m"], n: int
) -> Bool[np.ndarray, " m"]:
    """Whether each link is the best of one of its ends, or has a node that both of its ends are linked with.

    Args:
        start, end: links between two of n nodes, each once.
        weight: of the links, > 0.

    Example:
        >>> start, end = np.array([0, 1, 2, 2, 3]), np.array([1, 2, 0, 3, 4])
        >>> confirmed(start, end, np.array([1, 1, 1, 0.9, 1]), 5).tolist()
        [True, True, True, False, True]
    """
    from scipy.sparse import csr_matrix

    best = np.zeros(n)
    np.maximum.at(best, start, weight)
    np.maximum.at(best, end, weight)
    found = (weight == best[start]) | (weight == best[end])
    ones = np.ones(2 * len(start), dtype=np.float32)
    graph: Any = csr_matrix((ones, (np.concatenate([start, end]), np.concatenate([end, start]))), shape=(n, n))
    order = np.argsort(start, kind="stable")
    bounds = np.searchsorted(start[order], np.arange(0, n + _ROWS, _ROWS))
    for first, begin, stop in zip(range(0, n, _ROWS), bounds[:-1], bounds[1:], strict=False):
        links = order[begin:stop]
        if len(links):
            common = (graph[first : first + _ROWS] @ graph)[start[links] - first, end[links]]
            found[links] |= np.asarray(common).ravel() > 0
    return found
