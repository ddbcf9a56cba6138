"""Classes one by one: how each fares in retrieval, and what it is taken for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nearkin.errors import InvalidInput
from nearkin.evaluation.metrics.retrieval import score_queries
from nearkin.report.mistakes import Mistake


@dataclass(frozen=True)
class ClassRow:
    """How one class fares in retrieval.

    Args:
        name: of the class.
        pictures: how many it has.
        queries: how many of them asked, with a right answer to be found.
        recall: share of queries whose nearest neighbour is of the class, recall@1.
        map_at_r: mean over its queries.
        taken_for: the class that its wrong nearest neighbours are most often of, if there are any; times: how often.
    """

    name: str
    pictures: int
    queries: int
    recall: float
    map_at_r: float
    taken_for: str | None
    times: int


def class_rows(
    vectors: np.ndarray,
    ids: np.ndarray,
    names: Sequence[str],
    wrong: Sequence[Mistake],
    is_query: np.ndarray | None,
    is_gallery: np.ndarray | None,
) -> tuple[ClassRow, ...]:
    labelled = ids >= 0
    asks, answers = (None if flags is None else flags[labelled] for flags in (is_query, is_gallery))
    try:
        scores = score_queries(vectors[labelled], ids[labelled], is_query=asks, is_gallery=answers, ks=[1])
    except InvalidInput:
        return ()
    pictures = np.bincount(ids[labelled], minlength=len(names))
    queries = np.bincount(scores.labels, minlength=len(names))
    recall, precision = (
        np.bincount(scores.labels, weights=scores.values[metric], minlength=len(names))
        for metric in ("recall@1", "map@r")
    )
    taken: dict[int, list[int]] = {}
    for mistake in wrong:
        taken.setdefault(int(ids[mistake.row]), []).append(int(ids[mistake.other]))
    rows = []
    for number in np.flatnonzero(queries).tolist():
        others, times = np.unique(taken.get(number, []), return_counts=True)
        most = int(times.argmax()) if len(times) else -1
        rows.append(
            ClassRow(
                names[number],
                int(pictures[number]),
                int(queries[number]),
                float(recall[number] / queries[number]),
                float(precision[number] / queries[number]),
                names[int(others[most])] if len(times) else None,
                int(times[most]) if len(times) else 0,
            )
        )
    return tuple(sorted(rows, key=lambda row: (row.recall, row.map_at_r, row.name)))
