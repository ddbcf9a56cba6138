"""Groups against classes: BCubed and pairwise precision, recall and F."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int


def bcubed_scores(
    shared: Float[np.ndarray, " cells"], of_group: Float[np.ndarray, " cells"], of_class: Float[np.ndarray, " cells"]
) -> dict[str, float]:
    """Of each thing's group the share of its class, of its class the share in its group, averaged over things.

    Args:
        shared: things in both, for each group and class that have some in common.
        of_group, of_class: sizes of that group and class.

    Source: Amigó et al. 2009, A comparison of extrinsic clustering evaluation metrics based on formal constraints.
    """
    n = shared.sum()
    return _f_scores("bcubed", float((shared**2 / of_group).sum() / n), float((shared**2 / of_class).sum() / n))


def pairwise_scores(
    shared: Float[np.ndarray, " cells"], groups: Float[np.ndarray, " g"], classes: Float[np.ndarray, " c"]
) -> dict[str, float]:
    """Of the pairs in one group those of one class, and the other way round; 1 where there is no such pair.

    Args:
        shared: as in `bcubed_scores`.
        groups, classes: sizes.
    """
    both = pairs_of(shared)
    return _f_scores("pairwise", _share(both, pairs_of(groups)), _share(both, pairs_of(classes)))


def mean_f(groups: Int[np.ndarray, " n"], labels: Int[np.ndarray, " n"]) -> float:
    """The mean of pairwise and BCubed F.

    Args:
        groups: 0, 1, ...; of things in no group a number of their own.
        labels: class ids, 0, 1, ...

    Example:
        >>> mean_f(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]))
        1.0
    """
    of_group, of_class = (np.bincount(side).astype(np.float64) for side in (groups, labels))
    cells, shared = np.unique(groups.astype(np.int64) * len(of_class) + labels, return_counts=True)
    counts: Any = shared.astype(np.float64)
    bcubed = bcubed_scores(counts, of_group[cells // len(of_class)], of_class[cells % len(of_class)])
    return (bcubed["bcubed_f"] + pairwise_scores(counts, of_group, of_class)["pairwise_f"]) / 2


def pairs_of(counts: Float[np.ndarray, " k"]) -> float:
    """How many pairs there are within groups of these sizes."""
    return float((counts * (counts - 1) / 2).sum())


def _f_scores(name: str, precision: float, recall: float) -> dict[str, float]:
    f = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {f"{name}_precision": precision, f"{name}_recall": recall, f"{name}_f": f}


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 1.0
