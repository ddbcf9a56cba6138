"""Classes one by one: how each fares in retrieval, and what it is taken for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from nearkin.evaluation.metrics.retrieval import QueryScores


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
    scores: QueryScores, ids: Int[np.ndarray, " k"], names: Sequence[str], taken_for: Mapping[int, int]
) -> tuple[ClassRow, ...]:
    """A row for each class that asked, the worst first.

    Args:
        scores: recall@1 and map@r of each query among the labelled pictures.
        ids: class ids of the labelled pictures.
        names: of the classes.
        taken_for: for each query without a right answer first, by row, the class that it found.
    """
    pictures = np.bincount(ids, minlength=len(names))
    queries = np.bincount(scores.labels, minlength=len(names))
    recall, precision = (
        np.bincount(scores.labels, weights=scores.values[metric], minlength=len(names))
        for metric in ("recall@1", "map@r")
    )
    taken: dict[int, list[int]] = {}
    for row, found in taken_for.items():
        taken.setdefault(int(ids[row]), []).append(found)
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
