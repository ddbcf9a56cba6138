"""Scores of all pairs of labelled pictures, block by block: a billion comparisons in bounded memory.

The one place where comparisons are counted: the table of `evaluate`, ROC curves and calibrations rest on it. Scores
are told apart to steps of 2^-20, about the rounding error of a float32 dot product, and counted by step. So every rate
at every threshold is exact for the scores as rounded, from far = 1 down to a single comparison; nothing is sampled.
Equal vectors fall on one step, however the matrix product rounded them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int

from nearkin.arrays import as_ids, as_vectors, unit
from nearkin.calibration.error_rates import ScoreCounts
from nearkin.calibration.weighting import Weighting
from nearkin.progress import Progress

STEPS = 1 << 20  # from 0 to 1, and as many below
TABLE = 2 * STEPS + 4  # steps, of which 0 stands for no comparison
# Scores at a time: 16 MiB, and twice as much again for their steps.
_BLOCK = 1 << 22


@dataclass(frozen=True, eq=False)
class Classes:
    """Which pictures are compared: those with a label, sorted by class.

    Args:
        order: rows of the pictures, sorted by class `[n]`; rows with a negative label take no part.
        ids: class of each sorted row, 0, 1, ... `[n]`.
        starts, ends: class c has the sorted rows starts[c] : ends[c] `[classes]`.
        rows: how many rows were given.
    """

    order: Int[np.ndarray, " n"]
    ids: Int[np.ndarray, " n"]
    starts: Int[np.ndarray, " c"]
    ends: Int[np.ndarray, " c"]
    rows: int

    @staticmethod
    def of(labels: npt.ArrayLike) -> "Classes":
        """Args: labels: class ids `[n]`; negative ones stand for no class."""
        given = as_ids(labels, "labels", length=np.size(labels))
        order = np.argsort(given, kind="stable")
        order = order[given[order] >= 0]
        _, ids, counts = np.unique(given[order], return_inverse=True, return_counts=True)
        return Classes(order, ids, np.cumsum(counts) - counts, np.cumsum(counts), len(given))

    @property
    def sizes(self) -> Int[np.ndarray, " c"]:
        """Pictures of each class."""
        return self.ends - self.starts

    @property
    def repeated(self) -> int:
        """Classes with two pictures or more."""
        return int((self.sizes > 1).sum())

    @property
    def pairs(self) -> int:
        """Pairs of different classes."""
        return len(self.starts) * (len(self.starts) - 1) // 2

    @property
    def same(self) -> Int[np.ndarray, " c"]:
        """Comparisons within each class."""
        return self.sizes * (self.sizes - 1) // 2

    @property
    def different(self) -> int:
        """Comparisons of different classes."""
        total = len(self.ids)
        return (total * (total - 1)) // 2 - int(self.same.sum())

    def sorted(self, embeddings: npt.ArrayLike) -> Float[np.ndarray, "n dim"]:
        """Unit vectors of the sorted rows.

        Raises:
            InvalidInput: NaN, or another number of rows than of labels.
        """
        vectors = as_vectors(embeddings, "embeddings")
        as_ids(np.empty(self.rows, dtype=np.int64), "labels", length=len(vectors))
        return unit(vectors[self.order])

    def weights(self, weighting: Weighting) -> "CellWeights":
        """What a comparison weighs."""
        sizes, same = self.sizes.astype(np.float64), self.same.astype(np.float64)
        if weighting == "comparisons":
            return CellWeights(weighting, np.ones(len(sizes)), np.ones(len(sizes)))
        # As many in all as there are comparisons.
        between = np.sqrt(self.different / max(self.pairs, 1)) / sizes
        within = np.divide(same.sum(), same * self.repeated, out=np.zeros_like(same), where=same > 0)
        return CellWeights(weighting, between, within)


class CellWeights(NamedTuple):
    """What a comparison weighs: of classes c and d between[c] * between[d], within class c within[c]; 1 in the mean."""

    weighting: Weighting
    between: Float[np.ndarray, " c"]
    within: Float[np.ndarray, " c"]

    def leverage(self, classes: Classes) -> tuple[Float[np.ndarray, " c"], Float[np.ndarray, " c"]]:
        """Shares of all weight: of the different comparisons of each class, and of those within it."""
        sizes, within = self.between * classes.sizes, self.within * classes.same
        between = sizes * (sizes.sum() - sizes)
        return 2 * between / between.sum(), within / max(within.sum(), 1e-300)

    @property
    def are_equal(self) -> bool:
        """Whether every comparison counts once."""
        return self.weighting == "comparisons"


class Block(NamedTuple):
    """Some rows against all that follow them, as steps; comparisons within a class stand apart.

    Args:
        start, stop: the sorted rows.
        first: class of the first row.
        row_starts: where each class starts among the rows; one class alone may go on in the next block.
        column_starts: where each class from `first` on starts among the columns, which are the rows from `start` on.
        rows: how many of each class's pictures are among the rows.
        is_last: whether the classes of the rows end here.
        different: for each model the steps of different comparisons, 0 where there is none `[rows, columns]`.
        same: for each model the steps of comparisons within a class.
        same_classes: the class of each of them.
    """

    start: int
    stop: int
    first: int
    row_starts: Int[np.ndarray, " classes"]
    column_starts: Int[np.ndarray, " later"]
    rows: Int[np.ndarray, " classes"]
    is_last: bool
    different: list[np.ndarray]
    same: list[np.ndarray]
    same_classes: Int[np.ndarray, " same"]


def blocks(vectors: Sequence[np.ndarray], classes: Classes) -> Iterator[Block]:
    """All comparisons once: whole classes of rows at a time, or parts of one class that is too large.

    Args:
        vectors: unit vectors of each model, as `Classes.sorted` gives them.
        classes: of the rows.
    """
    height = max(1, _BLOCK // max(1, len(classes.ids)))
    start = 0
    while start < len(classes.ids):
        first, end = int(classes.ids[start]), start + height
        # The last class that ends within the height; if none does, a part of the first.
        last = int(np.searchsorted(classes.ends, end, side="right")) - 1
        stop = int(classes.ends[last]) if last >= first else end
        last = max(last, first)
        row_starts = np.maximum(classes.starts[first : last + 1] - start, 0)
        own_ends = classes.ends[classes.ids[start:stop]]
        columns = np.maximum(classes.starts[first:] - start, 0)
        different, same = [], []
        for one in vectors:
            scores = one[start:stop] @ one[start:].T
            # Rounded to the nearest step, so that 1 less a rounding error is on the step of 1.
            scores *= STEPS
            scores += STEPS + 2.5
            steps = scores.astype(np.int32)
            found = []
            for row, own_end in enumerate((own_ends - start).tolist()):
                found.append(steps[row, row + 1 : own_end].copy())
                steps[row, :own_end] = 0
            different.append(steps)
            same.append(np.concatenate(found))
        same_classes = np.repeat(classes.ids[start:stop], own_ends - np.arange(start, stop) - 1)
        rows = np.diff(np.append(row_starts, stop - start))
        is_last = bool(stop == classes.ends[last])
        yield Block(start, stop, first, row_starts, columns, rows, is_last, different, same, same_classes)
        start = stop


def count_all_pairs(
    vectors: Sequence[np.ndarray], classes: Classes, weights: CellWeights, advance: Callable[[int], None]
) -> tuple[list[Int[np.ndarray, " s"]], list[ScoreCounts]]:
    """The steps that occur, and the comparisons that have each, for each model.

    Args:
        vectors, classes: as `blocks`.
        weights: of the comparisons.
        advance: called with the rows done.
    """
    kind = np.int64 if weights.are_equal else np.float64
    same, different = (np.zeros((len(vectors), TABLE), dtype=kind) for _ in range(2))
    for block in blocks(vectors, classes):
        for model in range(len(vectors)):
            if weights.are_equal:
                different[model] += np.bincount(block.different[model].ravel(), minlength=TABLE)
                same[model] += np.bincount(block.same[model], minlength=TABLE)
                continue
            between = weights.between[classes.ids]
            cells = np.multiply.outer(between[block.start : block.stop], between[block.start :])
            different[model] += np.bincount(block.different[model].ravel(), weights=cells.ravel(), minlength=TABLE)
            same[model] += np.bincount(block.same[model], weights=weights.within[block.same_classes], minlength=TABLE)
        advance(block.stop)
    different[:, 0] = 0
    steps = [np.flatnonzero((one > 0) | (other > 0)) for one, other in zip(same, different, strict=True)]
    counts = [
        ScoreCounts(score_of(found), same[model][found], different[model][found]) for model, found in enumerate(steps)
    ]
    return steps, counts


def score_of(steps: Int[np.ndarray, " s"]) -> Float[np.ndarray, " s"]:
    """The score in the middle of each step."""
    return (steps - (STEPS + 2)) / STEPS


def least_score_of(steps: Int[np.ndarray, " s"]) -> Float[np.ndarray, " s"]:
    """The lowest score that rounds to each step: what a threshold has to be to accept all comparisons on it."""
    return (steps - (STEPS + 2.5)) / STEPS


class Passes:
    """Progress over several passes over all pairs, counted in rows."""

    def __init__(self, progress: Progress | None, passes: int, rows: int) -> None:
        self.progress, self.total, self.rows, self.before = progress, passes * rows, rows, 0

    def advance(self, rows: int) -> None:
        """So many rows of this pass are done."""
        if self.progress:
            self.progress(self.before + rows, self.total)
        if rows == self.rows:
            self.before += rows
