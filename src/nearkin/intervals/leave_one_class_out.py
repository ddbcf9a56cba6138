"""Means over queries of few classes, which stand in each other's way.

A query fails because of other classes: with few of them, which ones were drawn matters to all. Drawing the classes of
the queries alone misses that, and its intervals are too narrow. So each class is also left out as an answer, which
shows what it does to the queries of each other class.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from nearkin.intervals.binomial import difference_figure, share_figure
from nearkin.intervals.dyadic import combined
from nearkin.intervals.figure import Figure


@dataclass(frozen=True, eq=False)
class LeaveOneClassOut:
    """A mean over queries, and what each class adds to its error.

    Args:
        value: the mean.
        own: for each class the sum over its queries of `(x - mean) / n`.
        others: how much the queries of a class (row) add to the mean because another class (column) is there.
        independent: about how many equal classes the queries' classes are worth.
        n: queries.
    """

    value: float
    own: Float[np.ndarray, " c"]
    others: Float[np.ndarray, "c c"]
    independent: float
    n: int

    def figure(self, *, seed: int = 0) -> Figure:
        """The value with its interval; computed, so that the seed changes nothing."""
        return share_figure(self.value, *self._variance(), independent=self.independent, n=self.n)

    def minus(self, other: "LeaveOneClassOut", *, seed: int = 0) -> Figure:
        """The difference to another model on the same queries."""
        one = LeaveOneClassOut(
            self.value - other.value, self.own - other.own, self.others - other.others, self.independent, self.n
        )
        return difference_figure(one.value, *one._variance(), n=one.n)

    def _variance(self) -> tuple[float, float]:
        # Every class stands in the way of others; what varies is how much more or less than usual.
        apart = ~np.eye(len(self.own), dtype=bool)
        effects = np.where(apart, self.others - self.others[apart].mean(), 0.0)
        # An effect of one class on another is in the sums of both.
        return combined(
            self.own + effects.sum(axis=0), twice=float((effects**2).sum()), alone=float((self.own**2).sum())
        )


def leave_each_class_out(
    values: Float[np.ndarray, " q"], classes: Int[np.ndarray, " q"], without: Float[np.ndarray, "c q"]
) -> LeaveOneClassOut:
    """A mean over queries from their values with all classes there, and with each left out.

    Args:
        values: one per query.
        classes: 0, 1, ... for each query; at least two.
        without: the values with the answers of each class left out; those of its own queries do not matter.

    Example:
        >>> values, classes = np.array([1.0, 0.0, 1.0]), np.array([0, 1, 2])
        >>> found = leave_each_class_out(values, classes, np.array([[1.0, 1.0, 1.0], values, values]))
        >>> round(float(found.others[1, 0]), 3)
        -0.333
    """
    total, mean, n = int(classes.max()) + 1, float(values.mean()), len(values)
    own = np.bincount(classes, weights=values - mean, minlength=total) / n
    others = np.stack([np.bincount(classes, weights=values - left, minlength=total) / n for left in without], axis=1)
    sizes = np.bincount(classes, minlength=total)
    return LeaveOneClassOut(mean, own, others, float(n**2 / (sizes**2).sum()), n)
