"""Verification over all pairs of labelled pictures, with intervals for other classes like these.

Comparisons are counted by `nearkin.calibration.pair_scores`, as for calibrations. A second pass gathers what each pair
of classes adds to the error of each figure, which the intervals need.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Float

from nearkin.calibration.pair_scores import TABLE, Block, CellWeights, Classes, Passes, blocks, count_all_pairs
from nearkin.calibration.weighting import check_weighting
from nearkin.errors import InvalidInput
from nearkin.evaluation.metrics.verification import FARS, Statistic, figure_name, statistics, supported_fars
from nearkin.intervals.binomial import difference_figure
from nearkin.intervals.dyadic import ClassSums, Spread, rate_figure, spread_over_classes
from nearkin.intervals.figure import Figure, Interval, check_interval
from nearkin.progress import Progress


def verification_all_pairs(
    embeddings: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    fars: Sequence[float] | None = None,
    weighting: str = "comparisons",
    interval: str = "rate",
    progress: Progress | None = None,
) -> dict[str, Figure]:
    """Error rates of all pairs of pictures, with intervals for other classes like these.

    Args:
        embeddings: vectors `[n, dim]`; scaled to unit length here.
        labels: class ids `[n]`; pairs of equal ids are the same, and -1 for none, such rows take no part.
        fars: false accept rates to give tar at; by default 0.1, 0.01, ... 1e-6 as far as the comparisons carry them.
        weighting: "comparisons", or "classes" where each class counts once in tar, each pair of classes once in far;
            the names of the figures then say so.
        interval: "rate" holds the number over all classes like these, "another group" that of another group of as many
            classes, in 95 % of cases.
        progress: called with rows done and rows in all, over both passes.

    Returns:
        "auc", "eer", "tar@far=1e-1", ...; n counts the comparisons.

    Raises:
        InvalidInput: NaN, one class only, no class with two pictures, or a rate that the comparisons cannot carry.
        UnknownName: no such weighting or interval.

    Example:
        >>> verification_all_pairs(np.eye(2)[[0, 0, 1, 1]], np.array([0, 0, 1, 1]))["auc"].value
        1.0

    Source: as `verification`.
    """
    chosen = check_interval(interval)
    (scored,) = score_all_pairs([embeddings], labels, fars=fars, weighting=weighting, progress=progress)
    return {name: one.figure(interval=chosen) for name, one in scored.items()}


@dataclass(frozen=True, eq=False)
class MeanOverAllPairs:
    """A number over all pairs, with what each class and each pair of classes adds to its error.

    Args:
        value: the number.
        model: which of the embeddings that were scored together.
        between: for each of them the sum of the errors of all different comparisons of a class `[models, classes]`.
        within: likewise of the comparisons within each class `[models, classes]`.
        products: sums over pairs of different classes of the product of two models' errors `[models, models]`.
        leverage: share of the weight of different comparisons, and of those within classes, by class `[2, classes]`.
        n: comparisons.
    """

    value: float
    model: int
    between: Float[np.ndarray, "models classes"]
    within: Float[np.ndarray, "models classes"]
    products: Float[np.ndarray, "models models"]
    leverage: Float[np.ndarray, "2 classes"]
    n: int

    def figure(self, *, seed: int = 0, interval: Interval = "rate") -> Figure:
        """The value with its interval; computed, so that the seed changes nothing."""
        repeated = int((self.leverage[1] > 0).sum())
        return rate_figure(self.value, self._spread({self.model: 1}), independent=repeated, n=self.n, interval=interval)

    def minus(self, other: "MeanOverAllPairs", *, seed: int = 0) -> Figure:
        """The difference to another of the embeddings that were scored together."""
        spread = self._spread({self.model: 1, other.model: -1} if self.model != other.model else {})
        return difference_figure(self.value - other.value, float(spread.variance), float(spread.freedom), n=self.n)

    def _spread(self, models: Mapping[int, int]) -> Spread:
        chosen = np.zeros(len(self.between))
        for model, sign in models.items():
            chosen[model] = sign
        within = chosen @ self.within
        pairs = len(within) * (len(within) - 1) / 2
        return spread_over_classes(
            [ClassSums(within, self.leverage[1]), ClassSums(chosen @ self.between, self.leverage[0])],
            float(chosen @ self.products @ chosen),
            own=float(within @ within),
            cells=pairs,
        )


def score_all_pairs(
    models: Sequence[npt.ArrayLike],
    labels: npt.ArrayLike,
    *,
    fars: Sequence[float] | None = None,
    weighting: str = "comparisons",
    progress: Progress | None = None,
) -> list[dict[str, MeanOverAllPairs]]:
    """What `verification_all_pairs` makes figures of, for several embeddings of the same pictures at once."""
    classes, counted = Classes.of(labels), check_weighting(weighting)
    if len(classes.starts) < 2 or not classes.repeated:
        raise InvalidInput(
            f"{len(classes.starts)} classes, the largest with {classes.sizes.max(initial=0)} pictures: verification "
            "needs two classes or more, and one with two pictures"
        )
    vectors = [classes.sorted(embeddings) for embeddings in models]
    carried, refused = supported_fars(classes.different, FARS if fars is None else fars)
    if fars is not None and refused:
        raise InvalidInput("; ".join(refused))
    weights = classes.weights(counted)
    passes = Passes(progress, 2, len(classes.ids))
    stepped, counts = count_all_pairs(vectors, classes, weights, passes.advance)
    found = [statistics(one, carried) for one in counts]
    parts = {
        name: [_Part.of(some[name], steps) for some, steps in zip(found, stepped, strict=True)] for name in found[0]
    }
    sums = _sum_parts(vectors, classes, weights, parts, passes.advance)
    n = classes.different + int(classes.same.sum())
    far_leverage, tar_leverage = weights.leverage(classes)
    return [
        {
            figure_name(name, counted): MeanOverAllPairs(
                some[name].value, model, *sums[name], leverage=np.stack([far_leverage, tar_leverage]), n=n
            )
            for name in some
        }
        for model, some in enumerate(found)
    ]


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
        if one.step is None:
            rest, of_same = (np.zeros(TABLE, dtype=np.float32) for _ in range(2))
            rest[steps], of_same[steps] = one.of_different - lowest, one.of_same
            return _Part(lowest, 1, rest, of_same)
        if one.step == len(steps):
            return _Part(lowest, TABLE, 0.0, (float(one.of_same[-1]),) * 2)
        if one.step == 0:
            return _Part(lowest, 1, 0.0, (float(one.of_same[0]),) * 2)
        above = float(one.of_different[-1]) - lowest
        return _Part(lowest, int(steps[one.step]), above, (float(one.of_same[0]), float(one.of_same[-1])))

    def sum_different(self, block: Block, steps: np.ndarray) -> Float[np.ndarray, "classes later"]:
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
    vectors: list[np.ndarray],
    classes: Classes,
    weights: CellWeights,
    parts: dict[str, list[_Part]],
    advance: Callable[[int], None],
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each figure `between`, `within` and `products` of `MeanOverAllPairs`."""
    models, total = len(vectors), len(classes.starts)
    between = {name: np.zeros((models, total)) for name in parts}
    within = {name: np.zeros((models, total)) for name in parts}
    products = {name: np.zeros((models, models)) for name in parts}
    begun: dict[str, np.ndarray | float] = dict.fromkeys(parts, 0.0)
    for block in blocks(vectors, classes):
        last = block.first + len(block.rows)
        weight = np.multiply.outer(weights.between[block.first : last], weights.between[block.first :])
        pairs = np.multiply.outer(block.rows, classes.sizes[block.first :]).astype(np.float64)
        pairs[np.tril(np.ones(pairs.shape, dtype=bool))] = 0
        for name, several in parts.items():
            cells = np.stack(
                [
                    weight * (part.lowest * pairs + part.sum_different(block, steps))
                    for part, steps in zip(several, block.different, strict=True)
                ]
            )
            for model, part in enumerate(several):
                within[name][model] += weights.within * part.sum_same(block.same[model], block.same_classes, total)
            # What a class has that goes on in the next block is added there.
            cells[:, 0] += begun[name]
            begun[name] = 0.0 if block.is_last else cells[:, 0]
            if block.is_last:
                between[name][:, block.first : last] += cells.sum(axis=2)
                between[name][:, block.first :] += cells.sum(axis=1)
                flat = cells.reshape(models, -1)
                products[name] += flat @ flat.T
        advance(block.stop)
    return {name: (between[name], within[name], products[name]) for name in parts}
