"""Exact search: nothing is missed, and that is proved for each query (see `nearkin.similarity.certified`)."""

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Float

from nearkin.gallery.index.base import Found, Index, Vectors
from nearkin.similarity import CertifiedSearch, Codes, Metric
from nearkin.similarity.certified import GROUP


class ExactIndex(Index):
    """8-bit codes of all vectors, scanned; the few that may be among the best are scored exactly. Nothing is missed.

    Args:
        vectors, metric: see `Index`.
        codes: of the vectors, if they were saved; by default computed when first needed.

    Example:
        >>> index = ExactIndex(np.eye(2, dtype=np.float32))
        >>> scores, rows = index.search(np.array([[0.6, 0.8]], dtype=np.float32), k=1)
        >>> scores.tolist(), rows.tolist()
        ([[0.800000011920929]], [[1]])
    """

    kind: ClassVar[str] = "exact"
    when: ClassVar[str] = "nothing may be missed; the default"

    def __init__(self, vectors: Vectors, metric: Metric = "cosine", codes: Codes | None = None) -> None:
        super().__init__(vectors, metric)
        self._codes = codes

    @cached_property
    def _certified(self) -> CertifiedSearch:
        return CertifiedSearch(self.vectors, self.metric, self._codes)

    @staticmethod
    def floor_bytes(dim: int) -> float:
        # A code, half the squared length, and three bounds for each group.
        return dim + 8 + 3 * 8 / GROUP

    @property
    def exact(self) -> "ExactIndex":
        return self

    @property
    def setting(self) -> str:
        return "certified"

    @property
    def bytes_per_vector(self) -> float:
        return self._certified.codes.bytes / max(1, len(self))

    def search(
        self, queries: Float[np.ndarray, "q dim"], k: int, allowed: Bool[np.ndarray, " n"] | None = None
    ) -> Found:
        return self._certified(queries, k, allowed)

    def _write(self, path: Path) -> dict[str, Any]:
        for name, array in vars(self._certified.codes).items():
            np.save(path / f"{name}.npy", array)
        return {}

    @classmethod
    def _read(cls, path: Path, vectors: Vectors, header: dict[str, Any]) -> "ExactIndex":
        # The numbers stay in their file until they are read; "c": torch wants arrays that it might write to.
        codes = {name: np.asarray(np.load(path / f"{name}.npy", mmap_mode="c")) for name in Codes.__dataclass_fields__}
        return cls(vectors, header["metric"], Codes(**codes))


KIND = ExactIndex
