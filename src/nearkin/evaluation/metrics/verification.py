"""Verification: do two pictures show the same? Error rates over thresholds of scored pairs.

Rates count comparisons, see `nearkin.calibration.error_rates`; `all_pairs` has those of all pairs of labelled pictures.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float, Int

from nearkin.arrays import as_ids, check_share
from nearkin.calibration.error_rates import ScoreCounts, accepted_shares, checked_scores, count_scores
from nearkin.calibration.weighting import Weighting, check_weighting, comparisons_needed
from nearkin.errors import InvalidInput
from nearkin.intervals.dyadic import MeanOverPairs
from nearkin.intervals.figure import Figure, check_interval

FARS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


@dataclass(frozen=True, eq=False)
class Statistic:
    """One number of verification, and what a single pair of each score adds to its error.

    Args:
        value: the number.
        of_same, of_different: for each score of the counts what a pair there adds: its influence, over the pairs.
        step: index of the score where both change from one number to another, and nowhere else; None if they are no
            step functions.
    """

    value: float
    of_same: Float[np.ndarray, " s"]
    of_different: Float[np.ndarray, " s"]
    step: int | None = None


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


def figure_name(metric: str, weighting: Weighting) -> str:
    """A metric's name in a table: a weighting other than by comparisons is printed with the number.

    Example:
        >>> figure_name("eer", "comparisons"), figure_name("eer", "classes")
        ('eer', 'eer (classes weighted equally)')
    """
    return metric if weighting == "comparisons" else f"{metric} (classes weighted equally)"


def supported_fars(comparisons: int, fars: Sequence[float] = FARS) -> tuple[list[float], list[str]]:
    """The false accept rates that so many comparisons of different classes can carry, and why not the others.

    A rate needs ten false accepts. How many of them tell the same, because they share classes, shows in the intervals.

    Args:
        comparisons: of pictures of different classes.
        fars: false accept rates, 0 < far < 1.

    Raises:
        InvalidInput: a rate is out of range.

    Example:
        >>> supported_fars(1500, [1e-2, 1e-3])
        ([0.01], ['tar@far=1e-3 needs at least 10,000 comparisons of different classes; you have 1,500'])
    """
    if not isinstance(fars, Iterable):
        raise InvalidInput(f"fars is {fars!r}, expected false accept rates, such as (0.1, 0.01)")
    fars = [check_share(far, "far", "a false accept rate") for far in fars]
    needed = {far: comparisons_needed(far) for far in fars}
    refused = [
        f"{tar_name(far)} needs at least {needed[far]:,} comparisons of different classes; you have {comparisons:,}"
        for far in fars
        if needed[far] > comparisons
    ]
    return [far for far in fars if needed[far] <= comparisons], refused


def verification(
    scores: npt.ArrayLike,
    same: npt.ArrayLike,
    *,
    classes: npt.ArrayLike | None = None,
    people: npt.ArrayLike | None = None,
    folds: npt.ArrayLike | None = None,
    fars: Sequence[float] | None = None,
    weighting: str = "comparisons",
    interval: str = "rate",
) -> dict[str, Figure]:
    """Error rates of scored pairs, with intervals for other classes like these.

    Args:
        scores: one per pair `[p]`, higher means more alike.
        same: flags `[p]`.
        classes: the two classes of each pair, whole numbers `[p, 2]`; each pair has its own if None.
        people: the name of `classes` in nearkin 0.1.0.
        folds: a fold for each pair `[p]`, as the protocol of LFW gives; None for no accuracy.
        fars: false accept rates to give tar at; by default 0.1, 0.01, ... 1e-6 as far as the pairs carry them.
        weighting: "comparisons", or "classes" where each class counts once in tar, each pair of classes once in far;
            the names of the figures then say so.
        interval: "rate" holds the number over all classes like these, "another group" that of another group of as many
            classes, in 95 % of cases.

    Returns:
        "auc", "eer", "tar@far=1e-1", ...: see `ScoreCounts`. With folds "accuracy": the share of right answers of each
        fold at the threshold that is best on the other folds, averaged over folds (the protocol of LFW).

    Raises:
        InvalidInput: NaN, lengths that differ, pairs of one kind only, or a rate that the pairs cannot carry.
        UnknownName: no such weighting or interval.

    Example:
        >>> figures = verification([0.9, 0.8, 0.3, 0.1], [True, True, False, False])
        >>> figures["auc"].value, figures["eer"].value
        (1.0, 0.0)

    Source: ISO/IEC 19795-1; Huang et al. 2008, Labeled Faces in the Wild (accuracy); Fawcett 2006, An introduction to
    ROC analysis.
    """
    chosen = check_interval(interval)
    scored = score_pairs(scores, same, classes=classes, people=people, folds=folds, fars=fars, weighting=weighting)
    return {name: one.figure(interval=chosen) for name, one in scored.items()}


def score_pairs(
    scores: npt.ArrayLike,
    same: npt.ArrayLike,
    *,
    classes: npt.ArrayLike | None = None,
    people: npt.ArrayLike | None = None,
    folds: npt.ArrayLike | None = None,
    fars: Sequence[float] | None = None,
    weighting: str = "comparisons",
) -> dict[str, MeanOverPairs]:
    """What `verification` makes figures of, for paired comparison of models."""
    values, flags, counted = *checked_scores(scores, same), check_weighting(weighting)
    members = _members(people if classes is None else classes, flags)
    carried, refused = supported_fars(int((~flags).sum()), FARS if fars is None else fars)
    if fars is not None and refused:
        raise InvalidInput("; ".join(refused))
    weights = None if counted == "comparisons" else _equal_classes(members, flags)
    counts = count_scores(values, flags, weights=weights)
    index = np.searchsorted(counts.scores, values)
    independent = float(min(len(np.unique(members[flags])), len(np.unique(members[~flags]))))

    def figure_of(value: float, parts: np.ndarray) -> MeanOverPairs:
        return MeanOverPairs(value, parts, members, independent=independent, n=len(values))

    found = {
        figure_name(name, counted): figure_of(
            one.value,
            np.where(flags, one.of_same[index], one.of_different[index]) * (1.0 if weights is None else weights),
        )
        for name, one in statistics(counts, carried).items()
    }
    if folds is not None:
        right, shares = _right_by_folds(values, flags, as_ids(folds, "folds", length=len(values)))
        accuracy = float(shares @ right)
        found["accuracy"] = figure_of(accuracy, shares * (right - accuracy))
    return found


def _equal_classes(members: Int[np.ndarray, "p 2"], same: Bool[np.ndarray, " p"]) -> Float[np.ndarray, " p"]:
    """Weights that make each class count once among the same pairs, each pair of classes once among the others."""
    _, cells, sizes = np.unique(np.sort(members, axis=1), axis=0, return_inverse=True, return_counts=True)
    weights = 1 / sizes[cells.ravel()]
    for kind in (same, ~same):
        weights[kind] *= kind.sum() / weights[kind].sum()
    return weights


def _members(classes: npt.ArrayLike | None, same: np.ndarray) -> Int[np.ndarray, "p 2"]:
    if classes is None:
        return np.repeat(np.arange(len(same)), 2).reshape(-1, 2)
    members = np.asarray(classes)
    if members.shape != (len(same), 2) or not np.issubdtype(members.dtype, np.integer):
        raise InvalidInput(
            f"classes: {members.dtype} of shape {members.shape}, expected whole numbers [{len(same)}, 2]"
        )
    if ((members[:, 0] == members[:, 1]) != same).any():
        bad = int(np.flatnonzero((members[:, 0] == members[:, 1]) != same)[0])
        raise InvalidInput(f"pair {bad} is of classes {members[bad].tolist()}, but same is {bool(same[bad])}")
    return members.astype(np.int64)


def _tar_at(counts: ScoreCounts, far: float) -> Statistic:
    """tar where far is at most that; a false accept too many moves the threshold, and tar along the curve."""
    index = counts.threshold(far)
    tar, reached = counts.tar(index), counts.far(index)
    accepted = np.arange(len(counts.scores)) >= index
    slope = _slope(counts, far)
    return Statistic(
        tar, (accepted - tar) / counts.same.sum(), -slope * (accepted - reached) / counts.different.sum(), index
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
    index, share = counts.crossing()
    at = index + (share >= 0.5)
    # The two rates' changes over a span around the crossing.
    span = 2 / np.sqrt(max(value * min(counts.same.sum(), counts.different.sum()), 1.0))
    far, frr = accepted_shares(counts.different), 1 - accepted_shares(counts.same)
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
    found, indexs = np.unique(scores, return_inverse=True)
    # Pairs that are right if all from this score on are accepted: same ones there, and different ones before.
    gain = np.bincount(indexs, weights=np.where(same, -1.0, 1.0), minlength=len(found))
    right = np.append(0.0, np.cumsum(gain)) + same.sum()
    best = int(np.argmax(right))
    edges = np.concatenate([[found[0] - 1], (found[1:] + found[:-1]) / 2, [found[-1] + 1]])
    return float(edges[best])
