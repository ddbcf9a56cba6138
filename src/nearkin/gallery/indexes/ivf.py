"""IVF: vectors in cells around learned centres; a search looks into the cells nearest to the query."""

from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int

from nearkin.gallery.indexes.approximate import ApproximateIndex, faiss, search_core
from nearkin.gallery.indexes.encodings import WholeNumbers
from nearkin.gallery.indexes.index import Vectors
from nearkin.similarity import Metric

# k-means sees so many vectors of each cell.
_TRAINED_ON = 64


class IvfIndex(ApproximateIndex):
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
        n, dim = vectors.shape
        cells = max(1, round(setting * n**0.5))
        encoding = WholeNumbers.of(vectors)
        code = faiss().ScalarQuantizer.QT_8bit_direct_signed
        core = faiss().IndexIVFScalarQuantizer(faiss().IndexFlatL2(dim), dim, cells, code, faiss().METRIC_L2, False)
        core.cp.seed, core.cp.niter = seed, 8
        core.cp.min_points_per_centroid, core.cp.max_points_per_centroid = 1, _TRAINED_ON
        sample = np.random.default_rng(seed).permutation(n)[: _TRAINED_ON * cells]
        core.train(encoding(vectors[np.sort(sample)]))
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


@lru_cache
def _parameters(effort: int) -> Any:
    return faiss().SearchParametersIVF(nprobe=effort)
