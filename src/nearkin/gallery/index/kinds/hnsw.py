"""HNSW: a graph of near neighbours in layers, walked towards the query."""

from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int

from nearkin.gallery.index.base import Vectors
from nearkin.gallery.index.codes import WholeNumbers
from nearkin.gallery.index.faiss_index import FaissIndex, faiss, search_core
from nearkin.similarity import Metric

_CONSTRUCTION = 100


class HnswIndex(FaissIndex):
    """A graph over 8-bit codes. Effort: how many of the nearest nodes a walk keeps (efSearch).

    Setting: links of a node.

    Source: Malkov & Yashunin 2016, arXiv:1603.09320.
    """

    kind: ClassVar[str] = "hnsw"
    settings: ClassVar[tuple[int, ...]] = (16,)
    efforts: ClassVar[tuple[int, ...]] = (
        16,
        24,
        32,
        48,
        64,
        80,
        96,
        128,
        160,
        192,
        256,
        320,
        384,
        512,
        640,
        768,
        1024,
        2048,
    )
    encodings: ClassVar[type] = WholeNumbers

    @classmethod
    def empty(cls, vectors: Vectors, metric: Metric, setting: int, *, seed: int) -> "HnswIndex":
        core = faiss().IndexHNSWSQ(vectors.shape[1], faiss().ScalarQuantizer.QT_8bit_direct_signed, setting)
        core.hnsw.efConstruction = _CONSTRUCTION
        core.hnsw.rng = faiss().RandomGenerator(seed)
        return cls(vectors, metric, core, WholeNumbers.of(vectors))

    @property
    def setting(self) -> str:
        return f"{self._core.hnsw.nb_neighbors(1)} links, efSearch {self.effort}"

    def work(self, effort: int) -> float:
        return 400.0 * effort

    def _nearest(self, queries: Float[np.ndarray, "q dim"], depth: int, effort: int) -> Int[np.ndarray, "q depth"]:
        return search_core(self._core, queries, depth, _parameters(max(effort, depth)))

    def _core_bytes(self) -> int:
        graph = self._core.hnsw
        return (
            self._core.ntotal * self._core.storage.sa_code_size()
            + 4 * graph.neighbors.size()
            + 8 * graph.offsets.size()
        )


@lru_cache
def _parameters(effort: int) -> Any:
    return faiss().SearchParametersHNSW(efSearch=effort)
