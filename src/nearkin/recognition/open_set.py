"""From which score on a name is given, so that no more than a promised share of strangers' pictures get one.

That share is the false positive identification rate, FPIR (ISO/IEC 19795-1): of pictures of people, things or places
that are in no class, how many get any name. It grows with the number of classes, so it is measured at the classes that
there are: with pictures of strangers, or by leaving out one class at a time, whose pictures are then strangers' to all
others.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from nearkin.errors import InvalidInput
from nearkin.intervals.binomial import jeffreys
from nearkin.intervals.exceedances import exceedances
from nearkin.recognition.examples import Examples
from nearkin.recognition.scorer import NEVER, Fitted, Scorer
from nearkin.recognition.space import Space

# Pictures of strangers that are tried: more tell little more of a rate of 1 %, and 10,000 classes take time for each.
MOST_TRIALS = 5_000
# Up to so many classes all is fitted anew without each of them, or without a part of them where a way to score hangs
# on all; of more classes, one hardly moves what they share.
FEW_CLASSES, FEW_CLASSES_SHARED = 100, 1_000
PARTS = 20
# So many named strangers tell how much their pictures hang together.
_EVENTS = 20
# Nothing is guessed from fewer unnamed pictures. A name is given from where a rate lower by this factor is guessed.
FEWEST_UNNAMED, GUESS = 50, 4.0
# Cells of scores at once.
_BLOCK = 1 << 23


@dataclass(frozen=True, eq=False)
class StrangerScores:
    """The best score of any class for pictures of strangers.

    Args:
        scores: of each picture.
        best: class of the best score.
        strangers: which stranger each picture is of; pictures of one stranger tell less than those of several. A class
            left out is a stranger by its id; others have ids below 0.
        against: how many classes each was scored against.
        pictures: their unit vectors.
        sources: where they come from, for messages: "classes left out in turn".
    """

    scores: Float[np.ndarray, " n"]
    best: Int[np.ndarray, " n"]
    strangers: Int[np.ndarray, " n"]
    against: Int[np.ndarray, " n"]
    pictures: Float[np.ndarray, "n dim"]
    sources: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.scores)

    @staticmethod
    def none(dim: int) -> "StrangerScores":
        """Of nobody."""
        whole = np.empty(0, np.int64)
        return StrangerScores(np.empty(0), whole, whole, whole, np.empty((0, dim)), ())

    def joined(self, other: "StrangerScores") -> "StrangerScores":
        """Both; the same number means the same stranger."""
        added = other.columns()
        both = {name: np.concatenate([one, added[name]]) for name, one in self.columns().items()}
        return StrangerScores(**both, sources=self.sources + other.sources)

    def select(self, rows: Bool[np.ndarray, " n"]) -> "StrangerScores":
        """Some of them."""
        return StrangerScores(**{name: one[rows] for name, one in self.columns().items()}, sources=self.sources)

    def columns(self) -> dict[str, Any]:
        """The arrays by name."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "sources"}


@dataclass(frozen=True)
class OpenSetThreshold:
    """The score from which on a name is given.

    Args:
        fpir: share of strangers' pictures that may get a name.
        score: the threshold.
        low, high: between these scores lies the threshold of that rate itself, in 95 % of cases.
        fpir_low, fpir_high: 95 % interval of the share that another group of as many strangers reaches.
        classes: for how many classes with examples it holds.
        trials: pictures of strangers that it was measured with.
        strangers: how many strangers they are of.
        source: where they come from.
        measured: False of a guess, where there are too few of them: nothing is promised then.
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
    measured: bool = True


def leave_classes_out(
    scorer: Scorer, examples: Examples, space: Space, fitted: Fitted, *, most: int = MOST_TRIALS, seed: int = 0
) -> StrangerScores:
    """Pictures of each class as those of a stranger to all others.

    Args:
        scorer: the way to score.
        examples: of the classes; only pictures take part.
        space: of them.
        fitted: the scorer, fitted to them.
        most: how many take part; as even over the classes as can be.
        seed: random seed of which.
    """
    rows = evenly(np.flatnonzero(examples.member & examples.picture), examples.classes, most, seed)
    own = examples.classes[rows]
    present = np.flatnonzero(examples.sizes())
    if len(present) > (FEW_CLASSES if scorer.apart else FEW_CLASSES_SHARED):

        def without_own(start: int, stop: int) -> np.ndarray:
            scores = fitted.scores(examples.vectors[rows[start:stop]])
            scores[np.arange(stop - start), own[start:stop]] = NEVER
            return scores

        scores, best = _best(without_own, len(rows), fitted.count)
        against = np.full(len(rows), len(present) - 1)
    else:
        several = len(present) if scorer.apart else min(PARTS, len(present))
        parts = np.array_split(np.random.default_rng(seed).permutation(present), max(several, 1))
        scores, best = np.full(len(rows), NEVER), np.zeros(len(rows), np.int64)
        against = np.zeros(len(rows), np.int64)
        for part in parts:
            out = np.isin(examples.classes, part)
            chosen = np.flatnonzero(out[rows])
            if not len(chosen) or len(part) == len(present):
                continue
            others = space.without(examples.vectors[out & examples.member & examples.picture])
            refitted = scorer.fit(examples.select(~out), others)
            pictures = examples.vectors[rows[chosen]]
            scores[chosen], best[chosen] = best_scores(refitted, pictures)
            against[chosen] = len(present) - len(part)
    kept = scores > NEVER / 2
    return StrangerScores(scores, best, own, against, examples.vectors[rows], ("classes left out in turn",)).select(
        kept
    )


def score_strangers(
    fitted: Fitted,
    pictures: Float[np.ndarray, "n dim"],
    strangers: Int[np.ndarray, " n"] | None,
    classes: int,
    source: str,
) -> StrangerScores:
    """Pictures of strangers, scored.

    Args:
        fitted: to the classes.
        pictures: unit vectors.
        strangers: which stranger each is of, 0, 1, ...; each of another one by default.
        classes: how many have examples.
        source: for messages: "pictures of data/strangers".
    """
    ids = np.arange(len(pictures)) if strangers is None else np.asarray(strangers, np.int64)
    scores, best = best_scores(fitted, pictures)
    return StrangerScores(scores, best, -1 - ids, np.full(len(pictures), classes), pictures, (source,))


def best_scores(
    fitted: Fitted, pictures: Float[np.ndarray, "n dim"]
) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """The best score of any class for each picture, and its class, in bounded memory."""
    return _best(lambda start, stop: fitted.scores(pictures[start:stop]), len(pictures), fitted.count)


def lowest_fpir(trials: StrangerScores) -> float:
    """The lowest rate that these pictures of strangers can carry: one of as many independent ones is named at it."""
    return float(min(1.0, 1 / max(1.0, _independent(trials, 0))))


def open_set_threshold(trials: StrangerScores, fpir: float, classes: int) -> OpenSetThreshold:
    """The threshold of a rate, with its intervals.

    Pictures of one stranger tell less than those of several, and so do two classes that are taken for each other, each
    left out in turn; so it is reckoned with as many independent pictures as vary as much.

    Args:
        trials: pictures of strangers.
        fpir: share of them that may get a name, 0 < fpir < 1.
        classes: how many have examples. Pictures that were scored against fewer would be named more often; by how much
            follows if every class names as many.

    Raises:
        InvalidInput: a rate out of range, or one that so few pictures of strangers cannot carry.

    Example:
        >>> n = 1000
        >>> zeros, fives = np.zeros((n, 1)), np.full(n, 5)
        >>> trials = StrangerScores(np.arange(1000.0), fives, np.arange(n), fives, zeros, ("a test",))
        >>> open_set_threshold(trials, 0.1, 5).score
        900.0
    """
    check_fpir(fpir)
    count = len(trials)
    independent = _independent(trials, int(count * fpir))
    rank = independent * fpir * (1 + 1e-9)
    if rank < 1:
        lowest = max(lowest_fpir(trials), 1 / max(independent, 1.0))
        carried = f"ask for {_rounded_up(lowest):g} or more, " if count > 1 else ""
        raise InvalidInput(
            f"fpir {fpir:g} needs {int(np.ceil(1 / fpir - 1e-9)):,} independent pictures of strangers or more; there "
            f"are {count:,}, which count as {independent:.0f}: {carried}add classes, or pictures of strangers"
        )
    order = np.argsort(-trials.scores, kind="stable")
    scores, rates = trials.scores[order], _rates(trials, order, classes)
    # Equal scores are accepted together.
    last = np.append(scores[1:] < scores[:-1], True)
    allowed = np.flatnonzero(last & (rates <= fpir * (1 + 1e-9)))
    # With the first pictures alone above the rate, the threshold lies just above them.
    score = float(scores[allowed[-1]]) if len(allowed) else float(np.nextafter(scores[0], np.inf))
    low_rate, high_rate = (float(end) for end in jeffreys(fpir, independent))
    fpir_low, fpir_high = exceedances(rank, independent, round(independent))
    return OpenSetThreshold(
        fpir=fpir,
        score=score,
        low=min(_score_of(high_rate, scores, rates), score),
        high=max(_score_of(low_rate, scores, rates), score),
        fpir_low=fpir_low,
        fpir_high=fpir_high,
        classes=classes,
        trials=count,
        strangers=len(np.unique(trials.strangers)),
        source="; ".join(trials.sources),
    )


def guessed_threshold(
    trials: StrangerScores,
    fpir: float,
    classes: int,
    unnamed: Float[np.ndarray, "n classes"] | None = None,
) -> OpenSetThreshold:
    """A threshold where too few strangers are known to carry the rate; `measured` is False.

    Unnamed pictures, such as the items of a gallery, are mostly strangers to each class. How those below the median
    scatter tells the normal distribution of strangers' scores, whatever pictures of the classes are among the others.
    Without them: a score is a log likelihood ratio, and of strangers' pictures at most exp(-score) reach it with any
    one class, so the threshold is log(classes / fpir) if the way to score is right.

    Args:
        trials: pictures of strangers, as far as there are any.
        fpir: as in `open_set_threshold`.
        classes: how many have examples.
        unnamed: scores of each of these classes for pictures of which it isn't known what they show.

    Example:
        >>> round(guessed_threshold(StrangerScores.none(2), 0.01, 10).score, 2)
        6.91
        >>> unnamed = np.linspace(-1, 1, 201)[:, None]
        >>> round(guessed_threshold(StrangerScores.none(2), 0.01, 1, unnamed).score, 2)  # 2.33 times 0.68
        1.59
    """
    check_fpir(fpir)
    if unnamed is not None and len(unnamed) >= FEWEST_UNNAMED:
        source = f"by the scores of {len(unnamed):,} pictures without names"
        high, score, low = (_normal_threshold(unnamed, fpir * factor) for factor in (1 / GUESS, 1, GUESS))
    else:
        source = "; ".join(trials.sources) or "no strangers"
        score = float(np.log(max(classes, 1) / fpir))
        # What strangers there are can only raise it.
        score = max(score, float(trials.scores.max(initial=-np.inf)))
        # Ten times the rate, and a tenth of it.
        low, high = score - float(np.log(10)), score + float(np.log(10))
    return OpenSetThreshold(
        fpir=fpir,
        score=score,
        low=low,
        high=high,
        fpir_low=0.0,
        fpir_high=1.0,
        classes=classes,
        trials=len(trials),
        strangers=len(np.unique(trials.strangers)),
        source=source,
        measured=False,
    )


def _normal_threshold(scores: Float[np.ndarray, "n classes"], fpir: float) -> float:
    """What the best of normally distributed scores, one of each class, is above at this rate."""
    from scipy.optimize import brentq
    from scipy.special import ndtr, ndtri

    middle, lower = np.quantile(scores.astype(np.float64), [0.5, ndtr(-1)], axis=0)
    spread = np.maximum(middle - lower, 1e-6)
    # One class alone reaches the rate from here on, and all together at most from there.
    start = float((middle + spread * ndtri(1 - fpir)).max())
    stop = float((middle + spread * ndtri(1 - fpir / len(middle))).max())
    if stop <= start:
        return start

    def excess(score: float) -> float:
        return float(np.log(ndtr((score - middle) / spread)).sum() - np.log1p(-fpir))

    found: float = brentq(excess, start - 1e-9, stop + 1e-9)
    return found


def check_fpir(fpir: float) -> None:
    """Refuse what is no rate.

    Raises:
        InvalidInput: not between 0 and 1.
    """
    if not 0 < fpir < 1:
        raise InvalidInput(f"fpir is {fpir:g}: expected a rate, more than 0 and less than 1")


def _rounded_up(rate: float) -> float:
    """To two digits, so that it can be asked for."""
    unit = 10.0 ** (np.floor(np.log10(rate)) - 1)
    return float(np.ceil(rate / unit - 1e-9) * unit)


def evenly(rows: Int[np.ndarray, " m"], classes: Int[np.ndarray, " n"], most: int, seed: int) -> Int[np.ndarray, " k"]:
    """Some of the rows, from each class as many as from any other, as far as it has them.

    Args:
        rows: of examples.
        classes: of all examples.
        most: how many rows at most.
        seed: random seed of which.

    Example:
        >>> evenly(np.arange(6), np.array([0, 0, 0, 0, 1, 2]), 3, seed=0).tolist()[1:]
        [4, 5]
    """
    if len(rows) <= most:
        return rows
    mixed = np.random.default_rng(seed).permutation(rows)
    order = np.argsort(classes[mixed], kind="stable")
    sorted_classes = classes[mixed][order]
    turn = np.empty(len(rows), np.int64)
    turn[order] = np.arange(len(rows)) - np.searchsorted(sorted_classes, sorted_classes)
    return np.sort(mixed[np.argsort(turn, kind="stable")[:most]])


def _best(scores_of: Callable[[int, int], np.ndarray], total: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """The best score in each row of a matrix that is made a block of rows at a time."""
    scores, best = np.full(total, NEVER, np.float32), np.zeros(total, np.int64)
    step = max(1, _BLOCK // max(1, classes))
    for start in range(0, total if classes else 0, step):
        stop = min(start + step, total)
        block = scores_of(start, stop)
        best[start:stop] = block.argmax(axis=1)
        scores[start:stop] = block[np.arange(stop - start), best[start:stop]]
    return scores, best


def _rates(trials: StrangerScores, order: np.ndarray, classes: int) -> Float[np.ndarray, " n"]:
    """The rate at each score, falling scores: of those scored against fewer classes, the rate against all."""
    total = np.zeros(len(order))
    for against in np.unique(trials.against):
        of_these = trials.against[order] == against
        share = np.cumsum(of_these) / of_these.sum()
        with np.errstate(divide="ignore"):
            total += of_these.sum() * -np.expm1(np.log1p(-share) * (classes / max(against, 1)))
    return total / len(order)


def _score_of(rate: float, scores: Float[np.ndarray, " n"], rates: Float[np.ndarray, " n"]) -> float:
    """The score of a rate; beyond the highest, as an exponential tail would go on."""
    if rate >= rates[0]:
        return float(scores[min(int(np.searchsorted(rates, rate)), len(scores) - 1)])
    few = min(len(scores), max(_EVENTS, len(scores) // 20))
    return float(scores[0] + (scores[:few] - scores[few - 1]).mean() * np.log(rates[0] / rate))


def _independent(trials: StrangerScores, named: int) -> float:
    """As how many independent pictures they count, if so many of them are named."""
    count = len(trials)
    if count < 2:
        return float(count)
    # Of very few named ones it would be chance whether they are of one stranger.
    named = min(max(named, _EVENTS), max(1, count // 2))
    chosen = trials.scores >= np.partition(trials.scores, count - named)[count - named]
    rate = float(chosen.mean())
    groups = _joined_groups(trials, chosen)
    several = len(np.unique(groups))
    if not 0 < rate < 1 or several < 2:
        return float(several)
    errors = np.bincount(groups, chosen - rate)
    variance = float((errors**2).sum()) * several / (several - 1) * (count - 1) / count
    if variance <= 0:  # as many named of each stranger, by chance
        return float(several)
    return float(np.clip(count**2 * rate * (1 - rate) / variance, 1.0, count))


def _joined_groups(trials: StrangerScores, named: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The group of each picture: its stranger, two classes that are taken for each other being one."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ids, groups = np.unique(trials.strangers, return_inverse=True)
    place = np.searchsorted(ids, trials.best).clip(max=len(ids) - 1)
    taken = named & (ids[place] == trials.best)
    shape = (len(ids), len(ids))
    one = coo_matrix((np.ones(int(taken.sum())), (groups[taken], place[taken])), shape=shape).tocsr() > 0
    joined: Int[np.ndarray, " n"] = connected_components(one.multiply(one.T), directed=False)[1][groups]
    return joined


def with_class(
    trials: StrangerScores, scores: Float[np.ndarray, " n"], class_id: int, *, new: bool = False
) -> StrangerScores:
    """After a class has more examples; a score that it had given and gives no more stays, so rates are rather too high.

    Args:
        trials: pictures of strangers.
        scores: of this class for each of them.
        class_id: which.
        new: whether it had no example before.
    """
    others = trials.strangers != class_id
    better = (scores > trials.scores) & others
    return replace(
        trials,
        scores=np.where(better, scores, trials.scores),
        best=np.where(better, class_id, trials.best),
        against=trials.against + (others & new),
    )
