"""Exact search: every query against every vector."""

import numpy as np
from jaxtyping import Bool, Float, Int

from nearkin.similarity import top_k


class ExactIndex:
    """Vectors in memory."""

    kind = "exact"
    recall = None

    def __init__(self, vectors: Float[np.ndarray, "n dim"]) -> None:
        self.vectors = vectors

    def search(
        self, queries: Float[np.ndarray, "q dim"], k: int, allowed: Bool[np.ndarray, " n"] | None = None
    ) -> tuple[Float[np.ndarray, "q k"], Int[np.ndarray, "q k"]]:
        return top_k(queries, self.vectors, k, allowed=allowed)
