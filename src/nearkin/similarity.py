"""Similarity scores and the blockwise exact nearest-neighbour search that evaluation and galleries share.

One convention everywhere: a higher score means more alike. Vectors are unit length, so that the dot product is
the cosine and orders neighbours just as Euclidean distance does: |x - y|^2 = 2 - 2 x.y.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nearkin.errors import InvalidInput

# 2^24 scores of 4 bytes: 64 MiB for a block of scores, about what a top-k needs again beside it.
BLOCK_SCORES = 1 << 24


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
        and the index -1. Equal scores come in no promised order.

    Raises:
        InvalidInput: k < 1, or the vectors have different lengths.

    Example:
        >>> scores, rows = top_k(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), k=1)
        >>> scores.tolist(), rows.tolist()
        ([[1.0], [1.0]], [[0], [1]])
    """
    if k < 1:
        raise InvalidInput(f"k is {k}, wanted at least 1")
    if queries.shape[1] != keys.shape[1]:
        raise InvalidInput(f"queries have {queries.shape[1]} numbers, keys {keys.shape[1]}: they must be equal")
    count, total = len(queries), len(keys)
    k = min(k, total)
    scores = np.full((count, k), -np.inf, dtype=np.float32)
    rows = np.full((count, k), -1, dtype=np.int64)
    if not count or not total:
        return scores, rows
    key_block = min(total, max(k, 1 << 16))
    query_block = max(1, BLOCK_SCORES // key_block)
    for start in range(0, count, query_block):
        block = slice(start, start + query_block)
        unwanted = None if exclude is None else exclude[block]
        best, where = _top_k_of_block(queries[block], keys, k, key_block, unwanted, allowed)
        scores[block], rows[block] = best.numpy(), where.numpy()
    rows[np.isneginf(scores)] = -1
    return scores, rows


def _top_k_of_block(
    queries: np.ndarray,
    keys: np.ndarray,
    k: int,
    key_block: int,
    exclude: np.ndarray | None,
    allowed: np.ndarray | None,
) -> tuple[Tensor, Tensor]:
    """The top k of a few queries over all keys: a running top k, merged with each block of keys."""
    query = torch.from_numpy(np.ascontiguousarray(queries, dtype=np.float32))
    best: Tensor | None = None
    where: Tensor | None = None
    for start in range(0, len(keys), key_block):
        block = np.ascontiguousarray(keys[start : start + key_block], dtype=np.float32)
        scores = query @ torch.from_numpy(block).T
        if allowed is not None:
            scores[:, torch.from_numpy(~allowed[start : start + key_block])] = -torch.inf
        if exclude is not None:
            inside = np.flatnonzero((exclude >= start) & (exclude < start + len(block)))
            scores[torch.from_numpy(inside), torch.from_numpy(exclude[inside] - start)] = -torch.inf
        found, index = scores.topk(min(k, len(block)), dim=1)
        index += start
        if best is None or where is None:
            best, where = found, index
        else:
            both, places = torch.cat([best, found], 1), torch.cat([where, index], 1)
            best, order = both.topk(min(k, both.shape[1]), dim=1)
            where = places.gather(1, order)
    assert best is not None
    assert where is not None
    return best, where
