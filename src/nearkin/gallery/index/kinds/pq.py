"""Product quantization: a vector is split into groups of dimensions, and each is coded by the nearest of 16 centres."""

from typing import ClassVar

import numpy as np

from nearkin.gallery.index.base import Vectors
from nearkin.gallery.index.encodings import GroupedEncoding
from nearkin.gallery.index.faiss_index import ROW_BYTES, SCORE, faiss
from nearkin.gallery.index.flat_codes import FlatCodesIndex
from nearkin.similarity import Metric

# Vectors that the codes are learned from.
_SAMPLE = 1 << 16


class PqIndex(FlatCodesIndex):
    """4-bit codes of groups of 4 or 2 dimensions, all compared with lookup tables that fit in CPU registers.

    Setting: dimensions of a group.

    Source: Jégou et al. 2011, Product quantization for nearest neighbor search; the tables in registers: André et al.
    2015, Cache locality is not enough.
    """

    kind: ClassVar[str] = "pq"
    when: ClassVar[str] = "memory matters most, or the vectors form no clusters: the fastest there"
    in_auto: ClassVar[bool] = True
    settings: ClassVar[tuple[int, ...]] = (4, 2)
    encodings: ClassVar[type] = GroupedEncoding

    @classmethod
    def empty(cls, vectors: Vectors, metric: Metric, setting: int, *, seed: int) -> "PqIndex":
        encoding = GroupedEncoding.of(vectors, setting)
        groups = encoding.groups(vectors.shape[1])
        core = faiss().IndexPQFastScan(groups * setting, groups, 4, faiss().METRIC_L2)
        core.pq.cp.seed, core.pq.cp.min_points_per_centroid = seed, 1
        sample = np.random.default_rng(seed).permutation(len(vectors))[:_SAMPLE]
        core.train(encoding(vectors[np.sort(sample)]))
        return cls(vectors, metric, core, encoding)

    @staticmethod
    def floor_bytes(dim: int) -> float:
        return -(-dim // 4) / 2 + ROW_BYTES

    @property
    def setting(self) -> str:
        return f"{self._core.M} codes of 4 bits, {self.effort} scored exactly"

    def work(self, effort: int) -> float:
        return self._core.ntotal * self._core.M / 170 + SCORE * effort


KIND = PqIndex
