"""Ranks of right answers: what every retrieval figure is computed from.

The convention for ties is the pessimistic one: a right answer counts as found only where its score beats a wrong
answer's by more than rounding error. Equal scores would otherwise be ordered by luck (by index, by the kernel
that multiplied), and an encoder that maps everything to one point would seem to find what happens to come first. Here
all its right answers rank behind all wrong ones.
"""

import os
from collections.abc import Callable, Iterator
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
    query_groups: Int[np.ndarray, " q"] | None = None,
    key_groups: Int[np.ndarray, " n"] | None = None,
    progress: Progress | None = None,
) -> Iterator[Ranking]:
    """The exact rank of every right answer among all answers, block by block; memory O(block + n dim).

    Args:
        queries, keys: unit vectors.
        query_ids, key_ids: a key is a right answer to a query if the two ids are equal; each query needs one.
        itself: for each query the key that it is itself, with an equal id, and no answer; -1 for none.
        query_groups, key_groups: keys with the id and the group of a query are no answers to it either: in
            re-identification, pictures of the same identity by the same camera.
        progress: called with queries done and queries in all.

    Returns:
        The ranks of some queries at a time, in the order of the queries.

    Example:
        >>> apart = np.eye(2, dtype=np.float32)
        >>> [ranking.ranks.tolist() for ranking in rank_right_answers(apart, np.array([0, 0]), apart, np.array([0, 1]))]
        [[1, 2]]
    """
    # Sorted by id and group, the right answers of a query are one slice, less one slice of what is no answer.
    order = np.argsort(key_ids, kind="stable") if key_groups is None else np.lexsort([key_groups, key_ids])
    keys, key_ids = keys[order], key_ids[order]
    first = np.searchsorted(key_ids, query_ids, side="left")
    last = np.searchsorted(key_ids, query_ids, side="right")
    from_, to = first, first
    if itself is not None:
        position = np.empty_like(order)
        position[order] = np.arange(len(order))
        from_ = np.where(itself >= 0, position[itself], first)
        to = from_ + (itself >= 0)
    if query_groups is not None and key_groups is not None:
        from_, to = _equal_groups(query_groups, key_groups[order], first, last, from_, to)
    right = last - first - (to - from_)
    assert (right > 0).all(), "every query needs a right answer"

    positions = np.stack([first, last, from_, to], axis=1)

    def rank_rows(scores: np.ndarray, positions: np.ndarray) -> list[np.ndarray]:
        return [_ranks(row, *bounds) for row, bounds in zip(scores, positions.tolist(), strict=True)]

    threads = _threads()
    with ThreadPoolExecutor(threads) as pool:
        for block, scores in score_blocks(queries, keys):
            shares = (np.array_split(array, threads) for array in (scores, positions[block]))
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


def _equal_groups(
    query_groups: np.ndarray, key_groups: np.ndarray, first: np.ndarray, last: np.ndarray, *itself: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where the keys of each query's id and group start and end; `itself` where the group is unknown (-1)."""
    starts, ends = itself[0].copy(), itself[1].copy()
    for query in np.flatnonzero(query_groups >= 0).tolist():
        own = key_groups[first[query] : last[query]]
        starts[query] = first[query] + np.searchsorted(own, query_groups[query], side="left")
        ends[query] = first[query] + np.searchsorted(own, query_groups[query], side="right")
    return starts, ends


def first_right_ranks(
    queries: Float[np.ndarray, "q dim"],
    keys: Float[np.ndarray, "n dim"],
    right: Callable[[int], Int[np.ndarray, " some"]],
    *,
    progress: Progress | None = None,
) -> Int[np.ndarray, " q"]:
    """The rank of the best right answer to each query, where any keys may be right: several queries may share some.

    Args:
        queries, keys: unit vectors.
        right: gives the right keys of a query, at least one.
        progress: called with queries done and queries in all.

    Example:
        >>> apart = np.eye(2, dtype=np.float32)
        >>> first_right_ranks(apart, apart, lambda query: np.array([0])).tolist()
        [1, 2]
    """
    ranks = np.empty(len(queries), dtype=np.int64)
    for block, scores in score_blocks(queries, keys):
        for row, query in enumerate(range(block.start, block.stop)):
            own = right(query)
            best = scores[row, own].max() - ROUNDING
            scores[row, own] = -np.inf
            ranks[query] = 1 + np.count_nonzero(scores[row] >= best)
        if progress:
            progress(block.stop, len(queries))
    return ranks


def _ranks(scores: np.ndarray, first: int, last: int, from_: int, to: int) -> Int[np.ndarray, " right"]:
    """Ranks of the scores in [first, last) but not in [from_, to) among all scores; overwrites the slice."""
    right = np.sort(np.concatenate([scores[first:from_], scores[to:last]]))[::-1] - ROUNDING
    scores[first:last] = -np.inf
    before_last = scores >= right[-1]
    # Where few come before the last right answer, or many right answers are asked for, sort; else count for each.
    if np.count_nonzero(before_last) * _SORT < len(scores) * len(right):
        wrong = np.sort(scores[before_last])
        ahead = len(wrong) - np.searchsorted(wrong, right, side="left")
    else:
        ahead = np.array([np.count_nonzero(scores >= score) for score in right])
    return ahead + np.arange(1, len(right) + 1)
