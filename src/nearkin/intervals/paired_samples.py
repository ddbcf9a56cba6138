"""A figure before its interval: what every unit gave, so that two models can also be compared unit by unit.

The unit is what would be drawn again if the evaluation were repeated: classes for retrieval and clustering, episodes
for few-shot, pictures with their texts for cross-modal, the classes of a pair for verification.
"""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from nearkin.intervals.bootstrap import bootstrap_left_out, bootstrap_mean, bootstrap_median
from nearkin.intervals.figure import Figure


@runtime_checkable
class Estimate(Protocol):
    """What one metric of one model was computed from."""

    def figure(self, *, seed: int = 0) -> Figure:
        """The value with its 95 % interval."""
        ...

    def minus(self, other: Any, *, seed: int = 0) -> Figure:
        """The paired difference to another model on the same data, with its 95 % interval."""
        ...


@dataclass(frozen=True, eq=False)
class Mean:
    """A mean over measurements, such as queries or episodes, in groups.

    Args:
        values: one number in [0, 1] per measurement.
        groups: which are drawn together; each alone if None.

    Example:
        >>> a, b = Mean(np.array([1.0, 1.0, 0.0])), Mean(np.array([1.0, 0.0, 0.0]))
        >>> round(a.minus(b).value, 3)
        0.333
    """

    values: Float[np.ndarray, " n"]
    groups: Int[np.ndarray, " n"] | None = None

    def figure(self, *, seed: int = 0) -> Figure:
        return bootstrap_mean(self.values, groups=self.groups, within=(0.0, 1.0), seed=seed)

    def minus(self, other: "Mean", *, seed: int = 0) -> Figure:
        return bootstrap_mean(self.values - other.values, groups=self.groups, seed=seed)


@dataclass(frozen=True, eq=False)
class Median:
    """A median over measurements in groups.

    Example:
        >>> Median(np.array([1.0, 2.0, 9.0])).figure().value
        2.0
    """

    values: Float[np.ndarray, " n"]
    groups: Int[np.ndarray, " n"] | None = None

    def figure(self, *, seed: int = 0) -> Figure:
        return bootstrap_median(self.values, groups=self.groups, seed=seed)

    def minus(self, other: "Median", *, seed: int = 0) -> Figure:
        return bootstrap_median(self.values, groups=self.groups, seed=seed, minus=other.values)


@dataclass(frozen=True, eq=False)
class Jackknife:
    """A number that is no mean, and what it becomes with one group left out.

    Args:
        value: from all the data.
        without: the same number without each group in turn.
        n: how many measurements stand behind it.
        least: the least that the number can be; the most is 1.

    Example:
        >>> Jackknife(0.5, np.array([0.4, 0.6, 0.5]), 30).figure().value
        0.5
    """

    value: float
    without: Float[np.ndarray, " groups"]
    n: int
    least: float = 0.0

    def figure(self, *, seed: int = 0) -> Figure:
        return bootstrap_left_out(self.value, self.without, n=self.n, within=(self.least, 1.0), seed=seed)

    def minus(self, other: "Jackknife", *, seed: int = 0) -> Figure:
        return bootstrap_left_out(self.value - other.value, self.without - other.without, n=self.n, seed=seed)
