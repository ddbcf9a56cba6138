"""HNSW: a graph of near neighbours in layers, walked towards the query."""

from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int

from nearkin.gallery.index.base import Vectors
from nearkin.gallery.index.encodings import Int8Encoding
from nearkin.gallery.index.faiss_index import ROW_BYTES, FaissIndex, faiss, search_core
from nearkin.similarity import Metric

_CONSTRUCTION = 100
_LINKS = 16


class HnswIndex(FaissIndex):
    """A graph of near neighbours over 8-bit codes, walked towards the query.

    Effort: how many of the nearest nodes a walk keeps (efSearch). Setting: links of a node.

    Source: Malkov & Yashunin 2016, arXiv:1603.09320.
    """

    kind: ClassVar[str] = "hnsw"
    when: ClassVar[str] = "single queries on many vectors should be fast, and memory is plentiful"
    in_auto: ClassVar[bool] = True
    settings: ClassVar[tuple[int, ...]] = (_LINKS,)
    efforts: ClassVar[tuple[int, ...]] = (
        *(16, 24, 32, 48, 64, 80, 96, 128, 160, 192, 256, 320, 384, 512, 640, 768, 1024, 2048),
    )
    encodings: ClassVar[type] = Int8Encoding

    @classmethod
    def empty(cls, vectors: Vectors, metric: Metric, setting: int, *, seed: int) -> "HnswIndex":
        core = faiss().IndexHNSWSQ(vectors.shape[1], faiss().ScalarQuantizer.QT_8bit_direct_signed, setting)
        core.hnsw.efConstruction = _CONSTRUCTION
        core.hnsw.rng = faiss().RandomGenerator(seed)
        return cls(vectors, metric, core, Int8Encoding.of(vectors))

    @staticmethod
    def floor_bytes(dim: int) -> float:
        # Twice as many links on the lowest layer, and where each node's begin.
        return dim + 4 * 2 * _LINKS + 8 + ROW_BYTES

    @property
    def setting(self) -> str:
        return f"{self._core.hnsw.nb_neighbors(1)} links, efSearch {self.effort}"

    def work(self, effort: int) -> float:
        return 400.0 * effort

    def growth(self, times: float) -> float:
        return times**0.5

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


KIND = HnswIndex
