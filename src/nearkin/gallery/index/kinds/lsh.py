"""Locality-sensitive hashing: which side of random hyperplanes a vector lies on, a bit for each.

Two vectors at an angle a differ in a share a / pi of the bits, so the Hamming distance of the hashes tells the angle.
"""

from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int

from nearkin.gallery.index.base import Vectors
from nearkin.gallery.index.codes import Hyperplanes
from nearkin.gallery.index.faiss_index import SCORE, faiss
from nearkin.gallery.index.flat_codes import FlatCodesIndex
from nearkin.similarity import Metric


class LshIndex(FlatCodesIndex):
    """Hashes by random hyperplanes, all compared. Setting: bits of a hash.

    Source: Charikar 2002, Similarity estimation techniques from rounding algorithms.
    """

    kind: ClassVar[str] = "lsh"
    settings: ClassVar[tuple[int, ...]] = (128, 256, 512)
    encodings: ClassVar[type] = Hyperplanes
    binary: ClassVar[bool] = True

    @classmethod
    def empty(cls, vectors: Vectors, metric: Metric, setting: int, *, seed: int) -> "LshIndex":
        return cls(vectors, metric, faiss().IndexBinaryFlat(setting), Hyperplanes.of(vectors, setting, seed))

    def hashes(self, vectors: Float[np.ndarray, "n dim"]) -> list[str]:
        """The hash of each vector as a string of 0 and 1.

        Example:
            >>> index = LshIndex.empty(np.eye(2, dtype=np.float32), "cosine", 256, seed=0)
            >>> len(index.hashes(index.vectors)[0])
            256
        """
        return ["".join(map(str, bits)) for bits in np.unpackbits(self._encoding(vectors), axis=1).tolist()]

    def buckets(self, length: int) -> dict[str, Int[np.ndarray, " size"]]:
        """The rows whose hashes begin alike, by the first `length` bits; the fullest bucket first.

        Example:
            >>> index = LshIndex.empty(np.eye(2, dtype=np.float32), "cosine", 256, seed=0)
            >>> index.add(np.arange(2))
            >>> buckets = index.buckets(256)
            >>> sorted(np.concatenate(list(buckets.values())).tolist()), {len(prefix) for prefix in buckets}
            ([0, 1], {256})
        """
        codes = faiss().vector_to_array(self._core.xb).reshape(self._core.ntotal, -1)
        bits = np.unpackbits(codes, axis=1, count=length)
        prefixes, bucket = np.unique(bits, axis=0, return_inverse=True)
        members = np.argsort(bucket, kind="stable")
        parts = np.split(self._order[members], np.cumsum(np.bincount(bucket, minlength=len(prefixes)))[:-1])
        named = zip(("".join(map(str, prefix)) for prefix in prefixes.tolist()), map(np.sort, parts), strict=True)
        return dict(sorted(named, key=lambda item: -len(item[1])))

    @property
    def setting(self) -> str:
        return f"{self._core.d} bits, {self.effort} scored exactly"

    def work(self, effort: int) -> float:
        return self._core.ntotal * self._core.d / 300 + SCORE * effort
