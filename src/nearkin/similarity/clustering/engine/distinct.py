"""Equal vectors as one point that counts as many: a million copies of one picture are no work."""

import numpy as np
from jaxtyping import Float, Int

_ROWS = 1 << 14


def distinct(vectors: Float[np.ndarray, "n dim"]) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " n"]]:
    """The first row of each different vector, and for each row the position of its vector among those.

    Args:
        vectors: float32.

    Example:
        >>> rows, position = distinct(np.array([[1, 0], [0, 1], [1, 0]], dtype=np.float32))
        >>> rows.tolist(), position.tolist()
        ([0, 1], [0, 1, 0])
    """
    # Two different vectors have one of 2^64 hashes with a chance of one in 2^64.
    factors = np.random.default_rng(0).integers(1, 2**63, vectors.shape[1], dtype=np.uint64) * np.uint64(2) + 1
    bits = np.ascontiguousarray(vectors + np.float32(0)).view(np.uint32)  # -0 is 0
    hashes = np.empty(len(vectors), dtype=np.uint64)
    for start in range(0, len(vectors), _ROWS):
        part = bits[start : start + _ROWS].astype(np.uint64)
        hashes[start : start + _ROWS] = (_mixed(part) * factors).sum(axis=1)
    _, rows, position = np.unique(hashes, return_index=True, return_inverse=True)
    order = np.argsort(rows)
    place = np.empty(len(rows), dtype=np.int64)
    place[order] = np.arange(len(rows))
    return rows[order], place[position]


def _mixed(values: np.ndarray) -> np.ndarray:
    """Bits spread over 64, so that sums of few different numbers do not meet."""
    values = (values + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
    return (values ^ (values >> np.uint64(31))) * np.uint64(0x94D049BB133111EB)
