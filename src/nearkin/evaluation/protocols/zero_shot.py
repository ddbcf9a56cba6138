"""Zero-shot: classes without a picture, by their attributes or by words; unseen, seen, and both together."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from nearkin.arrays import check_number, unit
from nearkin.data.attributes import ClassTable, read_class_table
from nearkin.errors import InvalidInput
from nearkin.evaluation.metrics.zero_shot import UNSEEN, score_answers, score_zero_shot, zero_shot_by_chance
from nearkin.evaluation.protocol import Described, Embeddings, GroundTruth, Outcome, Protocol, help_text
from nearkin.intervals.figure import Figure
from nearkin.intervals.paired_samples import Estimate
from nearkin.similarity import top_k

NEIGHBOUR = "neighbour"


@dataclass(frozen=True)
class ZeroShotOptions:
    """Options of zero-shot classification.

    Raises:
        InvalidInput: the penalty is no number.
    """

    attributes: str | Path | ClassTable | None = field(
        default=None, metadata=help_text("Table with a row per class: its attributes, as for `nearkin train`.")
    )
    class_words: Sequence[str] = field(
        default=(), metadata=help_text("Column of that table with words for the class; may be repeated.")
    )
    seen_penalty: float = field(
        default=0.0,
        metadata=help_text("Subtracted from the scores of classes trained on where both kinds compete."),
    )

    def __post_init__(self) -> None:
        check_number(self.seen_penalty, "seen_penalty", "a number")


def why_not_unasked(truth: GroundTruth, options: ZeroShotOptions) -> str | None:
    """Runs where classes are described."""
    if truth.described is None:
        return "nothing describes the classes: name their table (--attributes)"
    return None


def read(options: ZeroShotOptions) -> ZeroShotOptions:
    """With the table.

    Raises:
        SourceError: it is at fault.
    """
    if options.attributes is None or isinstance(options.attributes, ClassTable):
        return options
    return replace(options, attributes=read_class_table(options.attributes))


def check(options: ZeroShotOptions, truth: GroundTruth) -> None:
    """Every class of the pictures has a row, with the columns of words."""
    if (table := classes(options)) is not None:
        table.of(truth.class_names, options.class_words)


def classes(options: ZeroShotOptions) -> ClassTable | None:
    """What describes the classes."""
    return options.attributes if isinstance(options.attributes, ClassTable) else None


def run(models: Sequence[Embeddings], truth: GroundTruth, options: ZeroShotOptions, seed: int) -> Outcome:
    """By each description that a model embeds; and by what is known of the nearest picture's class."""
    described = truth.described
    if described is None:
        raise InvalidInput(str(why_not_unasked(truth, options)))
    asked = np.flatnonzero((described.of_image >= 0) & ~described.trained)
    if not len(asked):
        raise InvalidInput("all pictures were trained on: zero-shot needs others")
    ids = described.of_image[asked]
    estimates = []
    for model in models:
        found: dict[str, Estimate] = {}
        for kind, vectors in model.classes.items():
            scored = score_zero_shot(
                model.images[asked], vectors, ids, described.seen, seen_penalty=options.seen_penalty
            )
            found |= {f"{kind}/{name}": one for name, one in scored.items()}
        if (by_neighbour := _by_neighbour(model.images, described)) is not None:
            found[f"{NEIGHBOUR}/{UNSEEN}"] = by_neighbour
        estimates.append(found)
    kinds = [kind for model in models for kind in model.classes]
    counts = {
        "unseen classes": len(np.unique(ids[~described.seen[ids]])),
        "seen classes": int(described.seen.sum()),
        "pictures of them": len(asked),
    }
    return Outcome(estimates, partial(_chance, kinds, ids, described), counts, _notes(described))


def _by_neighbour(images: Float[np.ndarray, "n dim"], described: Described) -> Estimate | None:
    """The unseen class whose attributes are most like those of the class of the nearest picture of a seen class."""
    if described.attributes is None:
        return None
    has_class = described.of_image >= 0
    is_seen = np.zeros(len(images), dtype=bool)
    is_seen[has_class] = described.seen[described.of_image[has_class]]
    shown, asked = np.flatnonzero(is_seen), np.flatnonzero(has_class & ~is_seen)
    if not len(shown) or not len(asked):
        return None
    nearest = shown[top_k(images[asked], images[shown], 1)[1][:, 0]]
    attributes = unit(described.attributes)
    scores = attributes[described.of_image[nearest]] @ attributes.T
    # Equal sets of words are equally like, whatever rounding says.
    return score_answers(scores.round(6), described.of_image[asked], described.seen)[UNSEEN]


def _chance(kinds: Sequence[str], ids: Int[np.ndarray, " n"], described: Described) -> dict[str, Figure]:
    by_chance = zero_shot_by_chance(ids, described.seen)
    found = {f"{kind}/{name}": one for kind in dict.fromkeys(kinds) for name, one in by_chance.items()}
    return {**found, **({f"{NEIGHBOUR}/{UNSEEN}": by_chance[UNSEEN]} if UNSEEN in by_chance else {})}


def _notes(described: Described) -> tuple[str, ...]:
    notes = []
    if not described.seen_is_known:
        notes.append("The model does not say what it was trained on: all classes are taken to be unseen.")
    if described.trained.any():
        notes.append(f"Zero-shot: {int(described.trained.sum()):,} pictures that were trained on are not asked for.")
    return tuple(notes)


PROTOCOL = Protocol(
    summary="classes without a picture, by their attributes or words: are pictures of unseen classes named rightly, "
    "among unseen ones and among all (generalised)?",
    metrics="accuracy as the mean over classes: unseen, seen, both among all, and their harmonic mean; beside it, by "
    "the attributes of the nearest picture of a seen class (neighbour)",
    order=60,
    headline=("attributes/unseen", "attributes/harmonic_mean", "words/unseen"),
    why_not_unasked=why_not_unasked,
    run=run,
    options=ZeroShotOptions,
    read=read,
    check=check,
    classes=classes,
    quick=True,
)
