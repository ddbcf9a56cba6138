"""What every kind of index declares and offers."""

import json
from abc import ABC, abstractmethod
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Float, Int

from nearkin.errors import InvalidInput
from nearkin.intervals.figure import Figure
from nearkin.similarity import Metric

Found = tuple[Float[np.ndarray, "q k"], Int[np.ndarray, "q k"]]
Vectors = Float[np.ndarray, "n dim"]
HEADER = "index.json"
# Fewer vectors are searched exactly, whatever was asked for: nothing would be gained, and too little could be measured.
FEWEST_APPROXIMATE = 256


class Index(ABC):
    """Vectors that can be searched; made by `build`, or by `load` from a folder.

    The first line of a kind's docstring says what it is, in the docs too.

    Args:
        vectors: float32; a row is known by its number. They may lie in a memory-mapped file.
        metric: "cosine" is the dot product of unit vectors, "euclidean" minus the squared distance of any vectors.
    """

    kind: ClassVar[str]
    # "Choose it if ...", for the docs.
    when: ClassVar[str]
    # Whether "auto" tries this kind beside an exact search.
    in_auto: ClassVar[bool] = False
    metrics: ClassVar[tuple[Metric, ...]] = ("cosine", "euclidean")

    def __init__(self, vectors: Vectors, metric: Metric = "cosine") -> None:
        self.vectors = vectors
        self.metric = metric
        # The share of the true nearest neighbours that a search finds, for new queries; None: all, which is proved.
        self.recall: Figure | None = None
        self.build_seconds = 0.0

    def __len__(self) -> int:
        return len(self.vectors)

    @staticmethod
    @abstractmethod
    def floor_bytes(dim: int) -> float:
        """Bytes that an index of this kind takes at least for a vector of this dimension, besides the vector itself."""

    @property
    @abstractmethod
    def setting(self) -> str:
        """What was chosen when it was built, in words."""

    @property
    @abstractmethod
    def bytes_per_vector(self) -> float:
        """Memory of the index, without the vectors themselves, which may stay on disk."""

    @property
    @abstractmethod
    def exact(self) -> "Index":
        """An exact search of the same vectors."""

    @abstractmethod
    def search(
        self, queries: Float[np.ndarray, "q dim"], k: int, allowed: Bool[np.ndarray, " n"] | None = None
    ) -> Found:
        """The k nearest neighbours of each query, best first; of equal scores the lower row first.

        Args:
            queries: float32.
            k: how many neighbours, k >= 1.
            allowed: which rows may be found; all by default.

        Returns:
            Scores and rows `[q, k]`; where there are fewer, -inf and -1. Scores are exact, whatever the kind.
        """

    def hashes(self, vectors: Float[np.ndarray, "n dim"]) -> list[str]:
        """The hash of each vector as a string of 0 and 1, if this kind compares hashes.

        Raises:
            InvalidInput: this kind has none.
        """
        raise self._no_hashes()

    def buckets(self, length: int) -> dict[str, Int[np.ndarray, " size"]]:
        """The rows whose hashes share the first `length` bits, by these bits; the fullest bucket first.

        Raises:
            InvalidInput: this kind has no hashes.
        """
        raise self._no_hashes()

    def _no_hashes(self) -> InvalidInput:
        return InvalidInput(
            f"the index is of kind {self.kind} and has no hashes: build one with `nearkin gallery build --kind "
            f"lsh` (fewer than {FEWEST_APPROXIMATE} items are always searched exactly)"
        )

    def save(self, path: Path) -> None:
        """Write the index, without the vectors, into a folder that exists."""
        header = {
            "kind": self.kind,
            "metric": self.metric,
            "n": len(self),
            "recall": self.recall and asdict(self.recall),
            "build_seconds": self.build_seconds,
            "setting": self.setting,
            "bytes_per_vector": self.bytes_per_vector,
            **self._write(path),
        }
        (path / HEADER).write_text(json.dumps(header, indent=2) + "\n", encoding="utf-8")

    @abstractmethod
    def _write(self, path: Path) -> dict[str, Any]:
        """Write the files of this kind; returns what else belongs into the header."""

    @classmethod
    @abstractmethod
    def _read(cls, path: Path, vectors: Vectors, header: dict[str, Any]) -> "Index":
        """The index that `_write` wrote."""
