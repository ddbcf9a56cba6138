"""What a faiss index holds of a vector: 8-bit integers, or groups of dimensions to be coded each by itself.

An encoding is a frozen dataclass of arrays, so that `vars` is what is saved. An encoding that only one kind uses is
in the file of that kind.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int, Shaped

_SAMPLE = 1 << 15


@runtime_checkable
class Encoding(Protocol):
    """Turns vectors into what the faiss index takes."""

    def __call__(self, vectors: Float[np.ndarray, "n dim"]) -> Shaped[np.ndarray, "n _"]: ...


@dataclass(frozen=True, eq=False)
class Int8Encoding:
    """x -> round((x - center) * scale), within -128..127; their distances order as the vectors' do."""

    center: Float[np.ndarray, " dim"]
    scale: Float[np.ndarray, ""]

    @staticmethod
    def of(vectors: Float[np.ndarray, "n dim"]) -> "Int8Encoding":
        """On a scale that clips one value in 100,000, so that a single outlier does not cost all others their bits."""
        sample = vectors[:: max(1, len(vectors) // _SAMPLE)]
        center = sample.mean(axis=0)
        most = np.quantile(np.abs(sample - center), 0.99999)
        return Int8Encoding(center, np.asarray(127 / most if most > 0 else 1, dtype=np.float32))

    def __call__(self, vectors: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, "n dim"]:
        whole = (vectors - self.center) * self.scale
        np.rint(whole, out=whole)
        return np.minimum(np.maximum(whole, -128, out=whole), 127, out=whole)


@dataclass(frozen=True, eq=False)
class GroupedEncoding:
    """Vectors minus their mean, padded with zeros so that the dimensions divide into groups of one size."""

    center: Float[np.ndarray, " dim"]
    size: Int[np.ndarray, ""]

    @staticmethod
    def of(vectors: Float[np.ndarray, "n dim"], size: int) -> "GroupedEncoding":
        """Groups of `size` dimensions."""
        return GroupedEncoding(vectors.mean(axis=0, dtype=np.float64).astype(np.float32), np.asarray(size))

    def groups(self, dim: int) -> int:
        """How many groups a vector has."""
        return -(-dim // int(self.size))

    def __call__(self, vectors: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, "n padded"]:
        dim = vectors.shape[1]
        return np.pad(vectors - self.center, ((0, 0), (0, self.groups(dim) * int(self.size) - dim)))
