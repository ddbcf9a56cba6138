"""IVF: vectors in cells around learned centres; a search looks into the cells nearest to the query."""

from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int

from nearkin.gallery.index.base import Vectors
from nearkin.gallery.index.encodings import Encoding, Int8Encoding
from nearkin.gallery.index.faiss_index import ROW_BYTES, FaissIndex, faiss, search_core
from nearkin.similarity import Metric

# Vectors that k-means sees, for each cell.
_TRAINED_ON = 64
# A search of at most so many cells searches as many among more vectors.
_FEW_CELLS = 10
# faiss keeps the id of each vector beside its code.
NUMBER_BYTES = 8


class IvfIndex(FaissIndex):
    """8-bit codes in cells around learned centres; the cells nearest to the query are searched.

    Effort: how many cells are searched (nprobe). Setting: cells, in multiples of the root of n. For clusters few cells
    are best, of which a search looks into one or two; without clusters, many small ones.

    Source: Jégou et al. 2011, Product quantization for nearest neighbor search.
    """

    kind: ClassVar[str] = "ivf"
    when: ClassVar[str] = "the vectors form clusters: the fastest there"
    in_auto: ClassVar[bool] = True
    settings: ClassVar[tuple[int, ...]] = (1, 2, 4)
    efforts: ClassVar[tuple[int, ...]] = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
    encodings: ClassVar[type] = Int8Encoding

    @classmethod
    def empty(cls, vectors: Vectors, metric: Metric, setting: int, *, seed: int) -> "IvfIndex":
        encoding, dim, cells = Int8Encoding.of(vectors), vectors.shape[1], cell_count(len(vectors), setting)
        code = faiss().ScalarQuantizer.QT_8bit_direct_signed
        core = faiss().IndexIVFScalarQuantizer(faiss().IndexFlatL2(dim), dim, cells, code, faiss().METRIC_L2, False)
        learn_cells(core, vectors, encoding, seed)
        return cls(vectors, metric, core, encoding)

    @staticmethod
    def floor_bytes(dim: int) -> float:
        return dim + NUMBER_BYTES + ROW_BYTES

    @property
    def setting(self) -> str:
        return f"{self._core.nlist} cells, {self.effort} searched"

    def work(self, effort: int) -> float:
        return 2 * self._core.nlist + 6 * effort * self._core.ntotal / self._core.nlist

    def growth(self, times: float) -> float:
        return times**0.5 if self.effort <= _FEW_CELLS else times

    def _nearest(self, queries: Float[np.ndarray, "q dim"], depth: int, effort: int) -> Int[np.ndarray, "q depth"]:
        return search_core(self._core, queries, depth, _parameters(min(effort, self._core.nlist)))

    def _core_bytes(self) -> int:
        codes = self._core.ntotal * (self._core.code_size + NUMBER_BYTES)
        return codes + self._core.nlist * self._core.d * 4


def cell_count(n: int, setting: int) -> int:
    """The number of cells: `setting` times the root of n."""
    return max(1, round(setting * n**0.5))


def learn_cells(core: Any, vectors: Vectors, encoding: Encoding, seed: int) -> None:
    """Learn the centres of the cells of a faiss index, and what else it needs, from a sample of the vectors."""
    core.cp.seed, core.cp.niter = seed, 8
    core.cp.min_points_per_centroid, core.cp.max_points_per_centroid = 1, _TRAINED_ON
    sample = np.random.default_rng(seed).permutation(len(vectors))[: _TRAINED_ON * core.nlist]
    core.train(encoding(vectors[np.sort(sample)]))


@lru_cache
def _parameters(effort: int) -> Any:
    return faiss().SearchParametersIVF(nprobe=effort)


KIND = IvfIndex
