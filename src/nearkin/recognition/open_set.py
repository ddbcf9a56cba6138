"""From which score on a name is given, so that no more than a promised share of strangers' pictures get one.

That share is the false positive identification rate, FPIR (ISO/IEC 19795-1): of pictures of people, things or places
that are in no class, how many get any name. It grows with the number of classes, so it is measured at the classes that
there are: with pictures of strangers, or by leaving out one class at a time, whose pictures are then strangers' to all
others.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from nearkin.calibration.weighting import EVENTS
from nearkin.errors import InvalidInput
from nearkin.intervals.binomial import clopper_pearson, effective_trials, jeffreys
from nearkin.recognition.scorer import Fitted

# More trials tell no more of a rate of 0.1 %, and 10,000 classes need a moment for each.
MOST_TRIALS = 20_000
# Cells of scores at once.
BLOCK = 1 << 24


@dataclass(frozen=True, eq=False)
class StrangerScores:
    """The best score of any class for pictures of strangers.

    Args:
        scores: of each picture.
        strangers: which stranger each picture is of; pictures of one stranger tell less than those of several.
        best: class of the best score; -1 if none has examples.
        source: where they come from, for messages: "classes left out one at a time".
    """

    scores: Float[np.ndarray, " n"]
    strangers: Int[np.ndarray, " n"]
    best: Int[np.ndarray, " n"]
    source: str

    def joined(self, other: "StrangerScores") -> "StrangerScores":
        """Both, the strangers of one none of the other's."""
        apart = other.strangers + (self.strangers.max(initial=-1) + 1)
        return StrangerScores(
            np.concatenate([self.scores, other.scores]),
            np.concatenate([self.strangers, apart]),
            np.concatenate([self.best, other.best]),
            f"{self.source}; {other.source}" if len(self.scores) and len(other.scores) else self.source or other.source,
        )


@dataclass(frozen=True)
class OpenSetThreshold:
    """The score from which on a name is given.

    Args:
        fpir: share of strangers' pictures that may get a name.
        score: the threshold.
        low, high: between these scores lies the threshold of that rate itself, in 95 % of cases.
        fpir_low, fpir_high: 95 % interval of the share that another group of as many strangers reaches.
        classes: for how many classes it holds.
        trials: pictures of strangers that it was measured with.
        strangers: how many strangers they are of.
        source: where they come from.
    """

    fpir: float
    score: float
    low: float
    high: float
    fpir_low: float
    fpir_high: float
    classes: int
    trials: int
    strangers: int
    source: str


def leave_one_class_out(fitted: Fitted, classes: Int[np.ndarray, " n"], *, seed: int = 0) -> StrangerScores:
    """Each example as a picture of a stranger to all classes but its own.

    Args:
        fitted: to the examples.
        classes: of the examples, in their order.
        seed: which of them take part where there are more than 20,000.
    """
    rows = np.arange(len(classes))
    if len(rows) > MOST_TRIALS:
        # As even over the classes as can be.
        order = np.random.default_rng(seed).permutation(len(rows))
        turn = np.empty(len(rows), np.int64)
        for_class = np.argsort(classes[order], kind="stable")
        starts = np.searchsorted(classes[order][for_class], classes[order][for_class])
        turn[order[for_class]] = np.arange(len(rows)) - starts
        rows = np.sort(np.argsort(turn, kind="stable")[:MOST_TRIALS])
    scores, best = np.empty(len(rows), np.float32), np.empty(len(rows), np.int64)
    step = max(1, BLOCK // max(1, fitted.count))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        _, all_scores = fitted.without_own(part)
        all_scores[np.arange(len(part)), classes[part]] = -np.inf
        scores[start : start + step], best[start : start + step] = all_scores.max(axis=1), all_scores.argmax(axis=1)
    kept = np.isfinite(scores)
    return StrangerScores(scores[kept], classes[rows][kept], best[kept], "classes left out one at a time")


def score_strangers(
    fitted: Fitted, pictures: Float[np.ndarray, "n dim"], strangers: Int[np.ndarray, " n"], source: str
) -> StrangerScores:
    """The best score of any class for pictures of strangers; arguments as in `StrangerScores`."""
    scores, best = np.empty(len(pictures), np.float32), np.empty(len(pictures), np.int64)
    step = max(1, BLOCK // max(1, fitted.count))
    for start in range(0, len(pictures), step):
        found = fitted.scores(pictures[start : start + step])
        scores[start : start + step], best[start : start + step] = found.max(axis=1), found.argmax(axis=1)
    return StrangerScores(scores, strangers, best, source)


def lowest_fpir(trials: StrangerScores) -> float:
    """The lowest rate that these pictures of strangers can carry: ten of them are named at it."""
    return min(1.0, EVENTS / max(1, len(trials.scores)))


def open_set_threshold(trials: StrangerScores, fpir: float, classes: int) -> OpenSetThreshold:
    """The threshold of a rate, with its intervals.

    Args:
        trials: pictures of strangers.
        fpir: share of them that may get a name, 0 < fpir < 1.
        classes: how many there are.

    Raises:
        InvalidInput: a rate out of range, or one that so few pictures of strangers cannot carry.

    Example:
        >>> trials = StrangerScores(np.arange(1000.0), np.arange(1000), np.zeros(1000, int), "a test")
        >>> open_set_threshold(trials, 0.1, 5).score
        900.0
    """
    if not 0 < fpir < 1:
        raise InvalidInput(f"fpir is {fpir:g}: expected a rate, more than 0 and less than 1")
    count = len(trials.scores)
    if count * fpir < EVENTS * (1 - 1e-9):
        lowest = (
            f"the lowest rate that they carry is {lowest_fpir(trials):.2g}" if count > EVENTS else "they carry none"
        )
        raise InvalidInput(
            f"fpir {fpir:g} would rest on {count * fpir:.2g} of {count} pictures of strangers, expected {EVENTS} or "
            f"more; {lowest}: add pictures of strangers, or classes"
        )
    order = np.sort(trials.scores)[::-1]
    accepted = max(1, int(np.floor(count * fpir * (1 + 1e-9))))
    score = float(order[accepted - 1])
    rate = float(np.mean(trials.scores >= score))
    effective = _effective_trials(trials, score, rate)
    low_rate, high_rate = (float(end) for end in jeffreys(rate, effective))
    # Of another group of as many strangers: two estimates differ by twice the variance of one.
    other_low, other_high = (float(end) for end in clopper_pearson(rate, effective / 2))

    def score_of(share: float) -> float:
        return float(order[int(np.clip(round(count * share) - 1, 0, count - 1))])

    return OpenSetThreshold(
        fpir=fpir,
        score=score,
        low=min(score_of(high_rate), score),
        high=max(score_of(low_rate), score),
        fpir_low=other_low,
        fpir_high=other_high,
        classes=classes,
        trials=count,
        strangers=len(np.unique(trials.strangers)),
        source=trials.source,
    )


def _effective_trials(trials: StrangerScores, score: float, rate: float) -> float:
    """As how many independent pictures they count: those of one stranger, and of two strangers that are taken for each
    other, are alike."""
    named = trials.scores >= score
    groups = _joined_groups(trials, named)
    sizes = np.bincount(groups)
    errors = np.bincount(groups, named - rate) / len(named)
    several = int((sizes > 0).sum())
    variance = float((errors**2).sum()) * several / max(1, several - 1)
    if not 0 < rate < 1 or variance <= 0:
        return float(several)
    freedom = max(1.0, min(several - 1.0, _kish(errors)))
    return float(np.clip(effective_trials(rate, variance, freedom), 1.0, len(named)))


def _kish(errors: np.ndarray) -> float:
    """So many equal parts would tell a sum of squares as well."""
    squares = errors**2
    return float(squares.sum() ** 2 / max((squares**2).sum(), 1e-300))


def _joined_groups(trials: StrangerScores, named: np.ndarray) -> Int[np.ndarray, " n"]:
    """Strangers, those together that are taken for each other where classes are left out."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ids, groups = np.unique(trials.strangers, return_inverse=True)
    place = np.searchsorted(ids, trials.best).clip(max=len(ids) - 1)
    mutual = named & (ids[place] == trials.best) & trials.source.startswith("classes left out")
    if not mutual.any():
        return groups
    one, two = groups[mutual], place[mutual]
    pairs = {(a, b) for a, b in zip(one.tolist(), two.tolist(), strict=True)}
    both = np.array([(a, b) for a, b in pairs if (b, a) in pairs], dtype=np.int64).reshape(-1, 2)
    graph = coo_matrix((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(len(ids), len(ids)))
    joined = connected_components(graph, directed=False)[1]
    found: Int[np.ndarray, " n"] = joined[groups]
    return found
