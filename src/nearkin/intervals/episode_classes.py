"""Accuracy over episodes, for other classes than those that were drawn from.

An episode has several classes, and each of them is easy or hard, and easy or hard to mistake the others for. Both show
in the episodes that a class is in, and both would be others with other classes.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from nearkin.intervals.binomial import difference_figure, share_figure
from nearkin.intervals.dyadic import combined
from nearkin.intervals.figure import Figure


@dataclass(frozen=True, eq=False)
class EpisodeAccuracy:
    """The mean of the shares of right answers of each class in each episode.

    Args:
        shares: one for each class of each episode.
        classes, episodes: the class and the episode of each; both numbered from 0.

    Example:
        >>> EpisodeAccuracy(np.array([1.0, 0.5]), np.array([0, 1]), np.array([0, 0])).figure().value
        0.75
    """

    shares: Float[np.ndarray, " m"]
    classes: Int[np.ndarray, " m"]
    episodes: Int[np.ndarray, " m"]

    @property
    def value(self) -> float:
        return float(self.shares.mean())

    def figure(self, *, seed: int = 0) -> Figure:
        """The value with its interval; computed, so that the seed changes nothing. n counts episodes."""
        different = int(self.classes.max()) + 1
        return share_figure(self.value, *self._variance(), independent=different, n=int(self.episodes.max()) + 1)

    def minus(self, other: "EpisodeAccuracy", *, seed: int = 0) -> Figure:
        """The difference to another model in the same episodes."""
        apart = replace(self, shares=self.shares - other.shares)
        return difference_figure(apart.value, *apart._variance(), n=int(self.episodes.max()) + 1)

    def _variance(self) -> tuple[float, float]:
        counts = np.bincount(self.classes).astype(np.float64)
        means = np.bincount(self.classes, weights=self.shares) / counts
        own = counts * (means - self.value) / len(self.shares)
        # What a class does to the others of its episodes, each of them compared with its own mean.
        beyond = (self.shares - means[self.classes]) / len(self.shares)
        effects = np.bincount(self.episodes, weights=beyond)[self.episodes] - beyond
        ways = np.bincount(self.episodes)[self.episodes]
        # The means hold some of it too, as each class meets every other in a part of its episodes.
        met = self._met()[self.classes]
        effects *= np.where(met >= ways, met / np.maximum(met - ways + 1, 1), 0.0)
        return combined(
            own + np.bincount(self.classes, weights=effects),
            twice=float((effects**2).sum()),
            alone=float((own**2).sum()),
        )

    def _met(self) -> Int[np.ndarray, " classes"]:
        """With how many other classes each class shares an episode."""
        total = int(self.classes.max()) + 1
        order = np.argsort(self.episodes, kind="stable")
        together = np.zeros((total, total), dtype=bool)
        for several in np.split(self.classes[order], np.flatnonzero(np.diff(self.episodes[order])) + 1):
            together[np.ix_(several, several)] = True
        return together.sum(axis=1) - 1
