"""What every kind of index offers."""

import json
from abc import ABC, abstractmethod
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Float, Int

from nearkin.intervals.bootstrap import Figure
from nearkin.similarity import Metric

Found = tuple[Float[np.ndarray, "q k"], Int[np.ndarray, "q k"]]
Vectors = Float[np.ndarray, "n dim"]
HEADER = "index.json"


class Index(ABC):
    """Vectors that can be searched; made by `build`, or by `load` from a folder.

    Args:
        vectors: float32; rows are known by their numbers. They may lie in a memory-mapped file.
        metric: "cosine" scores unit vectors by the dot product, "euclidean" any vectors by minus the squared distance.
    """

    kind: ClassVar[str]

    def __init__(self, vectors: Vectors, metric: Metric = "cosine") -> None:
        self.vectors = vectors
        self.metric = metric
        # The share of the true k best that a search finds, measured on vectors held out; None: all, certainly.
        self.recall: Figure | None = None
        self.build_seconds = 0.0

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    @abstractmethod
    def setting(self) -> str:
        """What was chosen for it, to be shown to people."""

    @property
    @abstractmethod
    def bytes_per_vector(self) -> float:
        """Memory that the index takes beside the vectors themselves, which may stay on disk."""

    @abstractmethod
    def search(
        self, queries: Float[np.ndarray, "q dim"], k: int, allowed: Bool[np.ndarray, " n"] | None = None
    ) -> Found:
        """The k vectors most alike to each query, best first; of equal scores the lower row first.

        Args:
            queries: float32.
            k: answers wanted, k >= 1.
            allowed: which rows may be answers; all by default.

        Returns:
            Scores and rows `[q, k]`; where fewer answers exist, -inf and -1. Scores are exact, whatever the kind.
        """

    def save(self, path: Path) -> None:
        """Write the index, without the vectors, into a folder that exists."""
        header = {
            "kind": self.kind,
            "metric": self.metric,
            "n": len(self),
            "recall": self.recall and asdict(self.recall),
            "build_seconds": self.build_seconds,
            **self._write(path),
        }
        (path / HEADER).write_text(json.dumps(header, indent=2) + "\n", encoding="utf-8")

    @abstractmethod
    def _write(self, path: Path) -> dict[str, Any]:
        """Write the files of this kind; returns what the header shall hold besides."""

    @classmethod
    @abstractmethod
    def _read(cls, path: Path, vectors: Vectors, header: dict[str, Any]) -> "Index":
        """The index that `_write` wrote."""
