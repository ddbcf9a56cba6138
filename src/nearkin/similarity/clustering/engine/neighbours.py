"""The neighbour graph: for each vector its most similar others."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from nearkin.similarity.scores import top_k

# Up to so many vectors are compared each with each.
_ALL_PAIRS = 20_000
# Above, they are dealt into cells, and sought in the nearest of them.
_CELLS, _CELLS_SEARCHED = 4, 12
_ROUNDS, _PER_CELL = 6, 50


class Neighbours(NamedTuple):
    """For each vector the scores and rows of its nearest others, best first; -1 where there are fewer."""

    scores: Float[np.ndarray, "n k"]
    rows: Int[np.ndarray, "n k"]


def find_neighbours(vectors: Float[np.ndarray, "n dim"], k: int, *, seed: int = 0) -> Neighbours:
    """The k nearest others of each vector: all of them up to 20,000 vectors, nearly all of them above.

    Args:
        vectors: unit vectors, float32.
        k: how many; fewer if there are fewer vectors.
        seed: random seed of the cells.

    Example:
        >>> find_neighbours(np.eye(2, dtype=np.float32)[[0, 0, 1, 1]], 1).rows.tolist()
        [[1], [0], [3], [2]]
    """
    k = min(k, len(vectors) - 1)
    if k < 1:
        return Neighbours(np.empty((len(vectors), 0), np.float32), np.empty((len(vectors), 0), np.int64))
    if len(vectors) <= _ALL_PAIRS:
        return Neighbours(*top_k(vectors, vectors, k, exclude=np.arange(len(vectors))))
    return _without_self(*_found_in_cells(vectors, k + 1, seed))


def _found_in_cells(
    vectors: Float[np.ndarray, "n dim"], k: int, seed: int
) -> tuple[Float[np.ndarray, "n k"], Int[np.ndarray, "n k"]]:
    import faiss

    n, dim = vectors.shape
    cells = int(_CELLS * np.sqrt(n))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.seed, index.cp.spherical = _ROUNDS, seed + 1, True
    index.cp.max_points_per_centroid = _PER_CELL
    index.train(vectors)
    index.add(vectors)
    index.nprobe = _CELLS_SEARCHED
    return index.search(vectors, k)


def _without_self(scores: Float[np.ndarray, "n k"], rows: Int[np.ndarray, "n k"]) -> Neighbours:
    """One neighbour less: the vector itself, or else the last one."""
    own = rows == np.arange(len(rows))[:, None]
    own[:, -1] |= ~own.any(axis=1)
    kept = len(rows), rows.shape[1] - 1
    return Neighbours(scores[~own].reshape(kept), rows[~own].reshape(kept))
