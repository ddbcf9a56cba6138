"""Rates over comparisons that share classes: a comparison has two classes, and each of them is in many others.

Two comparisons that share a class vary together, so neither comparisons nor classes can be drawn alone. The variance
here is the cluster-robust one for such data: squares of each class's sum, less what pairs of classes count twice. A
bootstrap that weighs a pair by the product of its classes' weights is up to three times too wide where pairs hardly
depend on each other, as in a list where few classes occur twice.

Two intervals are offered by name. "rate" holds the rate over all classes like these in 95 % of cases. "another group"
holds the rate that another group of as many classes shows: sqrt(2) times as wide, since that group is drawn as well.
`benchmarks/coverage.py` measures how often they hold, and how much wider they are than they need be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int

from nearkin.intervals.binomial import (
    Limits,
    Numbers,
    clopper_pearson,
    difference_figure,
    effective_trials,
    jeffreys,
    logit_normal,
)  # fmt: skip
from nearkin.intervals.figure import Figure, Interval

# Least share that is divided by: a single class, or pair, that has nearly all comparisons shows nothing.
_LEAST = 0.02
# Squared coefficient of variation of classes' rates from which on no heavier tail is allowed for.
_MOST_VARIED = 0.5


class Spread(NamedTuple):
    """How much an estimate over comparisons varies.

    Args:
        variance: of the estimate `[...]`.
        freedom: degrees of freedom of that variance, if classes differ as a normal distribution does `[...]`.
        of_classes: the share of it that comes from differences between classes, 0 to 1 `[...]`.
        effective: how many equal classes these are worth `[...]`.
        of_one: variance of the difference that a single class makes to its comparisons `[...]`.
    """

    variance: Numbers
    freedom: Numbers
    of_classes: Numbers
    effective: Numbers = np.inf
    of_one: Numbers = 0.0


class ClassSums(NamedTuple):
    """What the comparisons of each class add to the error of an estimate.

    Args:
        errors: for each class the sum of `w (x - mean) / sum(w)` over its comparisons `[classes, ...]`.
        leverage: the share of all weight that each class's comparisons have `[classes]`; sums to the number of classes
            that a comparison has.
    """

    errors: npt.NDArray[np.float64]
    leverage: Float[np.ndarray, " classes"]


def spread_over_classes(
    sums: Sequence[ClassSums], pairs: Numbers, *, own: Numbers = 0.0, cells: Numbers = np.inf
) -> Spread:
    """The spread of a mean over comparisons, from what each class and each pair of classes adds to its error.

    A comparison differs from the mean by what its classes add and by what is left. The sums of classes and those of
    pairs of classes give two equations for the two variances. All errors are measured from an estimate that they take
    part in, so both sums are too small; by how much follows from the leverages, if comparisons spread over pairs of
    classes as the leverages of both suggest. For equal classes the variance is unbiased.

    Args:
        sums: those of comparisons within classes and of comparisons of different classes, as far as they matter.
        pairs: sum over pairs of different classes of the squared sum of their errors `[...]`.
        own: sum over classes of the squared sum of the errors of the comparisons within them `[...]`.
        cells: how many pairs of classes show any spread `[...]`.

    Source: Fafchamps & Gubert 2007, The formation of risk sharing networks; Aronow, Samii & Assenova 2015,
    Cluster-robust variance estimation for dyadic data; Snijders & Kenny 1999, The social relations model;
    Satterthwaite 1946 (degrees of freedom).
    """
    classes = len(sums[0].leverage)
    squares = np.asarray(pairs, dtype=np.float64)
    total, rest = np.zeros_like(sums[0].errors), np.zeros(squares.shape)
    effective, ways, weight = np.zeros(squares.shape), np.zeros(squares.shape), np.zeros(squares.shape)
    counted = 0.0
    for errors, leverage in sums:
        found = (errors**2).sum(axis=0)
        several = round(float(leverage.sum()))
        second, fourth = float((leverage**2).sum()), float((leverage**4).sum())
        # The share of what classes differ by that their sums show.
        shown = float((leverage**2 * ((1 - leverage) ** 2 + (second - leverage**2) / several**2)).sum()) / second
        shown = max(shown, _LEAST)
        total += errors / np.sqrt(shown)
        if several > 1:
            # Likewise of the pairs' squares: of what is left, and of what classes differ by.
            left, seen = max(1 - (second**2 - fourth) / 8, _LEAST), (second - fourth / second) / 4
            counted = (2 - second) / shown
            between = (found / shown - squares * counted / left) / max(1 - seen * counted / left, _LEAST)
            rest = np.maximum(squares - seen * np.maximum(between, 0.0), 0.0) / left
        effective += found * (leverage.sum() ** 2 / second)
        ways += found * several
        weight += found
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = np.where(weight > 0, effective / weight, classes)
        ways = np.where(weight > 0, ways / weight, 1.0)
    # Classes cannot differ by less than not at all.
    of_classes = np.maximum((total**2).sum(axis=0) - counted * rest, own)
    variance = of_classes + rest
    noise = of_classes * (of_classes + 2 * rest) / np.maximum(effective - 1, 1e-9) + rest**2 / cells
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.where(noise > 0, variance**2 / noise, effective - 1)
        share = np.where(variance > 0, of_classes / variance, 0.0)
    return Spread(variance, np.maximum(freedom, 1.0), share, effective, effective * of_classes / ways**2)


def rate_limits(rate: Numbers, spread: Spread, *, independent: Numbers, interval: Interval = "rate") -> Limits:
    """The ends of the 95 % interval of a rate.

    Comparisons scatter by the root of a rate, as coins do; a class that is mistaken for others twice as often is so at
    every threshold, so what classes add grows with the rate itself. So limits are between those of a binomial (by
    Jeffreys) and those of a normal on the log odds, by what share of the variance comes from classes. The fewer classes
    are mistaken at all, the less of them a variance tells: rates of classes are taken to spread as a gamma distribution
    does, whose kurtosis lowers the degrees of freedom.

    Args:
        rate: 0 to 1 `[...]`.
        spread: of its estimate.
        independent: about how many independent comparisons there are, where all are accepted, or none.
        interval: "rate" or "another group".
    """
    value = np.asarray(rate, dtype=np.float64)
    variance = spread.variance * (2 if interval == "another group" else 1)
    inner = (value > 0) & (value < 1) & (variance > 0)
    middle, some = np.where(inner, value, 0.5), np.where(inner, variance, 0.25)
    share = np.where(inner, spread.of_classes, 0.0)
    # The squared coefficient of variation of classes' rates of the rarer outcome; it has no tail at one half.
    varies = np.minimum(spread.of_one / np.minimum(middle, 1 - middle) ** 2, _MOST_VARIED) * (1 - 2 * middle) ** 2
    heavy = 3 * varies * share**2 / np.maximum(np.asarray(spread.effective) - 1, 1e-9)
    freedom = np.maximum(1 / (1 / np.asarray(spread.freedom) + heavy), 1.0)
    trials = np.maximum(effective_trials(middle, some, freedom), 1e-3)
    binomial, normal = jeffreys(middle, trials), logit_normal(middle, some, freedom)
    low, high = (one ** (1 - share) * other**share for one, other in zip(binomial, normal, strict=True))
    edges = clopper_pearson(value, np.asarray(independent) / (2 if interval == "another group" else 1))
    return np.where(inner, low, edges[0]), np.where(inner, high, edges[1])


def rate_figure(
    rate: float, spread: Spread, *, independent: int | float, n: int, interval: Interval = "rate"
) -> Figure:
    """A rate with its interval; without one if it comes from a single class, which shows nothing of others.

    Args:
        rate, spread, independent, interval: as `rate_limits`.
        n: comparisons.
    """
    if independent < 2:
        return Figure(rate, None, None, n)
    low, high = rate_limits(rate, spread, independent=independent, interval=interval)
    return Figure(rate, float(low), float(high), n)


@dataclass(frozen=True, eq=False)
class MeanOverPairs:
    """A mean over listed comparisons: what each adds to its error, and the classes that each has.

    Args:
        value: the mean.
        parts: for each comparison what it adds, summing to about 0: `(x - mean) / n` for a mean.
        classes: the classes of each comparison `[m, k]`; a class may stand there twice and counts once.
        independent: about how many independent comparisons stand behind a value of 0 or 1, where the parts show no
            spread.
        n: how many comparisons stand behind the value.

    Example:
        >>> right = np.array([1.0, 1.0, 0.0, 1.0])
        >>> pairs = np.array([[0, 1], [2, 3], [4, 5], [6, 7]])
        >>> figure = MeanOverPairs(0.75, (right - 0.75) / 4, pairs, independent=4, n=4).figure()
        >>> figure.low < 0.75 < figure.high
        True
    """

    value: float
    parts: Float[np.ndarray, " m"]
    classes: Int[np.ndarray, "m k"]
    independent: int | float
    n: int

    def figure(self, *, seed: int = 0, interval: Interval = "rate") -> Figure:
        """The value with its interval; computed, so that the seed changes nothing."""
        spread = spread_of_pairs(self.parts, self.classes)
        return rate_figure(self.value, spread, independent=self.independent, n=self.n, interval=interval)

    def minus(self, other: "MeanOverPairs", *, seed: int = 0) -> Figure:
        """The difference to another model on the same comparisons."""
        spread = spread_of_pairs(self.parts - other.parts, self.classes)
        return difference_figure(self.value - other.value, float(spread.variance), float(spread.freedom), n=self.n)


def spread_of_pairs(parts: Float[np.ndarray, " m"], classes: Int[np.ndarray, "m k"]) -> Spread:
    """The spread of the sum of the parts of listed comparisons, whatever classes each has."""
    numbers = np.sort(np.unique(classes, return_inverse=True)[1].reshape(classes.shape), axis=1)
    total = int(numbers.max()) + 1
    numbers[:, 1:][numbers[:, 1:] == numbers[:, :-1]] = -1  # stands there already
    # Comparisons of the same classes are one.
    kinds, members = np.unique(np.sort(numbers, axis=1), axis=0, return_inverse=True)
    errors, sizes = np.bincount(members.ravel(), weights=parts), np.bincount(members.ravel())
    held = kinds >= 0
    others = held.sum(axis=1) - 1

    def of_class(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        some = held & chosen[:, None]
        return np.bincount(kinds[some], weights=np.broadcast_to(values[:, None], kinds.shape)[some], minlength=total)

    sums = [
        ClassSums(of_class(errors, chosen), of_class(sizes / sizes[chosen].sum(), chosen))
        for chosen in (others == 0, others > 0)
        if chosen.any()
    ]
    within = float((errors[others == 0] ** 2).sum())
    return spread_over_classes(
        sums, float((others * errors**2).sum()), own=within, cells=max(int((others > 0).sum()), 1)
    )


def combined(by_unit: Float[np.ndarray, " units"], *, twice: float, alone: float) -> tuple[float, float]:
    """Variance and degrees of freedom of a mean from the sums of its units.

    Args:
        by_unit: the sum of the parts of each unit.
        twice: squares of the parts that several units count, once for each unit but one.
        alone: the variance if measurements of different units were independent; the least that is believed.
    """
    return max(float((by_unit**2).sum()) - twice, alone), float(len(by_unit) - 1)
