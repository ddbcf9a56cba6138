"""Numbers of groups: by size at first, and kept from one clustering to the next."""

import numpy as np
from jaxtyping import Int


def by_size(groups: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The groups numbered 0, 1, ..., the largest first; of equal size the one whose first member comes first.

    Groups of one become -1: a vector that is like no other belongs nowhere.

    Example:
        >>> by_size(np.array([7, 3, 3, -1, 3, 9, 9])).tolist()
        [-1, 0, 0, -1, 0, 1, 1]
    """
    named, first, inverse, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    sizes = np.where((named < 0) | (sizes < 2), 0, sizes)
    order = np.lexsort([first, -sizes])
    number = np.empty(len(named), dtype=np.int64)
    number[order] = np.arange(len(named))
    return np.where(sizes > 0, number, -1)[inverse]


def keep_names(
    groups: Int[np.ndarray, " n"], previous: Int[np.ndarray, " n"], *, used: int = -1
) -> Int[np.ndarray, " n"]:
    """The groups by their earlier numbers: each takes that of the earlier group it has most members of.

    Where two want one number, the one with more of its members takes it. The others get numbers that no group had.

    Args:
        groups: -1 for none.
        previous: earlier groups of the same vectors; -1 for none, and for vectors that are new.
        used: the highest number that was ever given.

    Example:
        >>> keep_names(np.array([0, 0, 1, 1, 2]), np.array([5, 5, 3, -1, -1])).tolist()
        [5, 5, 3, 3, 6]
    """
    both = (groups >= 0) & (previous >= 0)
    pairs, shared = np.unique(np.stack([groups[both], previous[both]]), axis=1, return_counts=True)
    name: dict[int, int] = {}
    taken: set[int] = set()
    for group, earlier in pairs[:, np.lexsort([pairs[1], pairs[0], -shared])].T.tolist():
        if group not in name and earlier not in taken:
            name[group] = earlier
            taken.add(earlier)
    fresh = max(int(previous.max(initial=-1)), used) + 1
    new = np.full(int(groups.max(initial=-1)) + 2, -1, dtype=np.int64)
    for group in np.unique(groups[groups >= 0]).tolist():
        if group in name:
            new[group] = name[group]
        else:
            new[group], fresh = fresh, fresh + 1
    return new[groups]
