"""All of recognition in one object: examples and names in, decisions out."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int

from nearkin.arrays import as_unit_vectors
from nearkin.errors import InvalidInput
from nearkin.recognition.decision import Candidate, Evidence, Recognition, decide, fit_sharpness, probabilities
from nearkin.recognition.examples import Examples
from nearkin.recognition.negatives import Negatives
from nearkin.recognition.open_set import (
    MOST_TRIALS,
    OpenSetThreshold,
    StrangerScores,
    guessed_threshold,
    leave_classes_out,
    lowest_fpir,
    open_set_threshold,
    score_strangers,
    with_class,
)  # fmt: skip
from nearkin.recognition.scorer import NEVER, SCORERS, Fitted
from nearkin.recognition.space import Space, measure_space

DEFAULT_SCORER = "linear"
DEFAULT_FPIR = 0.01
# Where the data carry no rate up to this, a threshold is a guess.
MOST_FPIR = 0.05
# Up to so many examples all is measured anew when one is added; with more, when they have grown by a quarter.
ANEW, GROWTH = 2_000, 1.25
# Examples shown for a candidate.
SHOWN = 3
# Cells of scores at once, so that they stay in the cache.
_BLOCK = 1 << 21
# Examples that show how well the classes know their own.
_KNOWN = 2_000


@dataclass(frozen=True, eq=False)
class Strangers:
    """Pictures of strangers, to measure with how often they get a name.

    Args:
        vectors: unit length.
        ids: which stranger each is of; each of another one if None.
        source: where they come from, for messages: "pictures of no class in the gallery".
    """

    vectors: Float[np.ndarray, "n dim"]
    ids: Int[np.ndarray, " n"] | None
    source: str


@dataclass(frozen=True, eq=False)
class Measured:
    """What takes time to be measured, and can be kept.

    Args:
        trials: the best scores of pictures of strangers: of each class left out, ignored ones, and those given.
        sharpness: of how much a log likelihood ratio is to be believed.
    """

    trials: StrangerScores
    sharpness: float


@dataclass(frozen=True, eq=False)
class Made:
    """All of a recognizer that takes time to be made, and can be kept; see `nearkin.recognition.as_arrays`.

    Args:
        space: what is known of the vectors.
        fitted: the scorer.
        fitted_with: with how many examples all was fitted; later ones were added.
        measured: None as long as nobody asked for it.
    """

    space: Space
    fitted: Fitted
    fitted_with: int
    measured: Measured | None


@dataclass(frozen=True, eq=False)
class Recognizer:
    """Names for pictures. It is never changed: `with_examples` gives another one.

    Make one by `Recognizer.of`.

    Args:
        names: of the classes, by their ids.
        examples: of them, and of ignored strangers.
        scorer: name of the way to score.
        space: what is known of the vectors.
        fitted: the scorer.
        negatives: what lowers its scores.
        strangers: of whom pictures are known, beside the ignored ones and the classes themselves.
        background, same: as given to `of`.
        seed: random seed of which examples take part in trials.
    """

    names: tuple[str, ...]
    examples: Examples
    scorer: str
    space: Space
    fitted: Fitted
    negatives: Negatives
    strangers: tuple[Strangers, ...] = ()
    background: Float[np.ndarray, "m dim"] | None = None
    same: float | None = None
    seed: int = 0
    _measured: list[Measured] = field(default_factory=list, repr=False)
    _fitted_with: int = 0
    _thresholds: dict[float | None, OpenSetThreshold] = field(default_factory=dict, repr=False)
    _rows: "_RowsOfClasses" = field(default_factory=lambda: _RowsOfClasses(np.empty(0, np.int64)), repr=False)

    @staticmethod
    def of(
        names: Sequence[str],
        examples: Examples,
        *,
        scorer: str = DEFAULT_SCORER,
        strangers: Sequence[Strangers] = (),
        background: Float[np.ndarray, "m dim"] | None = None,
        same: float | None = None,
        made: Made | None = None,
        seed: int = 0,
    ) -> "Recognizer":
        """A recognizer of classes.

        Args:
            names: of the classes, by their ids.
            examples: of them; those of class -1 are of ignored strangers.
            scorer: name of a way to score, one of `SCORERS`.
            strangers: of whom further pictures are known.
            background: unit vectors of any pictures, such as a gallery's items, to tell the centre by.
            same: mean cosine of two pictures of one class, where it is known from elsewhere.
            made: what an equal recognizer has made of them, so that it is not made again.
            seed: random seed of which examples take part in trials.

        Raises:
            UnknownName: no such scorer.
            InvalidInput: another number of names than of classes.

        Example:
            >>> examples = Examples.of([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [0, 1])
            >>> Recognizer.of(["cat", "dog"], examples).recognize([[0.9, 0.1, 0.0]])[0].candidates[0].name
            'cat'
        """
        if len(names) != examples.count:
            raise InvalidInput(f"{len(names)} names given for {examples.count} classes")
        if made is None:
            space = measure_space(examples, background, same=same)
            made = Made(space, SCORERS[scorer].fit(examples, space), len(examples), None)
        return Recognizer(
            tuple(names),
            examples,
            scorer,
            made.space,
            made.fitted,
            Negatives.of(examples, made.space),
            tuple(strangers),
            background,
            same,
            seed,
            _measured=[made.measured] if made.measured else [],
            _fitted_with=made.fitted_with,
            _rows=_RowsOfClasses(examples.classes),
        )

    @property
    def made(self) -> Made:
        """What took time to be made."""
        return Made(self.space, self.fitted, self._fitted_with, self._measured[0] if self._measured else None)

    @cached_property
    def classes(self) -> int:
        """How many have examples."""
        return int((self.examples.sizes() > 0).sum())

    @property
    def measured(self) -> "Measured":
        """What was measured with pictures of strangers, and of the classes themselves.

        It is done when first asked for: with 10,000 classes that takes seconds.
        """
        if not self._measured:
            self._measured.append(self._measure())
        return self._measured[0]

    def threshold(self, fpir: float | None = None) -> OpenSetThreshold:
        """The threshold of a rate of strangers' pictures that may get a name.

        Args:
            fpir: that rate; by default 1 %, or the lowest that the data carry, or where they carry none up to 5 % a
                guess, which says so.

        Raises:
            InvalidInput: the data cannot carry the rate, or it is none.
        """
        if fpir not in self._thresholds:
            trials, lowest = self.measured.trials, lowest_fpir(self.measured.trials)
            if fpir is not None or lowest <= MOST_FPIR:
                rate = max(DEFAULT_FPIR, lowest) if fpir is None else fpir
                self._thresholds[fpir] = open_set_threshold(trials, rate, self.classes)
            else:
                self._thresholds[fpir] = guessed_threshold(trials, DEFAULT_FPIR, self.classes, self._unnamed())
        return self._thresholds[fpir]

    def recognize(
        self, pictures: npt.ArrayLike, *, fpir: float | None = None, k: int = 3, evidence: int = SHOWN
    ) -> list[Recognition]:
        """Who or what each picture shows, or that it is unknown.

        Args:
            pictures: vectors `[q, dim]`.
            fpir: share of strangers' pictures that may get a name; as in `threshold`.
            k: how many candidates.
            evidence: how many examples are shown for each candidate.

        Raises:
            InvalidInput: the data cannot carry the rate, or vectors of another dimension.
        """
        vectors = as_unit_vectors(pictures, "pictures", dim=self.examples.vectors.shape[1])
        threshold = self.threshold(fpir)
        found: list[Recognition] = []
        step = max(1, _BLOCK // max(1, self.fitted.count))
        for start in range(0, len(vectors), step):
            found += self._recognize(vectors[start : start + step], threshold, k, evidence)
        return found

    def scores(self, pictures: Float[np.ndarray, "q dim"]) -> Float[np.ndarray, "q classes"]:
        """Of unit vectors the score of every class, with what rejected and ignored pictures do to it."""
        scores = self.fitted.scores(pictures)
        self.negatives.lower(scores, pictures)
        return scores

    def with_examples(self, more: Examples, names: Sequence[str] | None = None) -> "Recognizer":
        """With further examples, in the time that those take.

        Args:
            more: examples.
            names: of all classes, where there are new ones.
        """
        examples = self.examples.joined(more)
        names = self.names if names is None else tuple(names)
        if len(examples) <= ANEW or len(examples) > GROWTH * self._fitted_with:
            return self._anew(names, examples)
        fitted, negatives = self.fitted, self.negatives
        if more.member.any() or examples.count > fitted.count:
            fitted = fitted.with_examples(examples, len(self.examples))
        if not more.member.all():
            negatives = Negatives.of(examples, self.space)
        found = replace(
            self, names=names, examples=examples, fitted=fitted, negatives=negatives, _measured=[], _thresholds={}
        )
        if self._measured:
            found._measured.append(found._grown(self))
        return found

    def _unnamed(self) -> Float[np.ndarray, "m classes"] | None:
        """Scores of the classes that have examples, for pictures of which it isn't known what they show."""
        present = np.flatnonzero(self.examples.sizes())
        if self.background is None or not len(present):
            return None
        scores: np.ndarray = self.scores(self.background)[:, present]
        return scores

    def _anew(self, names: tuple[str, ...], examples: Examples) -> "Recognizer":
        return Recognizer.of(
            names,
            examples,
            scorer=self.scorer,
            strangers=self.strangers,
            background=self.background,
            same=self.same,
            seed=self.seed,
        )

    def _measure(self) -> "Measured":
        scorer = SCORERS[self.scorer]
        trials = leave_classes_out(scorer, self.examples, self.space, self.fitted, seed=self.seed)
        known = self.examples.classes < 0
        for group in (Strangers(self.examples.vectors[known], None, "ignored pictures"), *self.strangers):
            if len(group.vectors) and self.classes:
                vectors, ids = group.vectors[:MOST_TRIALS], None if group.ids is None else group.ids[:MOST_TRIALS]
                trials = trials.joined(
                    score_strangers(self.fitted, vectors, ids, classes=self.classes, source=group.source)
                )
        rows = np.flatnonzero(self.examples.member & self.examples.picture)
        rows = rows[self.examples.sizes()[self.examples.classes[rows]] > 1]
        rows = np.random.default_rng(self.seed).permutation(rows)[:_KNOWN]
        others = [
            _best_others(self.fitted.scores(self.examples.vectors[part]), self.examples.classes[part])
            for part in np.array_split(rows, max(1, len(rows) * self.fitted.count // _BLOCK))
            if len(part)
        ]
        sharpness = fit_sharpness(
            self.fitted.own_scores(self.examples, rows),
            np.concatenate(others) if others else np.empty((0, 8)),
            trials.scores[:, None],
            classes=self.classes,
        )
        return Measured(trials, sharpness)

    def _grown(self, before: "Recognizer") -> "Measured":
        """What was measured, after examples have been added."""
        trials = before.measured.trials
        added = self.examples.select(np.arange(len(before.examples), len(self.examples)))
        sizes = before.examples.sizes()
        changed = np.unique(added.classes[added.member])
        for part in np.array_split(changed, 1 + len(changed) * len(trials) // _BLOCK):
            scores = self.fitted.scores(trials.pictures, part)
            for one, of_one in zip(part.tolist(), scores.T, strict=True):
                trials = with_class(trials, of_one, one, new=one >= len(sizes) or not sizes[one])
        return Measured(trials, before.measured.sharpness)

    def _recognize(self, vectors: np.ndarray, threshold: OpenSetThreshold, k: int, evidence: int) -> list[Recognition]:
        scores = self.fitted.scores(vectors)
        ignored = self.negatives.lower(scores, vectors)
        top = _top(scores, k)
        # Where the scale of the scores isn't known either, a picture at the threshold is as likely known as not.
        shift = 0.0 if threshold.measured else threshold.score - np.log(max(self.classes, 1))
        chances = probabilities(scores - shift, top, classes=self.classes, sharpness=self.measured.sharpness)
        found = []
        for row, vector in enumerate(vectors):
            candidates = tuple(
                Candidate(
                    self.names[one],
                    int(one),
                    float(scores[row, one]),
                    float(chance),
                    self._evidence(vector, int(one), evidence),
                )
                for one, chance in zip(top[row], chances[row], strict=True)
                if scores[row, one] > NEVER / 2
            )
            score = candidates[0].score if candidates else -np.inf
            decision = decide(score, threshold)
            reason = "a near copy of an ignored picture" if ignored[row] else None
            name = candidates[0].name if decision == "name" else None
            found.append(Recognition(decision, name, candidates, score, threshold, reason))
        return found

    def _evidence(self, vector: np.ndarray, class_id: int, shown: int) -> tuple[Evidence, ...]:
        """The nearest examples of a class."""
        rows = self._rows.of(class_id, self.examples.classes)
        rows = rows[self.examples.positive[rows]]
        cosines = self.examples.vectors[rows] @ vector
        order = np.argsort(-cosines, kind="stable")[:shown]
        return tuple(Evidence(int(rows[one]), float(cosines[one])) for one in order)


class _RowsOfClasses:
    """Which examples are of which class; those that have been added since are looked through."""

    def __init__(self, classes: Int[np.ndarray, " n"]) -> None:
        self.order = np.argsort(classes, kind="stable")
        self.sorted = classes[self.order]

    def of(self, class_id: int, classes: Int[np.ndarray, " m"]) -> Int[np.ndarray, " rows"]:
        start, stop = np.searchsorted(self.sorted, [class_id, class_id + 1])
        since = len(self.order)
        later = since + np.flatnonzero(classes[since:] == class_id)
        return np.concatenate([self.order[start:stop], later]) if len(later) else self.order[start:stop]


def _top(scores: Float[np.ndarray, "q classes"], k: int) -> Int[np.ndarray, "q k"]:
    """The classes of the k best scores of each row, best first; of equal ones the lower id."""
    k = min(k, scores.shape[1])
    if not k:
        return np.empty((len(scores), 0), np.int64)
    some = np.sort(np.argpartition(-scores, k - 1, axis=1)[:, :k], axis=1)
    order = np.argsort(-np.take_along_axis(scores, some, axis=1), axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1)


def _best_others(scores: Float[np.ndarray, "q classes"], own: Int[np.ndarray, " q"]) -> Float[np.ndarray, "q k"]:
    """The eight best scores of each row without its own class."""
    scores[np.arange(len(scores)), own] = NEVER
    k = min(8, scores.shape[1])
    found: np.ndarray = np.partition(scores, -k, axis=1)[:, -k:]
    return found if k == 8 else np.pad(found, ((0, 0), (0, 8 - k)), constant_values=NEVER)
