"""Identification: some classes are enrolled with a few pictures; are further ones named, and strangers not?

It is done by `nearkin.recognition`, as a gallery does it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from nearkin.errors import InvalidInput
from nearkin.evaluation.protocol import FEW_CLASSES, Embeddings, GroundTruth, Outcome, Protocol, help_text
from nearkin.intervals.figure import Figure
from nearkin.intervals.paired_samples import Jackknife
from nearkin.recognition.examples import Examples
from nearkin.recognition.open_set import check_fpir
from nearkin.recognition.recognizer import DEFAULT_SCORER, Recognizer
from nearkin.recognition.scorer import SCORERS

# Parts of the classes that are left out in turn for the intervals.
_PARTS = 40
# Pictures of known classes, and of strangers, in one repetition.
MOST_PICTURES = 10_000
# More classes are not enrolled: a picture is compared with each.
MOST_CLASSES = 5_000
# From so many classes of two pictures on it is run unasked.
ENOUGH_CLASSES = 20


@dataclass(frozen=True)
class IdentificationOptions:
    """Options of identification.

    Raises:
        InvalidInput: a number is out of range.
        UnknownName: no such way to score.
    """

    enrolled: Sequence[int] = field(
        default=(1, 2, 5), metadata=help_text("Pictures that each known class is enrolled with; several allowed.")
    )
    fpir: Sequence[float] = field(
        default=(0.1, 0.01), metadata=help_text("Share of strangers' pictures that get a name; several allowed.")
    )
    known: float = field(default=0.5, metadata=help_text("Share of the classes that are known; others are strangers."))
    repetitions: int = field(default=5, metadata=help_text("Random splits into known classes and strangers."))
    scorer: str = field(default=DEFAULT_SCORER, metadata=help_text("Way to score a class."))

    def __post_init__(self) -> None:
        if not self.enrolled or min(self.enrolled) < 1:
            raise InvalidInput(f"enrolled is {list(self.enrolled)}: expected whole numbers from 1 on")
        for rate in self.fpir:
            check_fpir(rate)
        if not 0 < self.known < 1:
            raise InvalidInput(f"known is {self.known:g}: expected a share, more than 0 and less than 1")
        if self.repetitions < 1:
            raise InvalidInput(f"repetitions is {self.repetitions}: expected 1 or more")
        SCORERS.check(self.scorer)


def why_not_unasked(truth: GroundTruth, options: IdentificationOptions) -> str | None:
    """Runs where there are enough classes of two pictures."""
    if truth.label_ids is None or not (truth.label_ids >= 0).any():
        return "there are no labels"
    several = int((np.bincount(truth.labelled()[1]) > min(options.enrolled)).sum())
    if several < ENOUGH_CLASSES:
        return f"classes with {min(options.enrolled) + 1} pictures or more: {several}, fewer than {ENOUGH_CLASSES}"
    return None


@dataclass(frozen=True, eq=False)
class Split:
    """Pictures of one repetition, by their rows.

    Args:
        enrolled: with the id of their class, 0, 1, ...
        asked: further pictures of known classes, with the same ids.
        strangers: pictures of all other classes.
        known: label of each id.
    """

    enrolled: Int[np.ndarray, " e"]
    enrolled_classes: Int[np.ndarray, " e"]
    asked: Int[np.ndarray, " q"]
    asked_classes: Int[np.ndarray, " q"]
    strangers: Int[np.ndarray, " s"]
    known: Int[np.ndarray, " k"]


def draw_split(labels: Int[np.ndarray, " n"], enrolled: int, known: float, *, seed: int) -> Split:
    """A random split into known classes and strangers.

    Args:
        labels: class ids.
        enrolled: pictures of each known class that are enrolled; it has one more at least.
        known: share of the classes that could be known which are.
        seed: random seed.

    Raises:
        InvalidInput: fewer than two classes have so many pictures.

    Example:
        >>> split = draw_split(np.arange(8).repeat(3), 2, 0.5, seed=0)
        >>> len(split.known), len(split.enrolled), len(split.asked), len(split.strangers)
        (4, 8, 4, 12)
    """
    generator = np.random.default_rng(seed)
    could = generator.permutation(np.flatnonzero(np.bincount(labels) > enrolled))
    if len(could) < 2:
        raise InvalidInput(f"classes with {enrolled + 1} pictures or more: {len(could)}, two are needed")
    chosen = np.sort(could[: min(max(1, round(known * len(could))), len(could) - 1, MOST_CLASSES)])
    mixed = generator.permutation(len(labels))
    is_known = np.isin(labels, chosen)
    rows = mixed[is_known[mixed]]
    ids = np.searchsorted(chosen, labels[rows])
    order = np.argsort(ids, kind="stable")
    turn = np.empty(len(rows), np.int64)
    turn[order] = np.arange(len(rows)) - np.searchsorted(ids[order], ids[order])
    first = turn < enrolled
    strangers = mixed[~is_known[mixed]]
    return Split(
        rows[first],
        ids[first],
        rows[~first][:MOST_PICTURES],
        ids[~first][:MOST_PICTURES],
        strangers[:MOST_PICTURES],
        chosen,
    )


@dataclass(frozen=True, eq=False)
class Answers:
    """What one repetition found, as far as the figures need it, with and without each part of the classes.

    Args:
        own: of each further picture the score of its class.
        others: the best score of another class `[q, 1 + parts]`: of all, and without those of each part.
        strangers: of each stranger's picture the best score, likewise `[s, 1 + parts]`.
        asked_parts, stranger_parts: to which part their class belongs.
        promised: for each rate the threshold that is promised to reach it; None where the examples cannot carry it.
    """

    own: Float[np.ndarray, " q"]
    others: Float[np.ndarray, "q parts"]
    strangers: Float[np.ndarray, "s parts"]
    asked_parts: Int[np.ndarray, " q"]
    stranger_parts: Int[np.ndarray, " s"]
    promised: tuple[float | None, ...]

    def figures(self, part: int | None, rates: Sequence[float]) -> list[float]:
        """Closed-set accuracy, then for each rate the share that is named rightly, and the rate that was reached.

        Args:
            part: to be left out.
            rates: of strangers that get a name.
        """
        column = 0 if part is None else part + 1
        asked, strange = (
            slice(None) if part is None else parts != part for parts in (self.asked_parts, self.stranger_parts)
        )
        own, right = self.own[asked], self.own[asked] > self.others[asked, column]
        falling = np.sort(self.strangers[strange, column])[::-1]
        found = [_mean(right)]
        for rate, promised in zip(rates, self.promised, strict=True):
            place = int(len(falling) * rate * (1 + 1e-9))
            found.append(_mean(right & (own > falling[place])) if 1 <= place < len(falling) else np.nan)
            found.append(np.nan if promised is None else _mean(falling >= promised))
        return found


def _mean(flags: np.ndarray) -> float:
    return float(flags.mean()) if len(flags) else np.nan


def answer(
    vectors: Float[np.ndarray, "n dim"], labels: Int[np.ndarray, " n"], split: Split, options: IdentificationOptions
) -> Answers:
    """Enrol, and ask for all others.

    Args:
        vectors: of the pictures.
        labels: their classes.
        split: who is known.
        options: way to score, rates.
    """
    examples = Examples.of(vectors[split.enrolled], split.enrolled_classes, count=len(split.known))
    recognizer = Recognizer.of([str(one) for one in split.known], examples, scorer=options.scorer)
    part_of = np.unique(labels, return_inverse=True)[1] % _PARTS
    part_of_class = np.zeros(len(split.known), np.int64)
    part_of_class[split.asked_classes] = part_of[split.asked]
    unit = Examples.of(vectors, labels).vectors
    scores = recognizer.scores(unit[split.asked])
    rows = np.arange(len(split.asked))
    own = scores[rows, split.asked_classes].copy()
    scores[rows, split.asked_classes] = -np.inf
    promised: list[float | None] = []
    for rate in options.fpir:
        try:
            promised.append(recognizer.threshold(rate).score)
        except InvalidInput:
            promised.append(None)
    return Answers(
        own,
        _best_without(scores, part_of_class),
        _best_without(recognizer.scores(unit[split.strangers]), part_of_class),
        part_of[split.asked],
        part_of[split.strangers],
        tuple(promised),
    )


def _best_without(scores: np.ndarray, parts: Int[np.ndarray, " classes"]) -> Float[np.ndarray, "rows parts"]:
    """The best score of each row of all classes, and without those of each part."""
    of_part = np.full((len(scores), _PARTS), -np.inf, np.float32)
    for part in np.unique(parts):
        of_part[:, part] = scores[:, parts == part].max(axis=1)
    rows, first = np.arange(len(scores)), of_part.argmax(axis=1)
    best = of_part[rows, first]
    of_part[rows, first] = -np.inf
    second = of_part.max(axis=1)
    without = np.where(np.arange(_PARTS) == first[:, None], second[:, None], best[:, None])
    return np.concatenate([best[:, None], without], axis=1)


def run(models: Sequence[Embeddings], truth: GroundTruth, options: IdentificationOptions, seed: int) -> Outcome:
    """Several splits for each number of enrolled pictures; intervals for other classes, by leaving out each part."""
    chosen, labels = truth.labelled()
    labels = np.unique(labels, return_inverse=True)[1]
    estimates: list[dict[str, Jackknife]] = [{} for _ in models]
    chance: dict[str, Figure] = {}
    notes, names = [], ["accuracy"]
    for rate in options.fpir:
        names += [f"tpir@fpir={rate:g}", f"reached at fpir={rate:g}"]
    for enrolled in options.enrolled:
        kind = f"{enrolled} enrolled"
        try:
            splits = [
                draw_split(labels, enrolled, options.known, seed=seed + turn) for turn in range(options.repetitions)
            ]
        except InvalidInput as error:
            notes.append(f"{kind} left out: {error}.")
            continue
        classes = len(splits[0].known)
        asked = sum(len(split.asked) for split in splits)
        strangers = sum(len(split.strangers) for split in splits)
        for found, model in zip(estimates, models, strict=True):
            vectors = model.images[chosen]
            answers = [answer(vectors, labels, split, options) for split in splits]
            for name, estimate in _estimates(answers, names, options, asked).items():
                found[f"{kind}/{name}"] = estimate
        by_chance = [1 / classes]
        for rate in options.fpir:
            by_chance += [rate / classes, rate]
        chance |= {
            f"{kind}/{name}": Figure(value, None, None, asked)
            for name, value in zip(names, by_chance, strict=True)
            if any(f"{kind}/{name}" in found for found in estimates)
        }
        notes.append(
            f"{kind}: {classes:,} known classes, {asked // len(splits):,} pictures of them and "
            f"{strangers // len(splits):,} of strangers, in each of {len(splits)} splits."
        )
        if classes < FEW_CLASSES:
            notes.append(f"{kind}: so few classes tell little of others.")
        if missing := [name for name in names if not any(f"{kind}/{name}" in found for found in estimates)]:
            notes.append(f"{kind}: too few pictures of strangers, or of examples, for {', '.join(missing)}.")
    if not chance:
        raise InvalidInput(" ".join(notes))
    return Outcome(estimates, lambda: chance, {"known_classes": max(classes, 0)}, tuple(notes))


def _estimates(
    answers: Sequence[Answers], names: Sequence[str], options: IdentificationOptions, asked: int
) -> dict[str, Jackknife]:
    """Means over the splits; what cannot be said in one of them is left out."""
    some = np.unique(np.concatenate([np.concatenate([one.asked_parts, one.stranger_parts]) for one in answers]))
    whole = np.mean([one.figures(None, options.fpir) for one in answers], axis=0)
    without = np.stack([np.mean([one.figures(int(part), options.fpir) for one in answers], axis=0) for part in some])
    return {
        name: Jackknife(float(whole[place]), without[:, place], asked)
        for place, name in enumerate(names)
        if np.isfinite(whole[place]) and np.isfinite(without[:, place]).all()
    }


PROTOCOL = Protocol(
    summary="half of the classes are enrolled with a few pictures each, the others are strangers: are further pictures "
    "named rightly, at a rate of strangers that get a name?",
    metrics="closed-set accuracy; TPIR at each FPIR; the FPIR reached where it was promised from the examples alone",
    order=35,
    headline=("1 enrolled/tpir@fpir=0.1", "1 enrolled/accuracy"),
    why_not_unasked=why_not_unasked,
    run=run,
    options=IdentificationOptions,
)
