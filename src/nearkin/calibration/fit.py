"""Fitting a calibration: error rates by threshold with intervals over people, and a map from score to probability.

"People" stands for classes of any kind. Every pair of people counts once in a false accept rate and every person once
in a true accept rate, however many pictures there are of each: else one person with five hundred pictures would speak
for all. Pairs share people, so they are not independent; intervals come from leaving out one person at a time.

A threshold is used on other people than it was found on. So the intervals here are those of the rate that another group
of as many people shows in 95 % of cases: sqrt(2) times as wide as one of the rate itself, since both groups are drawn.
`benchmarks/thresholds.py` measures how often they hold.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int

from nearkin.arrays import as_ids, as_vectors, unit
from nearkin.calibration.decisions import EVENTS, Calibration, Curve, check_prior
from nearkin.calibration.probability import fit_probability
from nearkin.errors import InvalidInput
from nearkin.progress import Progress
from nearkin.similarity import score_blocks
from nearkin.similarity.ranking import ROUNDING

# The least that a calibration is worth making from: far 0.1, and people to cross-fit on.
LEAST_PAIRS = 10 * EVENTS
LEAST_REPEATED = 10

# Scores are counted in so many equal steps of [-1, 1]: 2e-6, about what float32 tells apart.
_STEPS = 1 << 20
# Beside it, not among different pairs: the same class.
_NONE = _STEPS + 1
# Scores handled at once: small enough to stay in the processor's cache.
_CHUNK = 1 << 19

# Thresholds to each factor of ten of the false accept rate.
_PER_DECADE = 20


def fit_calibration(
    embeddings: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    fingerprint: str,
    source: str = "arrays",
    prior: float = 0.5,
    method: str = "auto",
    notes: Sequence[str] = (),
    seed: int = 0,
    progress: Progress | None = None,
) -> Calibration:
    """What the scores of an encoder mean, from labelled pictures of people (classes) that it was not trained on.

    All pairs are scored, block by block: time O(n^2), memory O(block + n dim).

    Args:
        embeddings: numbers `[n, dim]`; scaled to unit length here.
        labels: class ids `[n]`; -1 for none, such rows take no part.
        fingerprint: of the encoder.
        source: name of the data, kept with the calibration.
        prior: share of pairs that are the same before looking, assumed where none is given, 0 < prior < 1.
        method: "logistic" or "isotonic" regression for the probability; "auto" takes the one that predicts people it
            was not fitted on better.
        notes: kept with the calibration.
        seed: of the pairs that the probability is fitted on.
        progress: called with pictures scored and pictures in all, over both passes.

    Raises:
        InvalidInput: NaN, too few pairs of people, too few people with two pictures, or all scores are equal.

    Example: see `Calibration`.

    Source: Arvesen 1969, jackknifing U-statistics (the variance); Korn & Graubard 1998 (exact binomial intervals at the
    effective number of pairs); Woodruff 1952 (from an interval of a rate to one of its quantile).
    """
    check_prior(prior)
    people = _sorted_people(embeddings, labels)
    _check_support(people)
    curve = _error_curve(people, progress)
    return Calibration(
        fingerprint=fingerprint,
        source=source,
        counts={
            "pictures": len(people.vectors),
            "classes": len(people.starts),
            "classes_with_two_pictures": len(people.repeated),
            "pairs_of_classes": people.pairs,
        },
        curve=curve,
        map=fit_probability(people.vectors, people.ids, method=method, seed=seed),
        prior=prior,
        notes=tuple(notes),
    )


def error_curve(embeddings: npt.ArrayLike, labels: npt.ArrayLike, *, progress: Progress | None = None) -> Curve:
    """False and true accept rates by threshold, each with its interval, from all pairs.

    Args as `fit_calibration`.

    Raises:
        InvalidInput: NaN, fewer than three classes, or fewer than two with two pictures.

    Example:
        >>> curve = error_curve(np.eye(3)[[0, 0, 1, 1, 2]], np.array([0, 0, 1, 1, 2]))
        >>> curve.far[-1], curve.tar[-1]
        (0.0, 1.0)
    """
    people = _sorted_people(embeddings, labels)
    if len(people.starts) < 3 or len(people.repeated) < 2:
        raise InvalidInput(
            f"error rates need at least 3 people (classes), 2 of them with two pictures; you have {len(people.starts)} "
            f"and {len(people.repeated)}"
        )
    return _error_curve(people, progress)


def _error_curve(people: "_People", progress: Progress | None) -> Curve:
    passes = _Passes(progress, 2 * len(people.vectors))
    steps = _threshold_steps(_histogram(people, passes), _levels(people.pairs))
    far = _rates(_accepted_between(people, steps, passes), len(people.starts), pairs=True)
    tar = _rates(_accepted_within(people, steps), len(people.repeated), pairs=False)
    return Curve(tuple((steps / (_STEPS / 2) - 1).tolist()), *map(_as_tuple, (*far, *tar)))


class _People(NamedTuple):
    """Unit vectors sorted by class; class c has rows starts[c] : ends[c], and ids are 0, 1, ..."""

    vectors: Float[np.ndarray, "n dim"]
    ids: Int[np.ndarray, " n"]
    starts: Int[np.ndarray, " c"]
    ends: Int[np.ndarray, " c"]

    @property
    def pairs(self) -> int:
        """Different pairs of people."""
        return len(self.starts) * (len(self.starts) - 1) // 2

    @property
    def repeated(self) -> Int[np.ndarray, " repeated"]:
        """Classes with two pictures or more."""
        return np.flatnonzero(self.ends - self.starts >= 2)


class _Passes:
    """Progress over several passes, counted in rows."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def advance(self, rows: int) -> None:
        self.done += rows
        if self.progress:
            self.progress(self.done, self.total)


def _sorted_people(embeddings: npt.ArrayLike, labels: npt.ArrayLike) -> _People:
    vectors = unit(as_vectors(embeddings, "embeddings"))
    ids = as_ids(labels, "labels", length=len(vectors))
    vectors, ids = vectors[ids >= 0], ids[ids >= 0]
    order = np.argsort(ids, kind="stable")
    vectors = vectors[order]
    _, ids, counts = np.unique(ids[order], return_inverse=True, return_counts=True)
    return _People(vectors, ids, np.cumsum(counts) - counts, np.cumsum(counts))


def _check_support(people: _People) -> None:
    if people.pairs < LEAST_PAIRS:
        raise InvalidInput(
            f"a calibration needs at least {LEAST_PAIRS} different pairs of people (classes), which 15 of them make; "
            f"you have {people.pairs}, from {len(people.starts)}: add pictures of more of them"
        )
    if (repeated := len(people.repeated)) < LEAST_REPEATED:
        raise InvalidInput(
            f"a calibration needs at least {LEAST_REPEATED} people (classes) with two pictures or more; you have "
            f"{repeated}: add pictures of those that have one"
        )
    if float((people.vectors @ people.vectors[0]).min()) >= 1 - 4 * ROUNDING:
        raise InvalidInput(
            "all scores are equal: the encoder gives one vector for every picture, so that no threshold can tell them "
            "apart; train it further, or with a lower learning rate"
        )


def _levels(pairs: int) -> Float[np.ndarray, " levels"]:
    """False accept rates to find thresholds for, falling: 1 ... 0.1, then by the decade down to one pair, then none."""
    last = np.log10(pairs)
    powers = np.arange(_PER_DECADE, int(np.floor(last * _PER_DECADE)) + 1) / _PER_DECADE
    return np.concatenate([np.arange(100, 10, -2) / 100, 10.0**-powers, [0.0]])


def _different(people: _People) -> Iterator[tuple[slice, Int[np.ndarray, "rows n"]]]:
    """Step of each score of some rows with all rows; `_NONE` within a class."""
    first, last = people.starts[people.ids], people.ends[people.ids]
    for block, scores in score_blocks(people.vectors, people.vectors):
        height = max(1, _CHUNK // scores.shape[1])
        for start in range(0, len(scores), height):
            rows = slice(block.start + start, min(block.start + start + height, block.stop))
            steps = _steps(scores[start : start + height])
            for row, (low, high) in enumerate(zip(first[rows], last[rows], strict=True)):
                steps[row, low:high] = _NONE
            yield rows, steps


def _steps(scores: Float[np.ndarray, "..."]) -> Int[np.ndarray, "..."]:
    # Rounding may carry the score of equal vectors beyond 1.
    return np.clip((scores + 1) * (_STEPS / 2), 0, _STEPS).astype(np.int32)


def _weights(people: _People) -> Float[np.ndarray, " n"]:
    """One over the pictures of the class: the pairs of two classes then weigh 1 together."""
    return 1 / (people.ends - people.starts)[people.ids]


def _histogram(people: _People, passes: _Passes) -> Float[np.ndarray, " steps"]:
    """Weight of the different pairs in each step, every pair from both its sides."""
    counts, weights = np.zeros(_STEPS + 2), _weights(people)
    for rows, steps in _different(people):
        pair_weights = np.multiply.outer(weights[rows], weights)
        counts += np.bincount(steps.ravel(), weights=pair_weights.ravel(), minlength=_STEPS + 2)
        passes.advance(len(steps))
    return counts[: _STEPS + 1]


def _threshold_steps(
    counts: Float[np.ndarray, " steps"], levels: Float[np.ndarray, " levels"]
) -> Int[np.ndarray, " g"]:
    """The lowest step from which on no more than each level of the different pairs score; rising, each once."""
    above = np.cumsum(counts[::-1])[::-1]
    share = np.append(above / above[0], 0.0)
    # Falling shares: the first place at or below a level. Sums differ by rounding from the level that they make.
    steps = np.searchsorted(-share, -(levels * (1 + 1e-9)), side="left")
    return np.unique(np.append(steps, int(np.flatnonzero(counts)[0])))


def _accepted_between(people: _People, steps: np.ndarray, passes: _Passes) -> Float[np.ndarray, "classes g"]:
    """For each class the weight of its different pairs that each threshold accepts."""
    weights = _weights(people)
    # How many thresholds a step passes.
    passed = np.append(np.searchsorted(steps, np.arange(_STEPS + 1), side="right"), 0).astype(np.int32)
    width = len(steps) + 1
    counts = np.zeros((len(people.starts), width))
    for rows, found in _different(people):
        keys = passed[found] + width * np.arange(len(found), dtype=np.int32)[:, None]
        columns = np.broadcast_to(weights, found.shape).ravel()
        sums = np.bincount(keys.ravel(), weights=columns, minlength=width * len(found)).reshape(-1, width)
        np.add.at(counts, people.ids[rows], sums * weights[rows, None])
        passes.advance(len(found))
    return np.cumsum(counts[:, ::-1], axis=1)[:, -2::-1]


def _accepted_within(people: _People, steps: np.ndarray) -> Float[np.ndarray, "repeated g"]:
    """For each class with two pictures or more the share of its pairs that each threshold accepts."""
    repeated = people.repeated
    shares = np.zeros((len(repeated), len(steps)))
    for row, (start, end) in enumerate(zip(people.starts[repeated], people.ends[repeated], strict=True)):
        some = people.vectors[start:end]
        counts = np.zeros(len(steps) + 1)
        for block, scores in score_blocks(some, some):
            # Only what lies right of the diagonal: every pair once.
            passed = np.searchsorted(steps, _steps(scores), side="right")
            right = np.arange(len(some)) > np.arange(block.start, block.stop)[:, None]
            counts += np.bincount(passed[right], minlength=len(counts))
        shares[row] = np.cumsum(counts[::-1])[-2::-1] / counts.sum()
    return shares


def _rates(accepted: Float[np.ndarray, "people g"], people: int, *, pairs: bool) -> list[Float[np.ndarray, " g"]]:
    """Rate at each threshold and the ends of its interval, by leaving out one person at a time.

    Args:
        accepted: for each person, what is accepted of its pairs.
        people: how many.
        pairs: whether what is accepted belongs to two people at once, or to one.
    """
    from scipy.special import betaincinv, stdtrit

    whole = people * (people - 1) / 2 if pairs else float(people)
    share = people - 1 if pairs else 1
    total = accepted.sum(axis=0) / (2 if pairs else 1)
    rate = np.clip(total / whole, 0.0, 1.0)
    without = (total - accepted) / (whole - share)
    variance = (people - 1) / people * ((without - without.mean(axis=0)) ** 2).sum(axis=0)
    # As many independent pairs would scatter like this; widened, for few people show little of how people differ.
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = (
            np.where(variance > 0, rate * (1 - rate) / variance, whole) * (1.96 / stdtrit(people - 1, 0.975)) ** 2
        )
    # Half as many, since the group that the rate will be seen on is a draw as well.
    effective = np.clip(effective, 1.0, whole) / 2
    hits = rate * effective
    # Exact (Clopper-Pearson) limits; at no hit, or all, one limit is that end itself.
    low = np.where(hits > 0, betaincinv(np.maximum(hits, 1e-300), effective - hits + 1, 0.025), 0.0)
    high = np.where(rate < 1, betaincinv(hits + 1, np.maximum(effective - hits, 1e-300), 0.975), 1.0)
    return [rate, _falling(np.minimum(low, rate)), _falling(np.maximum(high, rate)[::-1], rising=True)[::-1]]


def _falling(values: np.ndarray, *, rising: bool = False) -> np.ndarray:
    """The values with every rise (or fall) flattened: limits of a falling rate fall."""
    return np.maximum.accumulate(values) if rising else np.minimum.accumulate(values)


def _as_tuple(values: np.ndarray) -> tuple[float, ...]:
    return tuple(values.tolist())
