"""Error rates by threshold: reading a rate at a score, and the score of a rate."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Float

from nearkin.arrays import as_scores

# Rates of each factor of ten that a curve has a threshold for; between them it is interpolated.
_MANTISSAS = (1, 1.1, 1.2, 1.35, 1.5, 1.7, 2, 2.25, 2.5, 2.75, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9)


@dataclass(frozen=True)
class Curve:
    """Error rates by threshold: entry i of each column is for "accept from `scores[i]` on"; scores rise.

    Args:
        scores: thresholds.
        far, far_low, far_high: false accept rate and its 95 % interval.
        tar, tar_low, tar_high: true accept rate and its 95 % interval.
    """

    scores: tuple[float, ...]
    far: tuple[float, ...]
    far_low: tuple[float, ...]
    far_high: tuple[float, ...]
    tar: tuple[float, ...]
    tar_low: tuple[float, ...]
    tar_high: tuple[float, ...]

    def rates(self, scores: float | npt.ArrayLike, column: str) -> Float[np.ndarray, " n"]:
        """A column at these scores, linear between the thresholds."""
        return np.interp(as_scores(scores), self.scores, getattr(self, column))

    def threshold(self, far: float) -> float:
        """The lowest score from which on the false accept rate is at most `far`, as far as the curve tells.

        Exact for the rates of `levels`, 0.1, 0.05, 0.01, ... among them; interpolated for others.
        """
        index = _first_at_most(self.far, far)
        if index is not None and np.isclose(far, levels(far), rtol=1e-9, atol=0).any():
            return self.scores[index]
        return self.score_of(far, self.far)

    def score_of(self, far: float, column: Sequence[float]) -> float:
        """Where a column falls to `far`: linear in the logarithm, as such curves nearly are; else the last score."""
        index = _first_at_most(column, far)
        if index is None:
            return self.scores[-1]
        if index == 0 or column[index] == far or column[index] <= 0:
            return self.scores[index]
        share = np.log(column[index - 1] / far) / np.log(column[index - 1] / column[index])
        return float(self.scores[index - 1] + share * (self.scores[index] - self.scores[index - 1]))


def levels(least: float) -> Float[np.ndarray, " levels"]:
    """False accept rates to find thresholds for, falling: 1, 0.98 ... 0.1, then by the decade down to `least`.

    Example:
        >>> levels(0.05)[-3:].tolist()
        [0.07, 0.06, 0.05]
    """
    decades = range(2, 2 - int(np.floor(np.log10(least) * (1 - 1e-12))))
    low = [mantissa * 10.0**-power for power in decades for mantissa in reversed(_MANTISSAS)]
    falling = np.round(np.concatenate([np.arange(100, 9, -2) / 100, low]), 15)
    return falling[falling >= least * (1 - 1e-9)]


def _first_at_most(column: Sequence[float], far: float) -> int | None:
    """Index of the first entry of a falling column that is at most `far`."""
    below = np.asarray(column) <= far * (1 + 1e-9)
    return int(np.argmax(below)) if below[-1] else None
