"""Which pictures make a batch: random ones, or m of each class."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int

from nearkin.errors import InvalidInput


def shuffled_batches(count: int, batch_size: int, *, seed: int) -> list[Int[np.ndarray, " batch"]]:
    """Rows 0..count-1 in random order, cut into batches; a short last batch is spread over the others.

    Example:
        >>> [len(batch) for batch in shuffled_batches(10, 4, seed=0)]
        [5, 5]
    """
    order = np.random.default_rng(seed).permutation(count)
    return np.array_split(order, max(1, count // batch_size))


def m_per_class_batches(
    labels: Int[np.ndarray, " n"], batch_size: int, m: int, *, seed: int
) -> list[Int[np.ndarray, " batch"]]:
    """Batches that hold m pictures of each of their classes, every picture once an epoch.

    The pictures of each class are shuffled and cut into groups of about m; a small class is one group. The groups are
    shuffled and laid end to end, so that a batch is about `batch_size` pictures and no group is torn.

    Args:
        labels: class ids.
        batch_size: wanted pictures of a batch.
        m: pictures of a class in a batch, 1 <= m <= batch_size.
        seed: of the random order.

    Raises:
        InvalidInput: m or batch_size out of range.

    Example:
        >>> batches = m_per_class_batches(np.array([0, 0, 0, 0, 1, 1, 1, 1]), batch_size=4, m=2, seed=0)
        >>> sorted(np.concatenate(batches).tolist())
        [0, 1, 2, 3, 4, 5, 6, 7]
    """
    if not 1 <= m <= batch_size:
        raise InvalidInput(f"pictures of a class in a batch: {m}, wanted 1 to the batch size, {batch_size}")
    random = np.random.default_rng(seed)
    groups = list(_groups_of_m(labels, m, random))
    order = random.permutation(len(groups))
    sizes = np.array([len(groups[group]) for group in order])
    # A group belongs to the batch in which its first picture falls.
    batches = max(1, len(labels) // batch_size)
    starts = np.cumsum(sizes) - sizes
    belongs = np.minimum(starts * batches // max(1, len(labels)), batches - 1)
    return [
        np.concatenate([groups[group] for group in order[belongs == batch]])
        for batch in range(batches)
        if (belongs == batch).any()
    ]


def _groups_of_m(labels: np.ndarray, m: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    order = random.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    for members in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
        # Equal groups instead of a short last one: a group of one picture would have no positive.
        yield from np.array_split(members, max(1, round(len(members) / m)))
