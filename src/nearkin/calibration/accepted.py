"""What each of many thresholds accepts, by class and by pair of classes, from all pairs of labelled pictures."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from nearkin.calibration.pair_scores import TABLE, CellWeights, Classes, blocks

# Sorting so many comparisons to a cell of a table takes as long as filling and adding up the table.
_LARGE = 1


class Accepted(NamedTuple):
    """Weight of what each threshold accepts.

    Args:
        between: of the different comparisons of each class `[classes, thresholds]`.
        within: of the comparisons within each class `[classes, thresholds]`.
        squares: sum over pairs of classes of their squared weight `[thresholds]`.
        products: sum over pairs of classes of their weight times that of all their comparisons `[thresholds]`.
        cells: pairs of classes of which any comparison is accepted `[thresholds]`.
    """

    between: Float[np.ndarray, "classes thresholds"]
    within: Float[np.ndarray, "classes thresholds"]
    squares: Float[np.ndarray, " thresholds"]
    products: Float[np.ndarray, " thresholds"]
    cells: Float[np.ndarray, " thresholds"]


def count_accepted(
    vectors: Float[np.ndarray, "n dim"],
    classes: Classes,
    weights: CellWeights,
    at: Int[np.ndarray, " thresholds"],
    advance: Callable[[int], None],
) -> Accepted:
    """Exact counts at every threshold, in one pass over all pairs.

    Args:
        vectors: unit vectors, sorted by class.
        classes: of the rows.
        weights: of the comparisons.
        at: thresholds, as steps; rising, the first one no higher than any step that occurs.
        advance: called with the rows done.
    """
    total, width = len(classes.starts), len(at) + 1
    # How many thresholds a step passes; step 0, no comparison, passes none.
    passed = np.searchsorted(at, np.arange(TABLE), side="right").astype(np.int32)
    between, within = np.zeros((total, width)), np.zeros((total, width))
    pairs = _PairSums(classes, weights, width)
    row_weights = None if weights.are_equal else weights.between[classes.ids]
    for block in blocks([vectors], classes):
        later = total - block.first
        columns, rows = ((classes.ids[part] - block.first).astype(np.int32) for part in (
            slice(block.start, None), slice(block.start, block.stop),
        ))  # fmt: skip
        bins = passed[block.different[0]]
        keys = bins + width * columns
        of_rows = of_columns = None
        if row_weights is not None:
            of_rows, of_columns = row_weights[block.start : block.stop, None], row_weights[block.start :]
        between[block.first :] += _table(keys, later, width, of_rows)
        between[block.first :] += _table(bins + width * rows[:, None], later, width, of_columns)
        within += _table(passed[block.same[0]] + width * block.same_classes, total, width)
        for one, start in enumerate(block.row_starts.tolist()):
            # The rows of a class against all classes that follow it.
            following = int(block.column_starts[one + 1]) if one + 1 < later else keys.shape[1]
            some = keys[start : start + block.rows[one], following:]
            pairs.add(some, block.first, block.first + one, is_last=block.is_last)
        advance(block.stop)
    return Accepted(
        from_each_on(between) * weights.between[:, None], from_each_on(within) * weights.within[:, None], *pairs.sums()
    )


def from_each_on(counts: Float[np.ndarray, "*rows bins"]) -> Float[np.ndarray, "*rows thresholds"]:
    """What passes each threshold, from what passes so many of them; the first bin passes none."""
    return np.cumsum(counts[..., :0:-1], axis=-1)[..., ::-1]


def _table(
    keys: np.ndarray, rows: int, width: int, weights: np.ndarray | None = None
) -> Float[np.ndarray, "rows bins"]:
    flat = None if weights is None else np.broadcast_to(weights, keys.shape).ravel()
    return np.bincount(keys.ravel(), weights=flat, minlength=rows * width).reshape(rows, width).astype(np.float64)


class _PairSums:
    """Sums over pairs of classes of what each of them adds at each threshold."""

    def __init__(self, classes: Classes, weights: CellWeights, width: int) -> None:
        self.sizes, self.weights, self.width = classes.sizes, weights.between, width
        self.by_threshold, self.by_bin = np.zeros((3, width - 1)), np.zeros((3, width))
        self.begun: np.ndarray | None = None

    def add(self, keys: Int[np.ndarray, "rows columns"], first: int, one: int, *, is_last: bool) -> None:
        """Some rows of a class against the classes that follow it.

        Args:
            keys: class, counted from `first`, times width, plus thresholds passed.
            first: class of the keys' zero.
            one: class of the rows.
            is_last: whether no other rows of it follow.
        """
        later = len(self.sizes) - first
        squared = (self.weights[one] * self.weights[first:]) ** 2
        all_of = squared * self.sizes[one] * self.sizes[first:]
        if self.begun is None and is_last and keys.size < _LARGE * later * self.width:
            self._sort(keys.ravel(), squared, all_of)
            return
        counts = _table(keys, later, self.width)
        if self.begun is not None:
            counts += self.begun
        self.begun = None if is_last else counts
        if is_last:
            passing = from_each_on(counts)
            self.by_threshold += squared @ passing**2, all_of @ passing, (passing > 0).sum(axis=0)

    def _sort(self, keys: np.ndarray, squared: np.ndarray, all_of: np.ndarray) -> None:
        """The same for few comparisons: the k-th highest of a pair of classes raises k - 1 squared to k squared."""
        falling = np.sort(keys)[::-1]
        owner, passed = np.divmod(falling, self.width)
        is_first = np.append(True, owner[1:] != owner[:-1])[: len(owner)]
        starts = np.flatnonzero(is_first)
        before = np.arange(len(owner)) - np.repeat(starts, np.diff(np.append(starts, len(owner))))
        for row, values in enumerate((squared[owner] * (2 * before + 1), all_of[owner], is_first)):
            self.by_bin[row] += np.bincount(passed, weights=values, minlength=self.width)

    def sums(self) -> Float[np.ndarray, "3 thresholds"]:
        """`squares`, `products` and `cells` of `Accepted`."""
        return self.by_threshold + from_each_on(self.by_bin)
