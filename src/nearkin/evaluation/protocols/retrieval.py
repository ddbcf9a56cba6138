"""Retrieval: does a picture find others of its class?"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from nearkin.errors import InvalidInput
from nearkin.evaluation.metrics.retrieval import measure_retrieval, retrieval_by_chance, roles
from nearkin.evaluation.protocol import FEW_CLASSES, Embeddings, GroundTruth, Outcome, Protocol, help_text


@dataclass(frozen=True)
class RetrievalOptions:
    """Options of retrieval.

    Args:
        exclude_same: name of a column; see `retrieval`.
        quick: for the values alone; see `measure_retrieval`.
    """

    exclude_same: str | None = field(
        default=None,
        metadata=help_text(
            "Column, such as camera: pictures of a query's class from its own camera are left out, as in "
            "re-identification."
        ),
    )
    quick: bool = False


def why_not_unasked(truth: GroundTruth, options: RetrievalOptions) -> str | None:
    """Runs wherever there is a label."""
    return None if truth.label_ids is not None and (truth.label_ids >= 0).any() else "there are no labels"


def check(options: RetrievalOptions, truth: GroundTruth) -> None:
    """The column is there."""
    if options.exclude_same is not None:
        truth.groups(options.exclude_same)


def run(models: Sequence[Embeddings], truth: GroundTruth, options: RetrievalOptions, seed: int) -> Outcome:
    """Retrieval among the labelled pictures; nothing is measured if no query has a right answer."""
    chosen, labels = truth.labelled()
    asks, answers = (None if flags is None else flags[chosen] for flags in (truth.is_query, truth.is_gallery))
    who: dict[str, Any] = {"is_query": asks, "is_gallery": answers}
    column = options.exclude_same
    if column is not None:
        who["exclude_same"] = truth.groups(column)[chosen]
    part = roles(labels, **who)
    classes = len(np.unique(labels[part.queries]))
    counts = {
        "classes": len(np.unique(labels)),
        "queries": len(part.queries),
        "queries_without_match": part.without_match,
        "gallery": len(part.gallery),
    }
    notes = []
    if not chosen.all():
        notes.append(f"Pictures without a label, which take no part in retrieval: {(~chosen).sum():,}.")
    if part.without_match:
        where = "" if column is None else f" with another {column}"
        notes.append(f"Queries with no other picture of their class{where} to find, left out: {part.without_match:,}.")
    if column is not None:
        notes.append(f"Pictures of a query's own class and its own {column} are no answers to it.")
        if unknown := int((who["exclude_same"] < 0).sum()):
            notes.append(f"Pictures without an entry in {column}, each taken as one of its own: {unknown:,}.")
    if not classes:
        if column is not None:
            raise InvalidInput(
                f"nothing is left to find: no picture has another of its class with another {column} in the gallery; "
                "leave out --exclude-same, or name another column"
            )
        return Outcome([{} for _ in models], dict, counts, tuple(notes))
    if len(np.unique(labels[part.gallery])) == 1:
        notes.append("All answers are of one class, so that every order is right: retrieval measures nothing here.")
    elif classes < FEW_CLASSES:
        notes.append(f"Queries come from few classes ({classes}): the intervals say little about other classes.")
    estimates = [measure_retrieval(one.images[chosen], labels, **who, quick=options.quick) for one in models]
    chance = partial(retrieval_by_chance, labels, **who)
    return Outcome(estimates, chance, counts, tuple(notes))


PROTOCOL = Protocol(
    summary="every picture asks for its nearest neighbours among the others (or `is_query` asks and `is_gallery` "
    "answers): are they of its class?",
    metrics="recall@k, precision@1, r_precision, map@r, map, ndcg@k; cmc@k where queries and gallery are given",
    order=10,
    headline=("recall@1", "map@r"),
    why_not_unasked=why_not_unasked,
    run=run,
    check=check,
    options=RetrievalOptions,
    quick=True,
)
