"""Error rates of scored comparisons: far, tar, ROC, auc, eer.

A comparison is accepted where its score is at least the threshold. far (false accept rate) is the share of comparisons
of different classes that are accepted, tar (true accept rate) the share of comparisons of the same class.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float, Num

from nearkin.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class ScoreCounts:
    """How many same and how many different comparisons have each score: all that error rates depend on.

    Args:
        scores: distinct scores, ascending.
        same, different: number, or weight, of the comparisons of either kind with that score `[s]`.

    Example:
        >>> counts = ScoreCounts(np.array([0.1, 0.5, 0.9]), np.array([0, 1, 1]), np.array([1, 1, 0]))
        >>> counts.auc(), counts.eer(), counts.tar(counts.threshold(far=0.0))
        (0.875, 0.25, 0.5)
    """

    scores: Float[np.ndarray, " s"]
    same: Num[np.ndarray, " s"]
    different: Num[np.ndarray, " s"]

    def roc(self) -> tuple[Float[np.ndarray, " t"], Float[np.ndarray, " t"], Float[np.ndarray, " t"]]:
        """far, tar and threshold, from accepting nothing (threshold infinity) to accepting everything."""
        far, tar = (accepted_shares(counts)[::-1] for counts in (self.different, self.same))
        return far, tar, np.append(self.scores, np.inf)[::-1]

    def far(self, index: int) -> float:
        """False accept rate if comparisons from `scores[index]` on are accepted; `len(scores)` accepts none."""
        return float(self.different[index:].sum() / self.different.sum())

    def tar(self, index: int) -> float:
        """True accept rate, likewise."""
        return float(self.same[index:].sum() / self.same.sum())

    def threshold(self, far: float) -> int:
        """Index of the lowest score from which on the false accept rate is at most `far`."""
        return int(thresholds(self.different, np.array([far]))[0])

    def auc(self) -> float:
        """The probability that a same comparison scores above a different one, equal scores counting half."""
        return float(self.below("different") @ self.same / self.same.sum())

    def below(self, kind: str) -> Float[np.ndarray, " s"]:
        """For each score the share of `kind` comparisons that lie below it, those at it counting half."""
        counts = getattr(self, kind)
        return (np.cumsum(counts) - counts / 2) / counts.sum()

    def eer(self) -> float:
        """The rate at which false accepts and false rejects are equal, on straight lines between thresholds."""
        index, share = self.crossing()
        return (1 - share) * self.far(index) + share * self.far(index + 1)

    def crossing(self) -> tuple[int, float]:
        """Where far - frr changes sign: the index before, and how far on towards the next."""
        gap = accepted_shares(self.different) - (1 - accepted_shares(self.same))
        index = int(np.argmax(gap <= 0)) - 1
        return index, float(gap[index] / (gap[index] - gap[index + 1]))


def accepted_shares(counts: np.ndarray) -> Float[np.ndarray, " t"]:
    """The share of comparisons from each score on, and 0 for none."""
    return np.append(np.cumsum(counts[::-1])[::-1], 0) / counts.sum()


def thresholds(different: np.ndarray, fars: Float[np.ndarray, " f"]) -> npt.NDArray[np.int64]:
    """For each rate the index of the lowest score from which on no larger share of comparisons is accepted.

    Args:
        different: comparisons of different classes by score `[s]`, scores ascending.
        fars: false accept rates, 0 <= far <= 1.
    """
    # Sums of weights differ by rounding from the rate that they make.
    return np.searchsorted(-accepted_shares(different), -(fars * (1 + 1e-9)), side="left")


def count_scores(scores: npt.ArrayLike, same: npt.ArrayLike, *, weights: npt.ArrayLike | None = None) -> ScoreCounts:
    """Comparisons by their exact scores.

    Args:
        scores: one per comparison `[p]`; higher means more alike.
        same: flags `[p]`.
        weights: of each comparison `[p]`; each counts once if None.

    Raises:
        InvalidInput: NaN, lengths that differ, or comparisons of one kind only.

    Example:
        >>> count_scores([0.5, 0.5, 0.1], [True, False, False]).different
        array([1, 1])
    """
    values, flags = checked_scores(scores, same)
    found, index = np.unique(values, return_inverse=True)
    given = None if weights is None else np.asarray(weights, dtype=np.float64)
    kinds = (
        np.bincount(index[chosen], weights=None if given is None else given[chosen], minlength=len(found))
        for chosen in (flags, ~flags)
    )
    return ScoreCounts(found, *kinds)


def checked_scores(
    scores: npt.ArrayLike, same: npt.ArrayLike
) -> tuple[Float[np.ndarray, " p"], Bool[np.ndarray, " p"]]:
    """Scores and flags of comparisons of both kinds.

    Raises:
        InvalidInput: NaN, lengths that differ, or comparisons of one kind only.
    """
    values, flags = np.asarray(scores, dtype=np.float64), np.asarray(same)
    if values.ndim != 1 or flags.shape != values.shape or (len(flags) and flags.dtype != bool):
        raise InvalidInput(
            f"scores of shape {values.shape} and same: {flags.dtype} of shape {flags.shape}; expected numbers [p] and "
            "as many of True or False"
        )
    if not np.isfinite(values).all():
        bad = np.flatnonzero(~np.isfinite(values))
        raise InvalidInput(
            f"{len(bad)} of {len(values)} scores are NaN or infinite, the first is that of pair {bad[0]}"
        )
    if not flags.any() or flags.all():
        kind = "same" if not flags.any() else "different"
        raise InvalidInput(f"none of the {len(flags)} pairs is {kind}: verification needs pairs of both kinds")
    return values, flags
