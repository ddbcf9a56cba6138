"""Exact search: every query against every vector."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from nearkin.similarity import top_k


@dataclass(frozen=True, eq=False)
class ExactIndex:
    """Vectors in memory.

    Args:
        ids: one id per vector; they decide between equal scores.
        vectors: unit length.

    Example:
        >>> index = ExactIndex(np.array([7, 3]), np.eye(2, dtype=np.float32))
        >>> scores, rows = index.search(np.array([0.6, 0.8], dtype=np.float32), k=1)
        >>> scores.tolist(), rows.tolist()
        ([0.800000011920929], [1])
    """

    ids: Int[np.ndarray, " n"]
    vectors: Float[np.ndarray, "n dim"]

    def __len__(self) -> int:
        return len(self.ids)

    def search(
        self, query: Float[np.ndarray, " dim"], k: int
    ) -> tuple[Float[np.ndarray, " kept"], Int[np.ndarray, " kept"]]:
        """Scores and rows of the min(k, n) best vectors, best first; of equal scores the lower id comes first."""
        wanted = k + 1
        while True:
            scores, rows = (column[0] for column in top_k(query[None], self.vectors, wanted))
            # If the k-th score goes on beyond what was asked for, the lower ids among its equals may still be missing.
            if wanted >= len(self) or scores[-1] < scores[k - 1]:
                break
            wanted *= 2
        order = np.lexsort((self.ids[rows], -scores))[:k]
        return scores[order], rows[order]
