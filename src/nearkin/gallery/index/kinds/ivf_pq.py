"""IVF with product quantization: cells that hold codes of 4 bits for each two dimensions."""

from typing import ClassVar

from nearkin.gallery.index.base import Vectors
from nearkin.gallery.index.encodings import GroupedEncoding
from nearkin.gallery.index.faiss_index import ANSWERS, ROW_BYTES, SCORE, faiss
from nearkin.gallery.index.kinds.ivf import NUMBER_BYTES, IvfIndex, cell_count, learn_cells
from nearkin.similarity import Metric

_GROUP = 2


class IvfPqIndex(IvfIndex):
    """4-bit codes of pairs of dimensions in cells; 20 candidates for each answer are scored exactly.

    Effort and setting: as of `IvfIndex`. Source: as of `PqIndex`.
    """

    kind: ClassVar[str] = "ivf-pq"
    when: ClassVar[str] = "memory matters: a third of the memory of `ivf`, up to three times its time on clusters"
    settings: ClassVar[tuple[int, ...]] = (1, 2)
    encodings: ClassVar[type] = GroupedEncoding

    @classmethod
    def empty(cls, vectors: Vectors, metric: Metric, setting: int, *, seed: int) -> "IvfPqIndex":
        encoding, cells = GroupedEncoding.of(vectors, _GROUP), cell_count(len(vectors), setting)
        groups = encoding.groups(vectors.shape[1])
        core = faiss().IndexIVFPQFastScan(
            faiss().IndexFlatL2(_GROUP * groups), _GROUP * groups, cells, groups, 4, faiss().METRIC_L2
        )
        # One table for all cells: tables of residuals, one a cell, are too coarse at 4 bits.
        core.by_residual = False
        core.pq.cp.seed, core.pq.cp.min_points_per_centroid = seed, 1
        learn_cells(core, vectors, encoding, seed)
        return cls(vectors, metric, core, encoding)

    @staticmethod
    def floor_bytes(dim: int) -> float:
        return -(-dim // _GROUP) / 2 + NUMBER_BYTES + ROW_BYTES

    def work(self, effort: int) -> float:
        codes = effort * self._core.ntotal / self._core.nlist
        return 2 * self._core.nlist + codes * self._core.pq.M / 170 + SCORE * self._depth(ANSWERS, effort)

    def _depth(self, k: int, effort: int) -> int:
        return 20 * max(k, ANSWERS)


KIND = IvfPqIndex
