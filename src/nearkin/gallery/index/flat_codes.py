"""What the kinds share that compare the query with every code, as faiss's flat indexes do."""

from typing import ClassVar

import numpy as np
from jaxtyping import Int, Shaped

from nearkin.gallery.index.faiss_index import FaissIndex


class FlatCodesIndex(FaissIndex):
    """Codes of a few bytes, all compared. Effort: how many of the nearest are scored exactly."""

    efforts: ClassVar[tuple[int, ...]] = (20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 1500, 2000, 3000, 5000)

    def _nearest(self, queries: Shaped[np.ndarray, "q _"], depth: int, effort: int) -> Int[np.ndarray, "q depth"]:
        return self._core.search(queries, depth)[1]

    def _depth(self, k: int, effort: int) -> int:
        return max(k, effort)

    def _core_bytes(self) -> int:
        return self._core.ntotal * self._core.code_size
