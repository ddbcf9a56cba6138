"""Verification over all pairs of labelled pictures, block by block: a billion pairs in bounded memory.

Scores are told apart to steps of 2^-20, about the rounding error of a float32 dot product, and counted by step. So
every rate at every threshold is exact for the scores as rounded, from far = 1 down to a single pair; nothing is
sampled. Equal vectors fall on one step, however the matrix product rounded them. A second pass gathers what each
pair of classes adds to the error of each figure, which the intervals need.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int

from nearkin.arrays import as_ids, as_vectors, unit
from nearkin.errors import InvalidInput
from nearkin.evaluation.metrics.verification import FARS, ScoreCounts, Statistic, statistics, supported_fars
from nearkin.intervals.bootstrap import Figure
from nearkin.intervals.dyadic import combined, difference_figure, share_figure
from nearkin.progress import Progress

_STEPS = 1 << 20  # from 0 to 1, and as many below
_TABLE = 2 * _STEPS + 4  # steps, of which 0 stands for no pair
# Scores at a time: 16 MiB, and twice as much again for their steps.
_BLOCK = 1 << 22


def verification_all_pairs(
    embeddings: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    fars: Sequence[float] | None = None,
    progress: Progress | None = None,
) -> dict[str, Figure]:
    """Error rates of all pairs of pictures, with intervals for other classes like these.

    Args:
        embeddings: numbers `[n, dim]`; scaled to unit length here.
        labels: class ids `[n]`; pairs of equal ids are the same.
        fars: false accept rates to give tar at; by default 0.1, 0.01, ... 1e-6 as far as the classes carry them.
        progress: called with rows done and rows in all, over both passes.

    Returns:
        "auc", "eer", "tar@far=1e-1", ...; n counts the pairs.

    Raises:
        InvalidInput: NaN, one class only, no class with two pictures, or a wanted rate that the classes cannot carry.

    Example:
        >>> verification_all_pairs(np.eye(2)[[0, 0, 1, 1]], np.array([0, 0, 1, 1]))["auc"].value
        1.0

    Source: as `verification`.
    """
    (measured,) = score_all_pairs([embeddings], labels, fars=fars, progress=progress)
    return {name: one.figure() for name, one in measured.items()}


@dataclass(frozen=True, eq=False)
class OverPairsOfClasses:
    """A number over all pairs, with what each class and each pair of classes adds to its error.

    Args:
        value: the number.
        model: which of the embeddings that were scored together.
        by_class: for each of them the sum of the parts of all pairs that a class takes part in `[models, classes]`.
        products: sums over pairs of different classes of the product of two models' parts `[models, models]`.
        same: sums over classes of the product of two models' parts of same pairs `[models, models]`.
        independent: see `Overlapping`.
        n: pairs.
    """

    value: float
    model: int
    by_class: Float[np.ndarray, "models classes"]
    products: Float[np.ndarray, "models models"]
    same: Float[np.ndarray, "models models"]
    independent: float | int
    n: int

    def figure(self, *, seed: int = 0) -> Figure:
        """The value with its interval; computed, so that the seed changes nothing."""
        chosen = np.zeros(len(self.by_class))
        chosen[self.model] = 1
        return share_figure(self.value, *self._variance(chosen), independent=self.independent, n=self.n)

    def minus(self, other: "OverPairsOfClasses", *, seed: int = 0) -> Figure:
        """The difference to another of the embeddings that were scored together."""
        chosen = np.zeros(len(self.by_class))
        chosen[self.model] += 1
        chosen[other.model] -= 1
        return difference_figure(self.value - other.value, *self._variance(chosen), n=self.n)

    def _variance(self, chosen: Float[np.ndarray, " models"]) -> tuple[float, float]:
        twice = float(chosen @ self.products @ chosen)
        return combined(chosen @ self.by_class, twice=twice, alone=twice + float(chosen @ self.same @ chosen))


def score_all_pairs(
    models: Sequence[npt.ArrayLike],
    labels: npt.ArrayLike,
    *,
    fars: Sequence[float] | None = None,
    progress: Progress | None = None,
) -> list[dict[str, OverPairsOfClasses]]:
    """What `verification_all_pairs` makes figures of, for several embeddings of the same pictures at once."""
    people = _People.of(labels)
    vectors = [people.sorted(embeddings) for embeddings in models]
    carried, refused = supported_fars(people.pairs, FARS if fars is None else fars)
    if fars is not None and refused:
        raise InvalidInput("; ".join(refused))
    total = 2 * len(people.ids)
    stepped, counts = _count(vectors, people, lambda rows: progress(rows, total) if progress else None)
    found = [statistics(one, carried) for one in counts]
    parts = {
        name: [_Part.of(some[name], steps) for some, steps in zip(found, stepped, strict=True)] for name in found[0]
    }
    sums = _sum_parts(vectors, people, parts, lambda rows: progress(total // 2 + rows, total) if progress else None)
    pairs = int(counts[0].same.sum() + counts[0].different.sum())
    return [
        {
            name: OverPairsOfClasses(some[name].value, model, *sums[name], independent=people.repeated, n=pairs)
            for name in some
        }
        for model, some in enumerate(found)
    ]


class _People(NamedTuple):
    """Rows sorted by class; class c has the sorted rows starts[c] : ends[c], and `ids` are 0, 1, ..."""

    order: Int[np.ndarray, " n"]
    ids: Int[np.ndarray, " n"]
    starts: Int[np.ndarray, " c"]
    ends: Int[np.ndarray, " c"]

    @staticmethod
    def of(labels: npt.ArrayLike) -> "_People":
        given = as_ids(labels, "labels", length=np.size(labels))
        order = np.argsort(given, kind="stable")
        names, ids, counts = np.unique(given[order], return_inverse=True, return_counts=True)
        if len(names) < 2 or counts.max() < 2:
            raise InvalidInput(
                f"{len(names)} classes, the largest with {counts.max(initial=0)} pictures: verification needs two "
                "classes or more, and one with two pictures"
            )
        return _People(order, ids, np.cumsum(counts) - counts, np.cumsum(counts))

    @property
    def pairs(self) -> int:
        """Different pairs of classes."""
        return len(self.starts) * (len(self.starts) - 1) // 2

    @property
    def repeated(self) -> int:
        """Classes that have a pair of their own."""
        return int((self.ends - self.starts > 1).sum())

    def sorted(self, embeddings: npt.ArrayLike) -> Float[np.ndarray, "n dim"]:
        vectors = as_vectors(embeddings, "embeddings")
        as_ids(self.order, "labels", length=len(vectors))
        return unit(vectors[self.order])


class _Block(NamedTuple):
    """Some rows against all that follow them, as steps; pairs of one class stand apart.

    Args:
        first: class of the first row.
        row_starts: where each class starts among the rows; one class alone may go on in the next block.
        column_starts: where each class from `first` on starts among the columns.
        rows: how many of each class's pictures are among the rows.
        is_last: whether the classes of the rows end here.
        different: for each model the steps of different pairs, 0 where there is none `[rows, columns]`.
        same, same_classes: for each model the steps of same pairs, and the class of each.
    """

    stop: int
    first: int
    row_starts: Int[np.ndarray, " classes"]
    column_starts: Int[np.ndarray, " later"]
    rows: Int[np.ndarray, " classes"]
    is_last: bool
    different: list[np.ndarray]
    same: list[np.ndarray]
    same_classes: Int[np.ndarray, " pairs"]


def _blocks(vectors: list[np.ndarray], people: _People) -> Iterator[_Block]:
    """All pairs once: whole classes of rows at a time, or parts of one class that is too large."""
    height = max(1, _BLOCK // len(people.ids))
    start = 0
    while start < len(people.ids):
        first, end = int(people.ids[start]), start + height
        # The last class that ends within the height; if none does, a part of the first.
        last = int(np.searchsorted(people.ends, end, side="right")) - 1
        stop = int(people.ends[last]) if last >= first else end
        last = max(last, first)
        row_starts = np.maximum(people.starts[first : last + 1] - start, 0)
        own_ends = people.ends[people.ids[start:stop]]
        columns = np.maximum(people.starts[first:] - start, 0)
        different, same = [], []
        for one in vectors:
            scores = one[start:stop] @ one[start:].T
            # Rounded to the nearest step, so that 1 less a rounding error is on the step of 1.
            scores *= _STEPS
            scores += _STEPS + 2.5
            steps = scores.astype(np.int32)
            found = []
            for row, own_end in enumerate((own_ends - start).tolist()):
                found.append(steps[row, row + 1 : own_end].copy())
                steps[row, :own_end] = 0
            different.append(steps)
            same.append(np.concatenate(found))
        same_classes = np.repeat(people.ids[start:stop], own_ends - np.arange(start, stop) - 1)
        rows = np.diff(np.append(row_starts, stop - start))
        is_last = stop == people.ends[last]
        yield _Block(stop, first, row_starts, columns, rows, is_last, different, same, same_classes)
        start = stop


def _count(
    vectors: list[np.ndarray], people: _People, advance: Callable[[int], None]
) -> tuple[list[np.ndarray], list[ScoreCounts]]:
    """The steps that occur, and the pairs that have each, for each model."""
    same, different = (np.zeros((len(vectors), _TABLE), dtype=np.int64) for _ in range(2))
    for block in _blocks(vectors, people):
        for model in range(len(vectors)):
            different[model] += np.bincount(block.different[model].ravel(), minlength=_TABLE)
            same[model] += np.bincount(block.same[model], minlength=_TABLE)
        advance(block.stop)
    different[:, 0] = 0
    stepped = [np.flatnonzero(one + other) for one, other in zip(same, different, strict=True)]
    counts = [
        ScoreCounts((steps - (_STEPS + 2)) / _STEPS, same[model][steps], different[model][steps])
        for model, steps in enumerate(stepped)
    ]
    return stepped, counts


class _Part(NamedTuple):
    """What one pair adds to one figure's error, by step.

    Args:
        lowest: what a different pair at the lowest score adds; the rest is relative to it.
        first: the first step that adds anything else.
        rest: what a different pair adds more, by step, or from `first` on if it is one number.
        of_same: what a same pair adds, by step, or before `first` and from there on.
    """

    lowest: float
    first: int
    rest: np.ndarray | float
    of_same: np.ndarray | tuple[float, float]

    @staticmethod
    def of(one: Statistic, steps: np.ndarray) -> "_Part":
        lowest = float(one.of_different[0])
        if one.place is None:
            rest, of_same = (np.zeros(_TABLE, dtype=np.float32) for _ in range(2))
            rest[steps], of_same[steps] = one.of_different - lowest, one.of_same
            return _Part(lowest, 1, rest, of_same)
        if one.place == len(steps):
            return _Part(lowest, _TABLE, 0.0, (float(one.of_same[-1]),) * 2)
        if one.place == 0:
            return _Part(lowest, 1, 0.0, (float(one.of_same[0]),) * 2)
        above = float(one.of_different[-1]) - lowest
        return _Part(lowest, int(steps[one.place]), above, (float(one.of_same[0]), float(one.of_same[-1])))

    def sum_different(self, block: _Block, steps: np.ndarray) -> Float[np.ndarray, "classes later"]:
        """The rest, summed over the different pairs of each pair of classes."""
        if isinstance(self.rest, float):
            values = (steps >= self.first).view(np.uint8)
            scale = self.rest
        else:
            values, scale = self.rest[steps], 1.0
        by_rows = np.add.reduceat(values, block.row_starts, axis=0, dtype=np.float32)
        return scale * np.add.reduceat(by_rows, block.column_starts, axis=1, dtype=np.float64)

    def sum_same(self, steps: np.ndarray, classes: np.ndarray, total: int) -> Float[np.ndarray, " c"]:
        """What the same pairs of each class add."""
        values = (
            self.of_same[steps]
            if isinstance(self.of_same, np.ndarray)
            else np.where(steps >= self.first, *self.of_same[::-1])
        )
        return np.bincount(classes, weights=values, minlength=total).astype(np.float64)


def _sum_parts(
    vectors: list[np.ndarray], people: _People, parts: dict[str, list[_Part]], advance: Callable[[int], None]
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each figure `by_class`, `products` and `same` of `OverPairsOfClasses`."""
    models, classes = len(vectors), len(people.starts)
    sizes = people.ends - people.starts
    by_class = {name: np.zeros((models, classes)) for name in parts}
    of_same = {name: np.zeros((models, classes)) for name in parts}
    products = {name: np.zeros((models, models)) for name in parts}
    begun: dict[str, np.ndarray | float] = dict.fromkeys(parts, 0.0)
    for block in _blocks(vectors, people):
        last = block.first + len(block.rows)
        pairs = np.multiply.outer(block.rows, sizes[block.first :]).astype(np.float64)
        pairs[np.tril(np.ones(pairs.shape, dtype=bool))] = 0
        for name, several in parts.items():
            cells = np.stack(
                [
                    part.lowest * pairs + part.sum_different(block, steps)
                    for part, steps in zip(several, block.different, strict=True)
                ]
            )
            for model, part in enumerate(several):
                of_same[name][model] += part.sum_same(block.same[model], block.same_classes, classes)
            # What a class has that goes on in the next block is added there.
            cells[:, 0] += begun[name]
            begun[name] = 0.0 if block.is_last else cells[:, 0]
            if block.is_last:
                by_class[name][:, block.first : last] += cells.sum(axis=2)
                by_class[name][:, block.first :] += cells.sum(axis=1)
                flat = cells.reshape(models, -1)
                products[name] += flat @ flat.T
        advance(block.stop)
    return {name: (by_class[name] + of_same[name], products[name], of_same[name] @ of_same[name].T) for name in parts}
