"""How good the examples of classes are: told by each example without itself."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from nearkin.intervals.bootstrap import bootstrap_mean
from nearkin.intervals.figure import Figure
from nearkin.recognition.examples import Examples
from nearkin.recognition.open_set import OpenSetThreshold, evenly
from nearkin.recognition.recognizer import Recognizer
from nearkin.recognition.scorer import NEVER

# Examples that are looked at, from each class as many as from any other as far as it has them.
MOST_EXAMPLES = 20_000
# Examples that tell what one more picture brings, and up to how many pictures of a class it is asked.
_ASKED, MOST_PICTURES = 500, 10
# One more picture that brings less than this is not needed.
_WORTH = 0.02
# Of so few examples of two classes a single confused one counts.
_FEW_ASKED = 4
# A class has too little below this, where the examples cannot tell.
_USUAL_ENOUGH = 3
# Cells of scores at once.
_BLOCK = 1 << 22


@dataclass(frozen=True)
class ClassHealth:
    """One class.

    Args:
        name: of the class.
        class_id: its id.
        examples: positive ones.
        recognized: how many of the `asked` examples are nearer to the others of their class than to any other class.
        asked: how many were looked at; none if it has one example.
        thin: whether it has too little: another picture would bring more than 2 points of accuracy, as far as known.
    """

    name: str
    class_id: int
    examples: int
    recognized: int
    asked: int
    thin: bool


@dataclass(frozen=True)
class Siblings:
    """Two classes that are taken for each other.

    Args:
        names, class_ids: of both.
        confused: how many examples of either are nearer to the other; of a class of one example, if it could get the
            other's name at `threshold`.
        asked: examples of both that were looked at.
        rows: those examples.
    """

    names: tuple[str, str]
    class_ids: tuple[int, int]
    confused: int
    asked: int
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Misfit:
    """An example that does not fit its class.

    Args:
        row: of the example.
        name, class_id: of its class.
        score: of its class without the example, a log likelihood ratio: below 0 it is likelier a stranger.
        nearest, nearest_id: the other class that it is nearest to.
        nearest_score: of that class.
    """

    row: int
    name: str
    class_id: int
    score: float
    nearest: str
    nearest_id: int
    nearest_score: float


@dataclass(frozen=True)
class Gain:
    """What one more picture of a class brings.

    Args:
        pictures: of a class, before.
        accuracy: of pictures that are not among them, with so many.
        gain: of accuracy, with one more.
    """

    pictures: int
    accuracy: Figure
    gain: Figure


@dataclass(frozen=True)
class Health:
    """How good the examples of a registry are.

    Args:
        examples: positive ones.
        accuracy: share of examples that are nearest to the others of their own class; None if no class has two.
        named: share that gets its own name at `threshold`; None likewise.
        threshold: from which on a name is given.
        classes: each of them, the worst first.
        siblings: pairs of classes that are taken for each other, the worst first.
        misfits: examples that do not fit, the worst first.
        gains: what one more picture brings to classes of 1, 2, 3, ... pictures, as far as classes have enough.
    """

    examples: int
    accuracy: Figure | None
    named: Figure | None
    threshold: OpenSetThreshold
    classes: tuple[ClassHealth, ...]
    siblings: tuple[Siblings, ...]
    misfits: tuple[Misfit, ...]
    gains: tuple[Gain, ...]

    @property
    def thin(self) -> tuple[ClassHealth, ...]:
        """Classes with too little."""
        return tuple(one for one in self.classes if one.thin)


def health(recognizer: Recognizer, *, fpir: float | None = None, seed: int = 0) -> Health:
    """How good the examples of a recognizer are.

    Args:
        recognizer: of the classes.
        fpir: of the threshold, as in `Recognizer.threshold`.
        seed: random seed of which examples are looked at where there are more than 20,000, and of intervals.

    Example:
        >>> examples = Examples.of(np.eye(4)[[0, 0, 1, 1]], [0, 0, 1, 1])
        >>> found = health(Recognizer.of(["cat", "dog"], examples))
        >>> found.accuracy.value, found.siblings, found.misfits
        (1.0, (), ())
    """
    examples, threshold = recognizer.examples, recognizer.threshold(fpir)
    rows = evenly(np.flatnonzero(examples.member & examples.picture), examples.classes, MOST_EXAMPLES, seed)
    classes, sizes = examples.classes[rows], examples.sizes()
    own = recognizer.fitted.own_scores(examples, rows)
    best, nearest = _best_others(recognizer, rows)
    known = own > NEVER / 2
    right = known & (own > best)
    named = right & (own >= threshold.score)
    gains = _gains(recognizer, rows[sizes[classes] > 1], seed)
    enough = _enough(gains)
    looked_at = np.bincount(classes, minlength=examples.count)
    asked, recognized = (np.bincount(classes[flags], minlength=examples.count) for flags in (known, right))
    each = [
        ClassHealth(name, one, int(sizes[one]), int(recognized[one]), int(asked[one]), bool(sizes[one] < enough))
        for one, name in enumerate(recognizer.names)
    ]
    wrong = (best > own) & (known | (best >= threshold.low)) & (nearest >= 0)
    misfits = np.flatnonzero(known & (own < np.minimum(best, 0)))
    names = recognizer.names
    return Health(
        examples=int(sizes.sum()),
        accuracy=_share(right[known], classes[known], seed),
        named=_share(named[known], classes[known], seed),
        threshold=threshold,
        classes=tuple(sorted(each, key=lambda one: (one.recognized / one.asked if one.asked else 2.0, one.class_id))),
        siblings=_siblings(names, rows[wrong], classes[wrong], nearest[wrong], looked_at),
        misfits=tuple(
            Misfit(
                int(rows[one]),
                names[classes[one]],
                int(classes[one]),
                float(own[one]),
                names[nearest[one]],
                int(nearest[one]),
                float(best[one]),
            )
            for one in misfits[np.argsort((own - best)[misfits], kind="stable")]
        ),
        gains=gains,
    )


def _best_others(
    recognizer: Recognizer, rows: Int[np.ndarray, " m"]
) -> tuple[Float[np.ndarray, " m"], Int[np.ndarray, " m"]]:
    """For each of these examples the best score of another class, and that class; -1 if there is none."""
    examples = recognizer.examples
    best, nearest = np.full(len(rows), NEVER), np.full(len(rows), -1)
    step = max(1, _BLOCK // max(1, examples.count))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        scores = recognizer.fitted.scores(examples.vectors[part])
        scores[np.arange(len(part)), examples.classes[part]] = NEVER
        place = scores.argmax(axis=1)
        best[start : start + step] = scores[np.arange(len(part)), place]
        nearest[start : start + step] = np.where(best[start : start + step] > NEVER / 2, place, -1)
    return best, nearest


def _share(flags: Bool[np.ndarray, " m"], classes: Int[np.ndarray, " m"], seed: int) -> Figure | None:
    return bootstrap_mean(flags, groups=classes, within=(0.0, 1.0), seed=seed) if len(flags) else None


def _enough(gains: Sequence[Gain]) -> int:
    """How many pictures a class needs, so that one more is not known to bring much."""
    if not gains:
        return _USUAL_ENOUGH
    worth = [one.pictures for one in gains if one.gain.value >= _WORTH and (one.gain.low or 0) > 0]
    return max(worth, default=0) + 1


def _siblings(
    names: Sequence[str],
    rows: Int[np.ndarray, " w"],
    classes: Int[np.ndarray, " w"],
    others: Int[np.ndarray, " w"],
    asked: Int[np.ndarray, " classes"],
) -> tuple[Siblings, ...]:
    """Pairs of classes of which examples would get the other's name."""
    pairs = np.sort(np.stack([classes, others], axis=1), axis=1)
    kinds, members = np.unique(pairs, axis=0, return_inverse=True)
    found = []
    for place, (one, other) in enumerate(kinds.tolist()):
        confused = rows[members.ravel() == place]
        total = int(asked[one] + asked[other])
        # A single one of many may be the fault of the example.
        if len(confused) > 1 or total <= _FEW_ASKED:
            both = (names[one], names[other])
            found.append(Siblings(both, (one, other), len(confused), total, tuple(confused.tolist())))
    return tuple(sorted(found, key=lambda each: (-each.confused / each.asked, each.class_ids)))


def _gains(recognizer: Recognizer, rows: Int[np.ndarray, " m"], seed: int) -> tuple[Gain, ...]:
    """What one more picture brings: some examples are asked against 1, 2, 3, ... others of their class."""
    examples, generator = recognizer.examples, np.random.default_rng(seed)
    sizes = examples.sizes()
    gains = []
    for pictures in range(1, MOST_PICTURES + 1):
        could = rows[sizes[examples.classes[rows]] > pictures + 1]
        some = evenly(could, examples.classes, _ASKED, seed)
        classes = examples.classes[some]
        # One class tells nothing of others.
        if len(np.unique(classes)) < 2:
            break
        others = [_others(examples, int(row), generator)[: pictures + 1] for row in some]
        best = _best_others(recognizer, some)[0]
        before, after = (
            _against(recognizer, some, [each[:count] for each in others]) > best for count in (pictures, pictures + 1)
        )
        accuracy = bootstrap_mean(before, groups=classes, within=(0.0, 1.0), seed=seed)
        difference = bootstrap_mean(after.astype(float) - before, groups=classes, seed=seed)
        gains.append(Gain(pictures, accuracy, difference))
    return tuple(gains)


def _others(examples: Examples, row: int, generator: np.random.Generator) -> Int[np.ndarray, " m"]:
    """The other pictures of the class of an example, in random order."""
    of_class = (examples.classes == examples.classes[row]) & examples.member & examples.picture
    of_class[row] = False
    return generator.permutation(np.flatnonzero(of_class))


def _against(
    recognizer: Recognizer, rows: Int[np.ndarray, " m"], others: Sequence[Int[np.ndarray, " k"]]
) -> Float[np.ndarray, " m"]:
    """The score of each example with a class of these others alone: they are added as further classes."""
    examples, count = recognizer.examples, recognizer.examples.count
    chosen = np.concatenate(others)
    added = examples.select(chosen)
    ids = count + np.repeat(np.arange(len(others)), [len(each) for each in others])
    further = Examples(added.vectors, ids, added.kinds, added.positive, count + len(others))
    fitted = recognizer.fitted.with_examples(further, 0)
    scores = fitted.scores(examples.vectors[rows], count + np.arange(len(rows)))
    return np.diagonal(scores).copy()
