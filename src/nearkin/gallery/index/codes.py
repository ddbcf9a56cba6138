"""What a faiss index holds of a vector: whole numbers of 8 bits, codes of groups of its numbers, or a hash."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

_SAMPLE = 1 << 15


@dataclass(frozen=True, eq=False)
class WholeNumbers:
    """x -> round((x - center) * scale), within -128..127; distances between these order as those between vectors."""

    center: Float[np.ndarray, " dim"]
    scale: Float[np.ndarray, ""]

    @staticmethod
    def of(vectors: Float[np.ndarray, "n dim"]) -> "WholeNumbers":
        """On a scale that cuts off one number in 100,000: a single great one shall not cost all others their bits."""
        sample = vectors[:: max(1, len(vectors) // _SAMPLE)]
        center = sample.mean(axis=0)
        most = np.quantile(np.abs(sample - center), 0.99999)
        return WholeNumbers(center, np.asarray(127 / most if most > 0 else 1, dtype=np.float32))

    def __call__(self, vectors: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, "n dim"]:
        whole = (vectors - self.center) * self.scale
        np.rint(whole, out=whole)
        return np.minimum(np.maximum(whole, -128, out=whole), 127, out=whole)


@dataclass(frozen=True, eq=False)
class WholeGroups:
    """Less the middle of all, with zeros at the end, so that the numbers part into groups of one size."""

    center: Float[np.ndarray, " dim"]
    size: Int[np.ndarray, ""]

    @staticmethod
    def of(vectors: Float[np.ndarray, "n dim"], size: int) -> "WholeGroups":
        """Groups of so many numbers."""
        return WholeGroups(vectors.mean(axis=0, dtype=np.float64).astype(np.float32), np.asarray(size))

    def groups(self, dim: int) -> int:
        """How many there are in a vector."""
        return -(-dim // int(self.size))

    def __call__(self, vectors: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, "n padded"]:
        dim = vectors.shape[1]
        return np.pad(vectors - self.center, ((0, 0), (0, self.groups(dim) * int(self.size) - dim)))


@dataclass(frozen=True, eq=False)
class Hyperplanes:
    """Random planes through the middle of the vectors; a bit is 1 on the side that a plane's normal points to."""

    center: Float[np.ndarray, " dim"]
    normals: Float[np.ndarray, "dim bits"]

    @staticmethod
    def of(vectors: Float[np.ndarray, "n dim"], bits: int, seed: int) -> "Hyperplanes":
        """Planes with normals drawn evenly from all directions."""
        normals = np.random.default_rng(seed).standard_normal((vectors.shape[1], bits), dtype=np.float32)
        return Hyperplanes(vectors.mean(axis=0, dtype=np.float64).astype(np.float32), normals)

    def __call__(self, vectors: Float[np.ndarray, "n dim"]) -> UInt8[np.ndarray, "n bytes"]:
        return np.packbits((vectors - self.center) @ self.normals > 0, axis=1)


Encoding = WholeNumbers | WholeGroups | Hyperplanes
