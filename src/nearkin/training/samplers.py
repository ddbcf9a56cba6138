"""Which pictures make a batch: random ones, or m of each class, of classes that are alike or of one group."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

import numpy as np
from jaxtyping import Float, Int

from nearkin.arrays import unit
from nearkin.errors import InvalidInput

# A class is brought together with up to so many others that are alike, less one; a batch holds several such clusters.
CLUSTER = 8

# Classes among which the nearest are sought: with more, chance deals them into hands of this size.
NEAREST_AMONG = 8192


def shuffled_batches(count: int, batch_size: int, *, seed: int) -> list[Int[np.ndarray, " batch"]]:
    """Rows 0..count-1 in random order, cut into batches; a short last batch is spread over the others.

    Example:
        >>> [len(batch) for batch in shuffled_batches(10, 4, seed=0)]
        [5, 5]
    """
    order = np.random.default_rng(seed).permutation(count)
    return np.array_split(order, max(1, count // batch_size))


def m_per_class_batches(
    labels: Int[np.ndarray, " n"],
    batch_size: int,
    m: int,
    *,
    seed: int,
    groups: Sequence[object] | None = None,
    class_means: Float[np.ndarray, "classes dim"] | None = None,
) -> list[Int[np.ndarray, " batch"]]:
    """Batches that hold m pictures of each of their classes, every picture once an epoch.

    The pictures of each class are shuffled and cut into bundles of about m; a small class is one bundle. The bundles
    of a class are spread evenly over the epoch, in random order otherwise, and laid end to end; so a batch is about
    `batch_size` pictures, and no bundle is torn.

    Hard classes: with `class_means`, a class drawn by chance and those nearest to it are a cluster that stays
    together in the epoch; a batch holds several clusters, hence classes that are confused and classes that are not.

    Groups: with `groups`, a batch holds classes of one group only. Groups with one class, or with less than half of a
    batch, are taken together.

    Args:
        labels: class ids; 0, 1, ... if `class_means` are given.
        batch_size: pictures of a batch.
        m: pictures of a class in a batch, 1 <= m <= batch_size.
        seed: of the random order.
        groups: one entry per picture, such as its alphabet; equal entries are one group.
        class_means: a vector for each class, near for classes that are alike.

    Raises:
        InvalidInput: m or batch_size out of range, or groups of another length.

    Example:
        >>> batches = m_per_class_batches(np.array([0, 0, 0, 0, 1, 1, 1, 1]), batch_size=4, m=2, seed=0)
        >>> sorted(np.concatenate(batches).tolist())
        [0, 1, 2, 3, 4, 5, 6, 7]

    Source: Hermans et al. 2017, arXiv:1703.07737, section 2 (m of a class); Smirnov et al. 2017, Doppelganger Mining
    for Face Representation Learning, and Suh et al. 2019, Stochastic Class-based Hard Example Mining for Deep Metric
    Learning (classes nearest to a class drawn by chance).
    """
    if not 1 <= m <= batch_size:
        raise InvalidInput(f"pictures of a class in a batch: {m}, expected 1 to the batch size, {batch_size}")
    if groups is not None and len(groups) != len(labels):
        raise InvalidInput(f"groups: {len(groups)} given for {len(labels)} pictures")
    random = np.random.default_rng(seed)
    if groups is None:
        return _batches(labels, batch_size, m, random, class_means)
    batches = [
        rows[batch]
        for rows in _rows_of_groups(labels, groups, batch_size)
        for batch in _batches(labels[rows], batch_size, m, random, class_means)
    ]
    return [batches[position] for position in random.permutation(len(batches))]


def _rows_of_groups(labels: np.ndarray, groups: Sequence[object], batch_size: int) -> list[np.ndarray]:
    """The rows of each group; those of all groups that are too small for a batch of their own come last."""
    members: dict[object, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    large: list[np.ndarray] = []
    small: list[np.ndarray] = []
    for rows in map(np.array, members.values()):
        suffices = 2 * len(rows) >= batch_size and len(np.unique(labels[rows])) > 1
        (large if suffices else small).append(rows)
    return [*large, np.concatenate(small)] if small else large


def _batches(
    labels: np.ndarray, batch_size: int, m: int, random: np.random.Generator, class_means: np.ndarray | None
) -> list[np.ndarray]:
    bundles = _bundles(labels, m, random)
    size = 1 if class_means is None else min(CLUSTER, batch_size // m)
    clusters = _clusters(list(bundles), size, random, class_means)
    pieces, positions = [], []
    for cluster in clusters:
        rounds = list(zip_longest(*(bundles[label] for label in cluster)))
        pieces += [np.concatenate([bundle for bundle in one if bundle is not None]) for one in rounds]
        positions += ((np.arange(len(rounds)) + random.random(len(rounds))) / len(rounds)).tolist()
    order = np.argsort(positions).astype(np.int64)
    return _cut([pieces[position] for position in order], batch_size)


def _bundles(labels: np.ndarray, m: int, random: np.random.Generator) -> dict[int, list[np.ndarray]]:
    """About m pictures each, by class."""
    order = random.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    classes = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if len(labels) else []
    # Equal bundles instead of a short last one: a bundle of one picture would have no positive.
    return {int(labels[rows[0]]): np.array_split(rows, max(1, round(len(rows) / m))) for rows in classes}


def _clusters(
    classes: list[int], size: int, random: np.random.Generator, class_means: np.ndarray | None
) -> Iterator[list[int]]:
    """All classes, `size` together: one drawn by chance, and the nearest of those not yet taken."""
    if class_means is None:
        yield from ([label] for label in classes)
        return
    drawn = random.permutation(np.array(classes))
    for hand in np.array_split(drawn, -(-len(drawn) // NEAREST_AMONG) or 1):
        left = hand
        means = unit(class_means[left])
        while len(left):
            nearness = means @ means[0]
            # Exactly first, whatever rounding says of a vector and itself.
            nearness[0] = np.inf
            taken = np.argsort(-nearness, kind="stable")[:size]
            yield left[taken].tolist()
            left, means = np.delete(left, taken), np.delete(means, taken, axis=0)


def _cut(pieces: list[np.ndarray], batch_size: int) -> list[np.ndarray]:
    """Pieces laid end to end and cut into batches; a piece belongs to the batch in which its first row falls."""
    sizes = np.array([len(piece) for piece in pieces], dtype=np.int64)
    total = int(sizes.sum())
    count = max(1, round(total / batch_size))
    belongs = np.minimum((np.cumsum(sizes) - sizes) * count // max(1, total), count - 1)
    return [
        np.concatenate([pieces[position] for position in np.flatnonzero(belongs == batch)])
        for batch in range(count)
        if (belongs == batch).any()
    ]
