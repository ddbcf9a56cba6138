"""Verification: do two pictures show the same? Error rates over thresholds, from scored pairs or from all pairs.

A pair is accepted where its score is at least the threshold. far (false accept rate) is the share of different pairs
that are accepted, tar (true accept rate) the share of same pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float, Int

from nearkin.arrays import as_ids
from nearkin.errors import InvalidInput
from nearkin.intervals.bootstrap import Figure
from nearkin.intervals.dyadic import Overlapping

# False accepts that a threshold has to rest on: with fewer, its interval would say "anything".
EVENTS = 10
FARS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


@dataclass(frozen=True, eq=False)
class ScoreCounts:
    """How many same and how many different pairs have each score: all that error rates depend on.

    Args:
        scores: different scores, ascending.
        same, different: pairs of either kind with that score; at least one in all.

    Example:
        >>> counts = ScoreCounts(np.array([0.1, 0.5, 0.9]), np.array([0, 1, 1]), np.array([1, 1, 0]))
        >>> counts.auc(), counts.eer(), counts.tar(counts.threshold(far=0.0))
        (0.875, 0.25, 0.5)
    """

    scores: Float[np.ndarray, " s"]
    same: Int[np.ndarray, " s"]
    different: Int[np.ndarray, " s"]

    def roc(self) -> tuple[Float[np.ndarray, " t"], Float[np.ndarray, " t"], Float[np.ndarray, " t"]]:
        """far, tar and threshold, from accepting nothing (threshold infinity) to accepting everything."""
        far, tar = (_accepted(counts)[::-1] for counts in (self.different, self.same))
        return far, tar, np.append(self.scores, np.inf)[::-1]

    def far(self, place: int) -> float:
        """False accept rate if pairs from the score at this place on are accepted; `len(scores)` accepts none."""
        return float(self.different[place:].sum() / self.different.sum())

    def tar(self, place: int) -> float:
        """True accept rate, likewise."""
        return float(self.same[place:].sum() / self.same.sum())

    def threshold(self, far: float) -> int:
        """The place of the lowest score from which on the false accept rate is at most `far`."""
        return int(np.argmax(_accepted(self.different) <= far * (1 + 1e-12)))

    def auc(self) -> float:
        """The chance that a same pair scores above a different one, equal scores counting half."""
        return float(self.below("different") @ self.same / self.same.sum())

    def below(self, kind: str) -> Float[np.ndarray, " s"]:
        """For each score the share of `kind` pairs that lie below it, those at it counting half."""
        counts = getattr(self, kind)
        return (np.cumsum(counts) - counts / 2) / counts.sum()

    def eer(self) -> float:
        """The rate at which false accepts and false rejects are equal, on straight lines between thresholds."""
        place, share = self._crossing()
        return (1 - share) * self.far(place) + share * self.far(place + 1)

    def _crossing(self) -> tuple[int, float]:
        """Where far - frr changes sign: the place before, and how far on towards the next."""
        gap = _accepted(self.different) - (1 - _accepted(self.same))
        place = int(np.argmax(gap <= 0)) - 1
        return place, float(gap[place] / (gap[place] - gap[place + 1]))


def count_scores(scores: npt.ArrayLike, same: npt.ArrayLike) -> ScoreCounts:
    """Pairs by their exact scores.

    Args:
        scores: one per pair `[p]`; higher means more alike.
        same: flags `[p]`.

    Raises:
        InvalidInput: NaN, lengths that differ, or pairs of one kind only.

    Example:
        >>> count_scores([0.5, 0.5, 0.1], [True, False, False]).different
        array([1, 1])
    """
    values, flags = _checked(scores, same)
    found, places = np.unique(values, return_inverse=True)
    sides = (np.bincount(places[chosen], minlength=len(found)) for chosen in (flags, ~flags))
    return ScoreCounts(found, *sides)


@dataclass(frozen=True, eq=False)
class Statistic:
    """One number of verification, and what a single pair of each score adds to its error.

    Args:
        value: the number.
        of_same, of_different: for each score of the counts what a pair there adds: its influence, over the pairs.
        place: where both of them step from one number to another, and do nothing else; None if they are no steps.
    """

    value: float
    of_same: Float[np.ndarray, " s"]
    of_different: Float[np.ndarray, " s"]
    place: int | None = None


def statistics(counts: ScoreCounts, fars: Sequence[float]) -> dict[str, Statistic]:
    """auc, eer and tar@far with their influences; the threshold is estimated, and that is part of the error."""
    auc = counts.auc()
    found = {
        "auc": Statistic(
            auc,
            (counts.below("different") - auc) / counts.same.sum(),
            (1 - counts.below("same") - auc) / counts.different.sum(),
        ),
        "eer": _eer(counts),
    }
    return found | {tar_name(far): _tar_at(counts, far) for far in fars}


def tar_name(far: float) -> str:
    """How the figure is called.

    Example:
        >>> tar_name(0.001)
        'tar@far=1e-3'
    """
    mantissa, _, exponent = f"{far:e}".partition("e")
    return f"tar@far={float(mantissa):g}e{int(exponent)}"


def supported_fars(different_pairs: int, fars: Sequence[float] = FARS) -> tuple[list[float], list[str]]:
    """The rates that so many different pairs of people can carry, and why not the others.

    Args:
        different_pairs: pairs of people (classes), not of their pictures: two hundred pictures of two people are one.
        fars: wanted rates, 0 < far < 1.

    Raises:
        InvalidInput: a rate is out of range.

    Example:
        >>> supported_fars(1500, [1e-2, 1e-3])
        ([0.01], ['tar@far=1e-3 needs at least 10,000 different pairs of classes; you have 1,500'])
    """
    if any(not 0 < far < 1 for far in fars):
        raise InvalidInput(f"far {list(fars)}: wanted rates between 0 and 1")
    needed = {far: int(np.ceil(EVENTS / far * (1 - 1e-9))) for far in fars}
    refused = [
        f"{tar_name(far)} needs at least {needed[far]:,} different pairs of classes; you have {different_pairs:,}"
        for far in fars
        if needed[far] > different_pairs
    ]
    return [far for far in fars if needed[far] <= different_pairs], refused


def verification(
    scores: npt.ArrayLike,
    same: npt.ArrayLike,
    *,
    people: npt.ArrayLike | None = None,
    folds: npt.ArrayLike | None = None,
    fars: Sequence[float] | None = None,
) -> dict[str, Figure]:
    """Error rates of scored pairs, with intervals for other people like these.

    Args:
        scores: one per pair `[p]`, higher means more alike.
        same: flags `[p]`.
        people: the two people (classes) of each pair, whole numbers `[p, 2]`; each pair has its own if None.
        folds: a fold for each pair `[p]`, as the protocol of LFW gives; None for no accuracy.
        fars: false accept rates to give tar at; by default 0.1, 0.01, ... 1e-6 as far as the pairs carry them.

    Returns:
        "auc", "eer", "tar@far=1e-1", ...: see `ScoreCounts`. With folds "accuracy": the share of right answers of each
        fold at the threshold that is best on the other folds, averaged over folds (the protocol of LFW).

    Raises:
        InvalidInput: NaN, lengths that differ, pairs of one kind only, or a wanted rate that the pairs cannot carry.

    Example:
        >>> figures = verification([0.9, 0.8, 0.3, 0.1], [True, True, False, False])
        >>> figures["auc"].value, figures["eer"].value
        (1.0, 0.0)

    Source: Huang et al. 2008, Labeled Faces in the Wild (accuracy); Fawcett 2006, An introduction to ROC analysis.
    """
    measured = score_pairs(scores, same, people=people, folds=folds, fars=fars)
    return {name: one.figure() for name, one in measured.items()}


def score_pairs(
    scores: npt.ArrayLike,
    same: npt.ArrayLike,
    *,
    people: npt.ArrayLike | None = None,
    folds: npt.ArrayLike | None = None,
    fars: Sequence[float] | None = None,
) -> dict[str, Overlapping]:
    """What `verification` makes figures of, for paired comparison."""
    values, flags = _checked(scores, same)
    members = _people(people, flags)
    different = len(np.unique(np.sort(members[~flags], axis=1), axis=0))
    carried, refused = supported_fars(different, FARS if fars is None else fars)
    if fars is not None and refused:
        raise InvalidInput("; ".join(refused))
    counts = count_scores(values, flags)
    places = np.searchsorted(counts.scores, values)
    independent = float(min(len(np.unique(members[flags])), len(np.unique(members[~flags]))))

    def measured(value: float, parts: np.ndarray) -> Overlapping:
        return Overlapping(value, parts, members, independent=independent, n=len(values))

    found = {
        name: measured(one.value, np.where(flags, one.of_same[places], one.of_different[places]))
        for name, one in statistics(counts, carried).items()
    }
    if folds is not None:
        right, weights = _right_by_folds(values, flags, as_ids(folds, "folds", length=len(values)))
        accuracy = float(weights @ right)
        found["accuracy"] = measured(accuracy, weights * (right - accuracy))
    return found


def _checked(scores: npt.ArrayLike, same: npt.ArrayLike) -> tuple[Float[np.ndarray, " p"], Bool[np.ndarray, " p"]]:
    values, flags = np.asarray(scores, dtype=np.float64), np.asarray(same)
    if values.ndim != 1 or flags.shape != values.shape or (len(flags) and flags.dtype != bool):
        raise InvalidInput(
            f"scores of shape {values.shape} and same: {flags.dtype} of shape {flags.shape}; wanted numbers [p] and "
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


def _people(people: npt.ArrayLike | None, same: np.ndarray) -> Int[np.ndarray, "p 2"]:
    if people is None:
        return np.repeat(np.arange(len(same)), 2).reshape(-1, 2)
    members = np.asarray(people)
    if members.shape != (len(same), 2) or not np.issubdtype(members.dtype, np.integer):
        raise InvalidInput(f"people: {members.dtype} of shape {members.shape}, wanted whole numbers [{len(same)}, 2]")
    if ((members[:, 0] == members[:, 1]) != same).any():
        bad = int(np.flatnonzero((members[:, 0] == members[:, 1]) != same)[0])
        raise InvalidInput(f"pair {bad} is of people {members[bad].tolist()}, but same is {bool(same[bad])}")
    return members.astype(np.int64)


def _accepted(counts: np.ndarray) -> Float[np.ndarray, " t"]:
    """The share of pairs from each score on, and 0 for none."""
    return np.append(np.cumsum(counts[::-1])[::-1], 0) / counts.sum()


def _tar_at(counts: ScoreCounts, far: float) -> Statistic:
    """tar where far is at most that; a false accept too many moves the threshold, and tar along the curve."""
    place = counts.threshold(far)
    tar, reached = counts.tar(place), counts.far(place)
    accepted = np.arange(len(counts.scores)) >= place
    slope = _slope(counts, far)
    return Statistic(
        tar, (accepted - tar) / counts.same.sum(), -slope * (accepted - reached) / counts.different.sum(), place
    )


def _slope(counts: ScoreCounts, far: float) -> float:
    """How fast tar rises with far there, over a span that holds enough false accepts to tell."""
    accepts = far * counts.different.sum()
    span = min(0.5, 2 / np.sqrt(max(accepts, 1.0)))
    low, high = (counts.threshold(min(far * (1 + step), 1.0)) for step in (-span, span))
    run = counts.far(high) - counts.far(low)
    return (counts.tar(high) - counts.tar(low)) / run if run > 0 else 0.0


def _eer(counts: ScoreCounts) -> Statistic:
    """Both error rates there, each weighed by how slowly it changes with the threshold."""
    value = counts.eer()
    place, share = counts._crossing()
    at = place + (share >= 0.5)
    # The two rates' changes over a span around the crossing.
    span = 2 / np.sqrt(max(value * min(counts.same.sum(), counts.different.sum()), 1.0))
    far, frr = _accepted(counts.different), 1 - _accepted(counts.same)
    low = int(np.argmax(far <= min(value * (1 + span), 1.0)))
    high = max(int(np.argmax(far <= value * (1 - min(span, 0.5)))), low)
    falls, rises = far[low] - far[high], frr[high] - frr[low]
    weight = rises / (rises + falls) if rises + falls > 0 else 0.5
    accepted = np.arange(len(counts.scores)) >= at
    return Statistic(
        value,
        (1 - weight) * (counts.tar(at) - accepted) / counts.same.sum(),
        weight * (accepted - counts.far(at)) / counts.different.sum(),
        at,
    )


def _right_by_folds(
    scores: np.ndarray, same: np.ndarray, folds: np.ndarray
) -> tuple[Bool[np.ndarray, " p"], Float[np.ndarray, " p"]]:
    """Which pairs are told right at the threshold of the other folds, and what each weighs: folds weigh alike."""
    names, members = np.unique(folds, return_inverse=True)
    if len(names) < 2:
        raise InvalidInput("accuracy over folds needs at least two of them: the threshold comes from the others")
    right = np.empty(len(scores), dtype=bool)
    for fold in range(len(names)):
        inside = members == fold
        right[inside] = (scores[inside] >= best_threshold(scores[~inside], same[~inside])) == same[inside]
    return right, 1 / (len(names) * np.bincount(members)[members])


def best_threshold(scores: Float[np.ndarray, " p"], same: Bool[np.ndarray, " p"]) -> float:
    """The threshold with most right answers, in the middle between two scores; of several the lowest.

    Example:
        >>> best_threshold(np.array([0.0, 1.0, 2.0]), np.array([False, False, True]))
        1.5
    """
    found, places = np.unique(scores, return_inverse=True)
    # Pairs that are right if all from this score on are accepted: same ones there, and different ones before.
    gain = np.bincount(places, weights=np.where(same, -1.0, 1.0), minlength=len(found))
    right = np.append(0.0, np.cumsum(gain)) + same.sum()
    best = int(np.argmax(right))
    edges = np.concatenate([[found[0] - 1], (found[1:] + found[:-1]) / 2, [found[-1] + 1]])
    return float(edges[best])
