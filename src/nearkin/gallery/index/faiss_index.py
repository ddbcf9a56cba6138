"""What the kinds share that let faiss find candidates: exact scores, filters, files."""

from abc import abstractmethod
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Float, Int

from nearkin.gallery.index.base import Found, Index, Vectors
from nearkin.gallery.index.encodings import Encoding
from nearkin.gallery.index.kinds.exact import ExactIndex
from nearkin.similarity import Metric, rerank

FAISS, ORDER, ENCODING = "index.faiss", "order.npy", "encoding.npz"

# The effort of an index is meant for so many answers; more answers take more of it.
ANSWERS = 10
# The work of an exact score, of a vector somewhere in memory.
SCORE = 80.0
# Memory for the row of each vector.
ROW_BYTES = 8.0
# Up to so many allowed rows, scoring them all is as fast as searching.
_FEW = 1 << 13
# With a filter, a search that takes longer than this share of an exact one is replaced by that. Not where nearly all
# are allowed, as after deletions: the codes of an exact search take more memory than some kinds do.
_MOST_WORK, _NEARLY_ALL = 1.0, 0.9


def faiss() -> Any:
    """The library, loaded when first needed."""
    return import_module("faiss")


def search_core(core: Any, queries: np.ndarray, depth: int, parameters: Any) -> Int[np.ndarray, "q depth"]:
    """What a faiss index finds with its search parameters.

    `faiss.contrib.torch_utils`, which pytorch-metric-learning loads, replaces `search` by one that takes tensors and no
    parameters; the one that takes them is then `search_numpy`.
    """
    search = getattr(core, "search_numpy", core.search)
    return search(queries, depth, params=parameters)[1]


class FaissIndex(Index):
    """Candidates from a faiss index, scored exactly.

    How hard a search looks is one whole number, its effort: what that counts depends on the kind. The faiss
    index may hold the rows in another order, since those held out for tuning are added last.

    Args:
        vectors, metric: see `Index`.
        core: the faiss index.
        encoding: what it holds of a vector.
        order: the row of each vector that it holds.
        effort: for 10 answers.
    """

    settings: ClassVar[tuple[int, ...]] = (0,)  # to be tried; the fastest is taken
    efforts: ClassVar[tuple[int, ...]]  # to be tried with each, ascending
    encodings: ClassVar[type]

    def __init__(
        self,
        vectors: Vectors,
        metric: Metric,
        core: Any,
        encoding: Encoding,
        order: Int[np.ndarray, " m"] | None = None,
        effort: int | None = None,
    ) -> None:
        super().__init__(vectors, metric)
        self._core = core
        self._encoding = encoding
        # The last, -1, stands for a place of -1: no vector.
        self._order = np.array([-1]) if order is None else order
        self.effort = effort or self.efforts[0]
        self._exact = ExactIndex(vectors, metric)

    @property
    def exact(self) -> ExactIndex:
        return self._exact

    @classmethod
    @abstractmethod
    def empty(cls, vectors: Vectors, metric: Metric, setting: int, *, seed: int) -> "FaissIndex":
        """An index that has learned what it needs from the vectors, and holds none of them yet.

        Args:
            vectors, metric: see `Index`.
            setting: one of `settings`; what it counts depends on the kind.
            seed: random seed.
        """

    @abstractmethod
    def work(self, effort: int) -> float:
        """How long a search takes, in vectors that an exact search compares in that time: about 5 ns each.

        Estimated from timings made once, so that every machine and every run chooses the same.
        """

    def growth(self, times: float) -> float:
        """How many times as long a search takes among `times` as many vectors: `times`, unless it looks at few."""
        return times

    @abstractmethod
    def _nearest(self, queries: np.ndarray, depth: int, effort: int) -> Int[np.ndarray, "q depth"]:
        """The places of candidates of each encoded query in the faiss index, best first, -1 where fewer."""

    def _depth(self, k: int, effort: int) -> int:
        """Candidates that are scored exactly for k answers: the order by 8-bit codes is right but for near ties."""
        return k + k // 2 + 10

    def add(self, rows: Int[np.ndarray, " m"]) -> None:
        """Add these rows of the vectors to the faiss index."""
        for start in range(0, len(rows), 1 << 16):
            self._core.add(self._encoding(self.vectors[rows[start : start + (1 << 16)]]))
        self._order = np.concatenate([self._order[:-1], rows, self._order[-1:]])

    def search(
        self, queries: Float[np.ndarray, "q dim"], k: int, allowed: Bool[np.ndarray, " n"] | None = None
    ) -> Found:
        effort = -(-self.effort * max(k, ANSWERS) // ANSWERS)
        if allowed is None:
            rows = self._rows(queries, self._depth(k, effort), effort)
            return rerank(queries, self.vectors, rows, k, self.metric)
        return self._search_allowed(queries, k, effort, allowed)

    def _search_allowed(self, queries: np.ndarray, k: int, effort: int, allowed: np.ndarray) -> Found:
        """Look so much deeper that enough of what is found is allowed; search exactly where it is not, or is faster."""
        total = int(allowed.sum())
        share = total / len(allowed)
        # Room for chance: k of a random share are among the first needed / share for all but a few queries.
        wanted = k + 2 * k**0.5 + 2
        expected = self._depth(round(wanted), effort)
        depth, effort = (round(each / max(share, 1e-9)) for each in (expected, effort * wanted / k))
        if total <= max(k, _FEW) or (share < _NEARLY_ALL and self.work(effort) > _MOST_WORK * len(self)):
            return self.exact.search(queries, k, allowed)
        rows = self._rows(queries, depth, effort)
        by_chance = share * (rows >= 0).sum(axis=1)
        rows = np.where(allowed[rows], rows, -1)  # -1 stays -1, whether the last row is allowed or not
        scores, found = rerank(queries, self.vectors, rows, k, self.metric)
        # Fewer than by chance: what is allowed lies far from this query, where the order of candidates is coarse.
        short = (rows >= 0).sum(axis=1) < np.maximum(k, by_chance - 3 * by_chance**0.5)
        if short.any():
            scores[short], found[short] = self.exact.search(queries[short], k, allowed)
        return scores, found

    def _rows(self, queries: np.ndarray, depth: int, effort: int) -> Int[np.ndarray, "q m"]:
        return self._order[self._nearest(self._encoding(queries), min(depth, self._core.ntotal), effort)]

    @property
    def bytes_per_vector(self) -> float:
        return (self._core_bytes() + self._order.nbytes) / len(self)

    @abstractmethod
    def _core_bytes(self) -> int:
        """Memory of the faiss index."""

    def _write(self, path: Path) -> dict[str, Any]:
        self._write_core(self._core, str(path / FAISS))
        np.save(path / ORDER, self._order)
        np.savez(path / ENCODING, **vars(self._encoding))
        return {"effort": self.effort}

    @classmethod
    def _read(cls, path: Path, vectors: Vectors, header: dict[str, Any]) -> "FaissIndex":
        with np.load(path / ENCODING) as arrays:
            encoding = cls.encodings(**arrays)
        order = np.load(path / ORDER)
        return cls(vectors, header["metric"], cls._read_core(str(path / FAISS)), encoding, order, header["effort"])

    @staticmethod
    def _write_core(core: Any, path: str) -> None:
        faiss().write_index(core, path)

    @staticmethod
    def _read_core(path: str) -> Any:
        return faiss().read_index(path)
