"""Ranks of right answers: what every retrieval figure is computed from.

The convention for ties is the pessimistic one: a right answer counts as found only where its score beats a wrong
answer's by more than rounding error. Equal scores would otherwise be ordered by luck (by index, by the kernel
that multiplied), and an encoder that maps everything to one point would seem to find what happens to come first. Here
all its right answers rank behind all wrong ones.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from nearkin.progress import Progress
from nearkin.similarity import score_blocks

# The dot product of equal unit vectors varies by a few 1e-7 in float32 with its place in the matrix product.
ROUNDING = np.float32(2.0**-20)

# Sorting one score takes about as long as comparing so many.
_SORT = 128


@dataclass(frozen=True)
class Ranking:
    """Ranks of the right answers to some of the queries.

    Args:
        queries: which of the queries.
        ranks: 1 is the best; those of one query ascend, those of the next follow.
        starts: where each query's ranks start.
    """

    queries: slice
    ranks: Int[np.ndarray, " total"]
    starts: Int[np.ndarray, " block"]

    @property
    def first(self) -> Int[np.ndarray, " block"]:
        """The rank of each query's best right answer."""
        return self.ranks[self.starts]


def rank_right_answers(
    queries: Float[np.ndarray, "q dim"],
    query_ids: Int[np.ndarray, " q"],
    keys: Float[np.ndarray, "n dim"],
    key_ids: Int[np.ndarray, " n"],
    *,
    itself: Int[np.ndarray, " q"] | None = None,
    progress: Progress | None = None,
) -> Iterator[Ranking]:
    """The exact rank of every right answer among all answers, block by block; memory O(block + n dim).

    Args:
        queries, keys: unit vectors.
        query_ids, key_ids: a key is a right answer to a query if the two ids are equal; each query needs one.
        itself: for each query the key that it is itself, with an equal id, and no answer; -1 for none.
        progress: called with queries done and queries in all.

    Returns:
        The ranks of some queries at a time, in the order of the queries.

    Example:
        >>> apart = np.eye(2, dtype=np.float32)
        >>> [ranking.ranks.tolist() for ranking in rank_right_answers(apart, np.array([0, 0]), apart, np.array([0, 1]))]
        [[1, 2]]
    """
    # Sorted by id, the right answers of a query are one slice.
    order = np.argsort(key_ids, kind="stable")
    keys, key_ids = keys[order], key_ids[order]
    first = np.searchsorted(key_ids, query_ids, side="left")
    last = np.searchsorted(key_ids, query_ids, side="right")
    own = np.full(len(queries), -1)
    if itself is not None:
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        own = np.where(itself >= 0, place[itself], -1)
    right = last - first - (own >= 0)
    assert (right > 0).all(), "every query needs a right answer"

    places = np.stack([first, last, own], axis=1)

    def rank_rows(scores: np.ndarray, places: np.ndarray) -> list[np.ndarray]:
        return [_ranks(row, *place) for row, place in zip(scores, places.tolist(), strict=True)]

    threads = _threads()
    with ThreadPoolExecutor(threads) as pool:
        for block, scores in score_blocks(queries, keys):
            shares = (np.array_split(array, threads) for array in (scores, places[block]))
            ranks = np.concatenate([row for rows in pool.map(rank_rows, *shares) for row in rows])
            yield Ranking(block, ranks, np.cumsum(right[block]) - right[block])
            if progress:
                progress(block.stop, len(queries))


def _threads() -> int:
    """As many as matrix products have: `OMP_NUM_THREADS`, or one for each core that this process may use."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _ranks(scores: np.ndarray, first: int, last: int, own: int) -> Int[np.ndarray, " right"]:
    """Ranks of the scores in [first, last) but `own` among all scores, ascending; overwrites the slice."""
    right = scores[first:last].copy()
    if own >= 0:
        right = np.delete(right, own - first)
    right = np.sort(right)[::-1] - ROUNDING
    scores[first:last] = -np.inf
    before_last = scores >= right[-1]
    # Where few come before the last right answer, or many right answers are asked for, sort; else count for each.
    if np.count_nonzero(before_last) * _SORT < len(scores) * len(right):
        wrong = np.sort(scores[before_last])
        ahead = len(wrong) - np.searchsorted(wrong, right, side="left")
    else:
        ahead = np.array([np.count_nonzero(scores >= score) for score in right])
    return ahead + np.arange(1, len(right) + 1)
