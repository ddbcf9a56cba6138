"""Means over measurements that share units: a pair has two people, an episode several classes.

Two pairs that share a person vary together, so neither pairs nor people can be drawn alone. The variance here is the
cluster-robust one for such data: squares of each unit's sum, less what several units of a measurement count twice.
A bootstrap that weighs a pair by the product of its people's weights is up to three times too wide where pairs hardly
depend on each other, as in a list where few people occur twice.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from nearkin.intervals.bootstrap import Figure

_TAIL = 0.025


@dataclass(frozen=True, eq=False)
class Overlapping:
    """A number with what each measurement adds to its error, and the units that each measurement has.

    Args:
        value: the number.
        parts: for each measurement what it adds, summing to about 0: `(x - mean) / n` for a mean.
        units: the units of each measurement `[m, k]`; a unit may stand there twice and counts once.
        independent: about how many independent measurements stand behind a value at either end, 0 or 1, where the
            parts show no spread.
        n: how many measurements stand behind the value.

    Example:
        >>> right = np.array([1.0, 1.0, 0.0, 1.0])
        >>> pairs = np.array([[0, 1], [2, 3], [4, 5], [6, 7]])
        >>> figure = Overlapping(0.75, (right - 0.75) / 4, pairs, independent=4, n=4).figure()
        >>> figure.low < 0.75 < figure.high
        True

    Source: Aronow, Samii & Assenova 2015, Cluster-robust variance estimation for dyadic data; Korn & Graubard 1998 for
    exact binomial limits at the effective number of measurements.
    """

    value: float
    parts: Float[np.ndarray, " m"]
    units: Int[np.ndarray, "m k"]
    independent: float | int
    n: int

    def figure(self, *, seed: int = 0) -> Figure:
        """The value with its interval; computed, so that the seed changes nothing."""
        return share_figure(self.value, *variance(self.parts, self.units), independent=self.independent, n=self.n)

    def minus(self, other: "Overlapping", *, seed: int = 0) -> Figure:
        """The difference on the same measurements."""
        return difference_figure(self.value - other.value, *variance(self.parts - other.parts, self.units), n=self.n)


def variance(parts: Float[np.ndarray, " m"], units: Int[np.ndarray, "m k"]) -> tuple[float, float]:
    """The variance of the sum of the parts, and its degrees of freedom: units less one."""
    numbers = np.sort(np.unique(units, return_inverse=True)[1].reshape(units.shape), axis=1)
    numbers[:, 1:][numbers[:, 1:] == numbers[:, :-1]] = -1  # stands there already
    # Measurements of the same units are one.
    kinds, members = np.unique(np.sort(numbers, axis=1), axis=0, return_inverse=True)
    sums = np.bincount(members.ravel(), weights=parts)
    counts = kinds >= 0
    by_unit = np.bincount(kinds[counts], weights=np.broadcast_to(sums[:, None], kinds.shape)[counts])
    return combined(by_unit, twice=float(((counts.sum(axis=1) - 1) * sums**2).sum()), alone=float((sums**2).sum()))


def combined(by_unit: Float[np.ndarray, " units"], *, twice: float, alone: float) -> tuple[float, float]:
    """Variance and degrees of freedom from the sums of the units.

    Args:
        by_unit: the sum of the parts of each unit.
        twice: squares of the parts that several units count, once for each unit but one.
        alone: the variance if measurements of different units were independent; the least that is believed.
    """
    return max(float((by_unit**2).sum()) - twice, alone), float(len(by_unit) - 1)


def share_figure(value: float, variance: float, freedom: float, *, independent: float | int, n: int) -> Figure:
    """A value between 0 and 1 with exact binomial limits for as many measurements as would vary as much."""
    from scipy.special import betaincinv, stdtrit

    if freedom < 1 or independent < 2:
        return Figure(value, None, None, n)
    if variance > 0 and 0 < value < 1:
        # Student's t is wider than the normal, as if there were fewer.
        widened = 1.959964 / float(stdtrit(freedom, 1 - _TAIL))
        size = max(value * (1 - value) / variance * widened**2, 1e-3)
    else:
        size = independent
    hits = value * size
    low = float(betaincinv(hits, size - hits + 1, _TAIL)) if value > 0 else 0.0
    high = float(betaincinv(hits + 1, size - hits, 1 - _TAIL)) if value < 1 else 1.0
    return Figure(value, low, high, n)


def difference_figure(value: float, variance: float, freedom: float, *, n: int) -> Figure:
    """A difference with Student's t interval."""
    from scipy.special import stdtrit

    if freedom < 1:
        return Figure(value, None, None, n)
    half = float(stdtrit(freedom, 1 - _TAIL) * np.sqrt(variance))
    return Figure(value, value - half, value + half, n)
