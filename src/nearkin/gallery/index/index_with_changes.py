"""An index that follows its items: what is gone is masked, what is new is searched beside it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from nearkin.gallery.index import ExactIndex, Found, Index


@dataclass(frozen=True, eq=False)
class IndexWithChanges:
    """The items of one version, by an index that may have been built from an older one.

    Args:
        index: its vectors are in the order of their items' ids.
        rows: for each vector of the index the row of its item now, -1 where the item is gone or has another vector.
        ids: of all items now, row by row.
        new_rows: rows of the items that the index does not hold, in the order of their ids.
        new: an index of these.
    """

    index: Index
    rows: Int[np.ndarray, " old"]
    ids: Int[np.ndarray, " n"]
    new_rows: Int[np.ndarray, " new"]
    new: ExactIndex

    @staticmethod
    def of(index: Index, rows: Int[np.ndarray, " n"], ids: Int[np.ndarray, " n"]) -> "IndexWithChanges":
        """An index that was built from these very items."""
        empty = np.empty((0, index.vectors.shape[1]), dtype=np.float32)
        return IndexWithChanges(index, rows, ids, np.empty(0, dtype=np.int64), ExactIndex(empty, index.metric))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def changed(self) -> float:
        """Items gone and new since the index was built, as a share of those that it was built from."""
        return (np.count_nonzero(self.rows < 0) + len(self.new_rows)) / max(1, len(self.rows))

    def vectors(self, rows: Int[np.ndarray, " m"]) -> Float[np.ndarray, "m dim"]:
        """Of some items."""
        place = np.empty(len(self), dtype=np.int64)
        there = np.flatnonzero(self.rows >= 0)
        place[self.rows[there]] = there
        place[self.new_rows] = len(self.rows) + np.arange(len(self.new_rows))
        wanted, old = place[rows], len(self.rows)
        vectors = np.empty((len(wanted), self.index.vectors.shape[1]), dtype=np.float32)
        vectors[wanted < old] = self.index.vectors[wanted[wanted < old]]
        vectors[wanted >= old] = self.new.vectors[wanted[wanted >= old] - old]
        return vectors

    def search(
        self, queries: Float[np.ndarray, "q dim"], k: int, allowed: Bool[np.ndarray, " n"] | None = None
    ) -> Found:
        """As `Index.search`, by rows of the items now; of equal scores the lower id comes first."""
        mask = self._there if allowed is None else self._among(allowed)
        scores, found = self.index.search(queries, k, mask)
        if not self._in_order:
            found = _renumbered(found, self.rows)
        if len(self.new_rows):
            also = None if allowed is None else allowed[self.new_rows]
            more, where = self.new.search(queries, k, also)
            scores = np.concatenate([scores, more], axis=1)
            found = np.concatenate([found, _renumbered(where, self.new_rows)], axis=1)
            best = np.lexsort((self.ids[found], -scores), axis=1)[:, :k]
            scores, found = np.take_along_axis(scores, best, axis=1), np.take_along_axis(found, best, axis=1)
        return scores, found

    @cached_property
    def _there(self) -> Bool[np.ndarray, " old"] | None:
        """Which vectors of the index are an item's; None: all."""
        there = self.rows >= 0
        return None if there.all() else there

    @cached_property
    def _in_order(self) -> bool:
        return bool((self.rows == np.arange(len(self.rows))).all())

    def _among(self, allowed: Bool[np.ndarray, " n"]) -> Bool[np.ndarray, " old"]:
        """Which vectors of the index are an allowed item's."""
        if self._in_order:
            return allowed[: len(self.rows)]
        return np.append(allowed, False)[self.rows]  # row -1 is the last


def matched(
    ids: Int[np.ndarray, " old"],
    marks: Int[np.ndarray, " old"],
    now: Int[np.ndarray, " n"],
    marked: Int[np.ndarray, " n"],
) -> tuple[Int[np.ndarray, " old"], Int[np.ndarray, " new"]]:
    """Where items went: for each old one its row now, -1 where its id is gone or its mark is another; and the new rows.

    Args:
        ids, marks: of the old items, ids ascending.
        now, marked: ids and marks of the items now, row by row.

    Example:
        >>> rows, new = matched(np.array([1, 2, 5]), np.array([0, 0, 0]), np.array([7, 5, 2]), np.array([0, 0, 9]))
        >>> rows.tolist(), new.tolist()
        ([-1, -1, 1], [2, 0])
    """
    order = np.argsort(now, kind="stable")
    place = np.searchsorted(now, ids, sorter=order)
    rows = np.full(len(ids), -1, dtype=np.int64)
    if len(now):
        candidate = order[np.minimum(place, len(now) - 1)]
        same = (now[candidate] == ids) & (marked[candidate] == marks)
        rows[same] = candidate[same]
    known = np.zeros(len(now), dtype=bool)
    known[rows[rows >= 0]] = True
    return rows, order[~known[order]]


def _renumbered(places: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.where(places >= 0, rows[places], -1) if len(rows) else places
