"""IVF: vectors in cells around learned centres; a search looks into the cells nearest to the query."""

from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int

from nearkin.gallery.index.base import Vectors
from nearkin.gallery.index.codes import Encoding, WholeGroups, WholeNumbers
from nearkin.gallery.index.faiss_index import ANSWERS, SCORE, FaissIndex, faiss, search_core
from nearkin.similarity import Metric

# k-means sees so many vectors of each cell.
_TRAINED_ON = 64


class IvfIndex(FaissIndex):
    """Cells that hold 8-bit codes. Effort: how many cells are looked into (nprobe).

    Setting: cells for each root of n. Clusters want few cells, of which a search looks into one or two; where there are
    none, many small cells are better.

    Source: Jégou et al. 2011, Product quantization for nearest neighbor search.
    """

    kind: ClassVar[str] = "ivf"
    settings: ClassVar[tuple[int, ...]] = (1, 2, 4)
    efforts: ClassVar[tuple[int, ...]] = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
    encodings: ClassVar[type] = WholeNumbers

    @classmethod
    def empty(cls, vectors: Vectors, metric: Metric, setting: int, *, seed: int) -> "IvfIndex":
        encoding, dim, cells = WholeNumbers.of(vectors), vectors.shape[1], _cells(len(vectors), setting)
        code = faiss().ScalarQuantizer.QT_8bit_direct_signed
        core = faiss().IndexIVFScalarQuantizer(faiss().IndexFlatL2(dim), dim, cells, code, faiss().METRIC_L2, False)
        _learn(core, vectors, encoding, seed)
        return cls(vectors, metric, core, encoding)

    @property
    def setting(self) -> str:
        return f"{self._core.nlist} cells, {self.effort} searched"

    def work(self, effort: int) -> float:
        return 2 * self._core.nlist + 6 * effort * self._core.ntotal / self._core.nlist

    def _nearest(self, queries: Float[np.ndarray, "q dim"], depth: int, effort: int) -> Int[np.ndarray, "q depth"]:
        return search_core(self._core, queries, depth, _parameters(min(effort, self._core.nlist)))

    def _core_bytes(self) -> int:
        # Each code has its place beside it.
        return self._core.ntotal * (self._core.code_size + 8) + self._core.nlist * self._core.d * 4


class IvfPqIndex(IvfIndex):
    """Cells that hold codes of 4 bits for each two numbers; 20 candidates for each answer are scored exactly.

    Effort and setting: as of `IvfIndex`. Source: as of `PqIndex`.
    """

    kind: ClassVar[str] = "ivf-pq"
    settings: ClassVar[tuple[int, ...]] = (1, 2)
    encodings: ClassVar[type] = WholeGroups

    @classmethod
    def empty(cls, vectors: Vectors, metric: Metric, setting: int, *, seed: int) -> "IvfPqIndex":
        encoding, cells = WholeGroups.of(vectors, 2), _cells(len(vectors), setting)
        groups = encoding.groups(vectors.shape[1])
        core = faiss().IndexIVFPQFastScan(
            faiss().IndexFlatL2(2 * groups), 2 * groups, cells, groups, 4, faiss().METRIC_L2
        )
        # One table for all cells; tables for what is left of each cell's centre are too coarse.
        core.by_residual = False
        core.pq.cp.seed, core.pq.cp.min_points_per_centroid = seed, 1
        _learn(core, vectors, encoding, seed)
        return cls(vectors, metric, core, encoding)

    def work(self, effort: int) -> float:
        codes = effort * self._core.ntotal / self._core.nlist
        return 2 * self._core.nlist + codes * self._core.pq.M / 170 + SCORE * self._depth(ANSWERS, effort)

    def _depth(self, k: int, effort: int) -> int:
        return 20 * max(k, ANSWERS)


def _cells(n: int, setting: int) -> int:
    return max(1, round(setting * n**0.5))


def _learn(core: Any, vectors: Vectors, encoding: Encoding, seed: int) -> None:
    core.cp.seed, core.cp.niter = seed, 8
    core.cp.min_points_per_centroid, core.cp.max_points_per_centroid = 1, _TRAINED_ON
    sample = np.random.default_rng(seed).permutation(len(vectors))[: _TRAINED_ON * core.nlist]
    core.train(encoding(vectors[np.sort(sample)]))


@lru_cache
def _parameters(effort: int) -> Any:
    return faiss().SearchParametersIVF(nprobe=effort)
