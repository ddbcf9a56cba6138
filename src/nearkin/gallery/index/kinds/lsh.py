"""Locality-sensitive hashing: on which side of random hyperplanes a vector lies, a bit for each.

The planes go through the mean m of the vectors. Two vectors x and y, at an angle a as seen from there (between x - m
and y - m), differ in a share a / pi of their bits, in the mean over all planes; so the Hamming distance of two hashes
tells that angle. It is the angle seen from the origin only where the mean is the origin. Embeddings of pictures lie in
a narrow cone around their mean: seen from the origin all angles are small, and planes through it would part few.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int, UInt8

from nearkin.gallery.index.base import Vectors
from nearkin.gallery.index.faiss_index import ROW_BYTES, SCORE, faiss
from nearkin.gallery.index.flat_codes import FlatCodesIndex
from nearkin.similarity import Metric


@dataclass(frozen=True, eq=False)
class Hyperplanes:
    """Random planes through the mean of the vectors; a bit is 1 on the side that a plane's normal points to."""

    center: Float[np.ndarray, " dim"]
    normals: Float[np.ndarray, "dim bits"]

    @staticmethod
    def of(vectors: Float[np.ndarray, "n dim"], bits: int, seed: int) -> "Hyperplanes":
        """Planes whose normals are drawn evenly from all directions."""
        normals = np.random.default_rng(seed).standard_normal((vectors.shape[1], bits), dtype=np.float32)
        return Hyperplanes(vectors.mean(axis=0, dtype=np.float64).astype(np.float32), normals)

    def __call__(self, vectors: Float[np.ndarray, "n dim"]) -> UInt8[np.ndarray, "n bytes"]:
        return np.packbits((vectors - self.center) @ self.normals > 0, axis=1)


class LshIndex(FlatCodesIndex):
    """Hashes of 128 to 512 bits by random hyperplanes, all compared by Hamming distance.

    Setting: bits of a hash.

    Source: Charikar 2002, Similarity estimation techniques from rounding algorithms.
    """

    kind: ClassVar[str] = "lsh"
    when: ClassVar[str] = "you want to look at hashes and buckets"
    settings: ClassVar[tuple[int, ...]] = (128, 256, 512)
    encodings: ClassVar[type] = Hyperplanes

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
        """The rows whose hashes share the first `length` bits, by these bits; the fullest bucket first.

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

    @staticmethod
    def floor_bytes(dim: int) -> float:
        return 128 / 8 + ROW_BYTES

    @property
    def setting(self) -> str:
        return f"{self._core.d} bits, {self.effort} scored exactly"

    def work(self, effort: int) -> float:
        return self._core.ntotal * self._core.d / 300 + SCORE * effort

    @staticmethod
    def _write_core(core: Any, path: str) -> None:
        faiss().write_index_binary(core, path)

    @staticmethod
    def _read_core(path: str) -> Any:
        return faiss().read_index_binary(path)


KIND = LshIndex
