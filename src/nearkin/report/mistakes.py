"""The worst mistakes: wrong nearest neighbours, false accepts, false rejects."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from nearkin.similarity import score_blocks

# Mistakes of each kind that are shown.
MISTAKES = 12


@dataclass(frozen=True)
class Mistake:
    """Two pictures, by row, that the encoder scores too high or too low."""

    row: int
    other: int
    score: float


def wrong_neighbours(
    vectors: Float[np.ndarray, "n dim"],
    ids: Int[np.ndarray, " n"],
    queries: Int[np.ndarray, " q"],
    is_gallery: Bool[np.ndarray, " n"] | None,
) -> list[Mistake]:
    """Of each query that found no right answer first, the answer of another class that it found; the surest first.

    Args:
        vectors: unit vectors; ids: their class ids.
        queries: rows of the queries whose recall@1 is 0.
        is_gallery: which pictures may be answers; all by default.
    """
    answers = np.arange(len(ids)) if is_gallery is None else np.flatnonzero(is_gallery)
    if not len(queries):
        return []
    found = []
    for block, scores in score_blocks(vectors[queries], vectors[answers]):
        rows = queries[block]
        scores[ids[rows][:, None] == ids[answers][None]] = -np.inf
        best = scores.argmax(axis=1)
        found += [
            Mistake(int(row), int(answers[position]), float(scores[number, position]))
            for number, (row, position) in enumerate(zip(rows, best, strict=True))
        ]
    return sorted(found, key=lambda mistake: -mistake.score)


def false_accepts(vectors: np.ndarray, ids: np.ndarray) -> list[Mistake]:
    """Of each labelled picture the likest of another class; the likest first, each pair once."""
    rows = np.flatnonzero(ids >= 0)
    order = rows[np.argsort(ids[rows], kind="stable")]
    some = vectors[order]
    first, last = (np.searchsorted(ids[order], ids[order], side=side) for side in ("left", "right"))
    found: dict[tuple[int, int], float] = {}
    for block, scores in score_blocks(some, some):
        for row, (low, high) in enumerate(zip(first[block], last[block], strict=True)):
            scores[row, low:high] = -np.inf
        best = scores.argmax(axis=1)
        for position, other in enumerate(best.tolist()):
            if np.isfinite(scores[position, other]):
                one, two = int(order[block.start + position]), int(order[other])
                found[min(one, two), max(one, two)] = float(scores[position, other])
    return sorted((Mistake(*pair, score) for pair, score in found.items()), key=lambda mistake: -mistake.score)


def false_rejects(vectors: np.ndarray, ids: np.ndarray) -> tuple[Mistake, ...]:
    """The pair of each class that scores lowest; the lowest of all first."""
    order = np.argsort(ids, kind="stable")
    found = []
    for rows in np.split(order, np.flatnonzero(np.diff(ids[order])) + 1):
        if len(rows) < 2 or ids[rows[0]] < 0:
            continue
        worst = Mistake(-1, -1, np.inf)
        for block, scores in score_blocks(vectors[rows], vectors[rows]):
            position, other = np.unravel_index(int(scores.argmin()), scores.shape)
            if scores[position, other] < worst.score:
                score = float(scores[position, other])
                worst = Mistake(int(rows[block.start + position]), int(rows[other]), score)
        found.append(worst)
    return tuple(sorted(found, key=lambda mistake: mistake.score)[:MISTAKES])


def distinct(mistakes: Sequence[Mistake]) -> tuple[Mistake, ...]:
    """The first mistakes in which no picture comes twice."""
    shown: set[int] = set()
    chosen: list[Mistake] = []
    for mistake in mistakes:
        if not shown & {mistake.row, mistake.other} and len(chosen) < MISTAKES:
            chosen.append(mistake)
            shown |= {mistake.row, mistake.other}
    return tuple(chosen)
