"""Similarity scores and the blockwise exact nearest-neighbour search that evaluation and galleries share.

One convention everywhere: a higher score means more alike. Vectors are unit length, so that the dot product is
the cosine and orders neighbours just as Euclidean distance does: |x - y|^2 = 2 - 2 x.y.
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nearkin.errors import InvalidInput

# 2^24 scores of 4 bytes: 64 MiB for a block of scores, about what a top-k needs again beside it.
BLOCK_SCORES = 1 << 24

# Keys that are multiplied at once where only the best are kept.
KEY_BLOCK = 1 << 16


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
    """The k highest dot products of each query with the keys, exactly, best first.

    Works block by block: memory O(block + q k), never q x n.

    Args:
        queries: one row per query.
        keys: one row per item.
        k: neighbours wanted, k >= 1.
        exclude: for each query one key that is no answer (itself); -1 for none.
        allowed: which keys may be answers; all by default.

    Returns:
        Scores and key indices, `[q, kept]` with kept = min(k, n). Where fewer answers exist, the score is -inf
        and the index -1. Of equal scores the lower index comes first.

    Raises:
        InvalidInput: k < 1, or the vectors have different lengths.

    Example:
        >>> scores, rows = top_k(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), k=1)
        >>> scores.tolist(), rows.tolist()
        ([[1.0], [1.0]], [[0], [1]])
    """
    if k < 1:
        raise InvalidInput(f"k is {k}, wanted at least 1")
    _check_widths(queries, keys)
    k = min(k, len(keys))
    scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
    rows = np.full((len(queries), k), -1, dtype=np.int64)
    answers = np.arange(len(keys)) if allowed is None else np.flatnonzero(allowed)
    if not len(queries) or not len(answers):
        return scores, rows
    width = min(len(answers), max(k, KEY_BLOCK))
    height = max(1, BLOCK_SCORES // width)
    buffer = np.empty((min(height, len(queries)), width), dtype=np.float32)
    for start in range(0, len(queries), height):
        block = slice(start, start + height)
        itself = None if exclude is None else exclude[block]
        best, where = _top_k_of_block(queries[block], keys, k, answers, itself, buffer)
        scores[block, : best.shape[1]], rows[block, : best.shape[1]] = best.numpy(), where.numpy()
    rows[np.isneginf(scores)] = -1
    return scores, rows


def _check_widths(queries: np.ndarray, keys: np.ndarray) -> None:
    if queries.shape[1] != keys.shape[1]:
        raise InvalidInput(f"queries have {queries.shape[1]} numbers, keys {keys.shape[1]}: they must be equal")


def _top_k_of_block(
    queries: np.ndarray, keys: np.ndarray, k: int, answers: np.ndarray, itself: np.ndarray | None, buffer: np.ndarray
) -> tuple[Tensor, Tensor]:
    """The top k of a few queries over all answers (rows of keys): a running top k, merged with each block of them."""
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    best = torch.empty(len(queries), 0)
    where = torch.empty(len(queries), 0, dtype=torch.int64)
    width = buffer.shape[1]
    for start in range(0, len(answers), width):
        chosen = answers[start : start + width]
        # All rows in order are a view; indexing by row numbers would copy them.
        part = slice(chosen[0], chosen[-1] + 1) if chosen[-1] - chosen[0] == len(chosen) - 1 else chosen
        scores = buffer[: len(queries), : len(chosen)]
        np.matmul(queries, np.asarray(keys[part], dtype=np.float32).T, out=scores)
        if itself is not None:
            place = np.searchsorted(chosen, itself).clip(max=len(chosen) - 1)
            inside = np.flatnonzero(chosen[place] == itself)
            scores[inside, place[inside]] = -np.inf
        values, index = _best_of_rows(torch.from_numpy(scores), min(k, len(chosen)))
        both = torch.cat([best, values], 1)
        places = torch.cat([where, torch.from_numpy(chosen)[index]], 1)
        # Stable: what came from earlier keys stays first among equals.
        best, order = both.sort(dim=1, descending=True, stable=True)
        best, where = best[:, :k], places.gather(1, order[:, :k])
    return best, where


def _best_of_rows(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k highest scores of each row and their places; of equal scores the lower place comes first."""
    values, index = scores.topk(min(k + 1, scores.shape[1]), dim=1)
    # topk takes any of several equal scores. Where they go on beyond the k-th, the lowest places are looked up.
    torn = values.shape[1] > k and torch.nonzero(values[:, k - 1] == values[:, -1]).flatten().tolist()
    values, index = values[:, :k], index[:, :k]
    for row in torn or ():
        equal = values[row] == values[row, -1]
        index[row, equal] = torch.nonzero(scores[row] == values[row, -1]).flatten()[: int(equal.sum())]
    index, order = index.sort(dim=1)
    values, order = values.gather(1, order).sort(dim=1, descending=True, stable=True)
    return values, index.gather(1, order)
