"""Dot products of many vectors with many, block by block, and the highest of each query.

This is what evaluation uses, where every score counts or queries are many. Galleries search by `certified`, which reads
a quarter of the bytes.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int

from nearkin.arrays import check_count
from nearkin.errors import InvalidInput
from nearkin.similarity.exact import rerank

# 2^24 scores of 4 bytes: 64 MiB for a block of scores, about what a top-k needs again beside it.
BLOCK_SCORES = 1 << 24

# Keys that are multiplied at once where only the best are kept.
KEY_BLOCK = 1 << 16

# Scores whose highest is looked at first, before each of them.
_GROUP = 256


def score_blocks(
    queries: Float[np.ndarray, "q dim"], keys: Float[np.ndarray, "n dim"]
) -> Iterator[tuple[slice, Float[np.ndarray, "block n"]]]:
    """The dot products of all queries with all keys, some queries at a time; memory O(block), never q x n.

    Args:
        queries: one row per query.
        keys: one row per item.

    Returns:
        Pairs of a slice of the queries and their scores. The scores lie in a buffer that the next block overwrites
        (fresh pages would cost as much time as the product): use them, change them, but copy what is to last.

    Raises:
        InvalidInput: the vectors have different lengths.

    Example:
        >>> [(block, scores.tolist()) for block, scores in score_blocks(np.eye(1, 2), np.eye(2))]
        [(slice(0, 1, None), [[1.0, 0.0]])]
    """
    _check_widths(queries, keys)
    keys = np.ascontiguousarray(keys, dtype=np.float32)
    height = max(1, BLOCK_SCORES // max(1, len(keys)))
    buffer = np.empty((min(height, len(queries)), len(keys)), dtype=np.float32)
    for start in range(0, len(queries), height):
        block = slice(start, min(start + height, len(queries)))
        scores = buffer[: block.stop - start]
        np.matmul(np.asarray(queries[block], dtype=np.float32), keys.T, out=scores)
        yield block, scores


def top_k(
    queries: Float[np.ndarray, "q dim"],
    keys: Float[np.ndarray, "n dim"],
    k: int,
    *,
    exclude: Int[np.ndarray, " q"] | None = None,
    allowed: Bool[np.ndarray, " n"] | None = None,
) -> tuple[Float[np.ndarray, "q kept"], Int[np.ndarray, "q kept"]]:
    """The k highest dot products of each query with the keys, best first.

    All keys are compared, by products of float32, block by block: memory O(block + q k), never q x n. Those that are
    found are then scored as by `exact_scores`, rounded once.

    Args:
        queries: one row per query.
        keys: one row per item.
        k: how many neighbours, k >= 1.
        exclude: for each query one key that is not to be found (itself); -1 for none.
        allowed: which keys may be found; all by default.

    Returns:
        Scores, float32, and key indices, `[q, kept]` with kept = min(k, n). Where fewer keys may be found, the score is
        -inf and the index -1. Of equal scores the lower index comes first.

    Raises:
        InvalidInput: k < 1, or the vectors have different lengths.

    Example:
        >>> scores, rows = top_k(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), k=1)
        >>> scores.tolist(), rows.tolist()
        ([[1.0], [1.0]], [[0], [1]])
    """
    k = check_count(k, "k")
    _check_widths(queries, keys)
    k = min(k, len(keys))
    scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
    rows = np.full((len(queries), k), -1, dtype=np.int64)
    answers = np.arange(len(keys)) if allowed is None else np.flatnonzero(allowed)
    if not len(queries) or not len(answers):
        return scores, rows
    width = min(len(answers), max(k, KEY_BLOCK))
    height = max(1, BLOCK_SCORES // width)
    # Filled up to whole groups.
    buffer = np.empty((min(height, len(queries)), -(-width // _GROUP) * _GROUP), dtype=np.float32)
    for start in range(0, len(queries), height):
        block = slice(start, start + height)
        itself = None if exclude is None else exclude[block]
        best, found = _top_k_of_block(queries[block], keys, k, answers, itself, buffer, width)
        found = np.where(np.isneginf(best), -1, found)
        kept = found.shape[1]
        scores[block, :kept], rows[block, :kept] = rerank(queries[block], keys, found, kept)
    return scores, rows


def _check_widths(queries: np.ndarray, keys: np.ndarray) -> None:
    if queries.shape[1] != keys.shape[1]:
        raise InvalidInput(f"queries have {queries.shape[1]} dimensions, keys {keys.shape[1]}: they must be equal")


def _top_k_of_block(
    queries: np.ndarray,
    keys: np.ndarray,
    k: int,
    answers: np.ndarray,
    itself: np.ndarray | None,
    buffer: np.ndarray,
    width: int,
) -> tuple[Float[np.ndarray, "q kept"], Int[np.ndarray, "q kept"]]:
    """The top k of a few queries over all answers (rows of keys): a running top k, merged with each block of them."""
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    best, found = np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
    for start in range(0, len(answers), width):
        chosen = answers[start : start + width]
        padded = buffer[: len(queries), : -(-len(chosen) // _GROUP) * _GROUP]
        scores = padded[:, : len(chosen)]
        padded[:, len(chosen) :] = -np.inf
        # All rows in order are a view; indexing by row numbers would copy them.
        part = keys[chosen[0] : chosen[-1] + 1] if chosen[-1] - chosen[0] == len(chosen) - 1 else keys[chosen]
        with np.errstate(over="ignore", invalid="ignore"):  # beyond float32 a score is infinite
            np.matmul(queries, np.asarray(part, dtype=np.float32).T, out=scores)
            highest = padded.reshape(len(queries), -1, _GROUP).max(axis=2)
            # A sum that was beyond float32 on its way is infinite, or no number.
            if not np.isfinite([highest.max(), scores.min()]).all():
                scores[:] = queries.astype(np.float64) @ part.astype(np.float64).T
                highest = padded.reshape(len(queries), -1, _GROUP).max(axis=2)
        if itself is not None:
            position = np.searchsorted(chosen, itself).clip(max=len(chosen) - 1)
            inside = np.flatnonzero(chosen[position] == itself)
            scores[inside, position[inside]] = -np.inf
        reached = best[:, -1] if best.shape[1] == k else None
        query, column = _candidates(padded, highest, len(chosen), min(k, len(chosen)), reached)
        best, found = _merged(best, found, query, padded[query, column], chosen[column], k)
    return best, found


def _candidates(
    scores: Float[np.ndarray, "q padded"],
    highest: Float[np.ndarray, "q groups"],
    n: int,
    k: int,
    reached: Float[np.ndarray, " q"] | None,
) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"]]:
    """Rows and columns of the scores that may be among the k highest of their row, each row's columns ascending.

    Args:
        scores: filled up with -inf to whole groups.
        highest: at least the highest score of each group.
        n: how many there are in a row, without the filling.
        k: how many are to be found in each row.
        reached: what k earlier scores reach: only higher ones count. None: there are fewer, so k are found.
    """
    groups = scores.reshape(len(scores), -1, _GROUP)
    if reached is not None:
        least = np.nextafter(reached, np.float32(np.inf))
    elif highest.shape[1] >= 2 * k:
        # k groups hold one score each that is as high.
        least = _kth(groups.max(axis=2), k)
    else:
        least = _kth(scores[:, :n], k)
    query, group = np.divmod(np.flatnonzero(highest >= least[:, None]), highest.shape[1])
    pair, member = np.divmod(np.flatnonzero(groups[query, group] >= least[query, None]), _GROUP)
    query, column = query[pair], group[pair] * _GROUP + member
    if n < scores.shape[1] and np.isneginf(least).any():
        query, column = query[column < n], column[column < n]
    many = np.flatnonzero(np.bincount(query, minlength=len(scores)) > 8 * k + _GROUP)
    if not len(many):
        return query, column
    # Where many are equal, or scores ascend: those above the k-th highest, and the first of those equal to it.
    parts = [(query[(rest := ~np.isin(query, many))], column[rest])]
    for row in many:
        kth = _kth(scores[row : row + 1, :n], k)[0]
        above, equal = np.flatnonzero(scores[row] > kth), np.flatnonzero(scores[row, :n] == kth)
        columns = np.sort(np.concatenate([above, equal[: k - len(above)]]))
        parts.append((np.full(k, row), columns))
    rows, columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    return rows, columns


def _kth(scores: Float[np.ndarray, "q n"], k: int) -> Float[np.ndarray, " q"]:
    """The k-th highest of each row."""
    return np.partition(scores, scores.shape[1] - k, axis=1)[:, scores.shape[1] - k]


def _merged(
    best: Float[np.ndarray, "q kept"],
    found: Int[np.ndarray, "q kept"],
    query: Int[np.ndarray, " m"],
    scores: Float[np.ndarray, " m"],
    keys: Int[np.ndarray, " m"],
    k: int,
) -> tuple[Float[np.ndarray, "q now"], Int[np.ndarray, "q now"]]:
    """The k highest of those that were found before and of some new ones; each query has as many."""
    query = np.concatenate([np.repeat(np.arange(len(best)), best.shape[1]), query])
    scores, keys = np.concatenate([best.ravel(), scores]), np.concatenate([found.ravel(), keys])
    order = np.lexsort((keys, -scores, query))
    query, scores, keys = query[order], scores[order], keys[order]
    kept = np.arange(len(query)) - np.searchsorted(query, np.arange(len(best)))[query] < k
    return scores[kept].reshape(len(best), -1), keys[kept].reshape(len(best), -1)
