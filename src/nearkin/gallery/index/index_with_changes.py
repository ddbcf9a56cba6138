"""An index and what has changed since it was built: deleted vectors are masked, new ones are searched beside it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from nearkin.arrays import check_count
from nearkin.gallery.index import ExactIndex, Found, Index


@dataclass(frozen=True, eq=False)
class IndexWithChanges:
    """The items of one version, by an index that may have been built from an older one.

    Args:
        index: its vectors are in the order of their items' ids.
        rows: for each vector of the index the row of its item now, -1 where the item is deleted or has another vector.
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
        """Items deleted and added since the index was built, as a share of those that it was built from."""
        return (np.count_nonzero(self.rows < 0) + len(self.new_rows)) / max(1, len(self.rows))

    def vectors(self, rows: Int[np.ndarray, " m"]) -> Float[np.ndarray, "m dim"]:
        """Vectors of some items."""
        position = np.empty(len(self), dtype=np.int64)
        there = np.flatnonzero(self.rows >= 0)
        position[self.rows[there]] = there
        position[self.new_rows] = len(self.rows) + np.arange(len(self.new_rows))
        asked, old = position[rows], len(self.rows)
        vectors = np.empty((len(asked), self.index.vectors.shape[1]), dtype=np.float32)
        vectors[asked < old] = self.index.vectors[asked[asked < old]]
        vectors[asked >= old] = self.new.vectors[asked[asked >= old] - old]
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
            more, which = self.new.search(queries, k, also)
            scores = np.concatenate([scores, more], axis=1)
            found = np.concatenate([found, _renumbered(which, self.new_rows)], axis=1)
            best = np.lexsort((self.ids[found], -scores), axis=1)[:, :k]
            scores, found = np.take_along_axis(scores, best, axis=1), np.take_along_axis(found, best, axis=1)
        return scores, found

    def buckets(self, length: int) -> dict[str, Int[np.ndarray, " size"]]:
        """Rows of the items now whose hashes share the first `length` bits, by these bits; the fullest bucket first.

        Raises:
            InvalidInput: the index has no hashes, or hashes of fewer bits.
        """
        bits = len(self.index.hashes(self.index.vectors[:1])[0])
        length = check_count(length, "bits", most=bits)
        now = {prefix: self.rows[rows] for prefix, rows in self.index.buckets(length).items()}
        members = {prefix: rows[rows >= 0].tolist() for prefix, rows in now.items()}
        for row, hash_ in zip(self.new_rows.tolist(), self.index.hashes(self.new.vectors), strict=True):
            members.setdefault(hash_[:length], []).append(row)
        full = {prefix: np.array(rows) for prefix, rows in members.items() if rows}
        return dict(sorted(full.items(), key=lambda bucket: (-len(bucket[1]), bucket[0])))

    @cached_property
    def _there(self) -> Bool[np.ndarray, " old"] | None:
        """Which vectors of the index still belong to an item; None: all."""
        there = self.rows >= 0
        return None if there.all() else there

    @cached_property
    def _in_order(self) -> bool:
        return bool((self.rows == np.arange(len(self.rows))).all())

    def _among(self, allowed: Bool[np.ndarray, " n"]) -> Bool[np.ndarray, " old"]:
        """Which vectors of the index belong to an allowed item."""
        if self._in_order:
            return allowed[: len(self.rows)]
        return np.append(allowed, False)[self.rows]  # row -1 is the last


def match_items(
    old_ids: Int[np.ndarray, " old"],
    old_marks: Int[np.ndarray, " old"],
    ids: Int[np.ndarray, " n"],
    marks: Int[np.ndarray, " n"],
) -> tuple[Int[np.ndarray, " old"], Int[np.ndarray, " new"]]:
    """For each old item its row now, -1 where its id is gone or its mark has changed; and the rows of new items.

    Args:
        old_ids, old_marks: of the old items, ids ascending. A mark is a number that changes when the vector does.
        ids, marks: of the items now, row by row.

    Example:
        >>> rows, new = match_items(np.array([1, 2, 5]), np.zeros(3, int), np.array([7, 5, 2]), np.array([0, 0, 9]))
        >>> rows.tolist(), new.tolist()
        ([-1, -1, 1], [2, 0])
    """
    order = np.argsort(ids, kind="stable")
    position = np.searchsorted(ids, old_ids, sorter=order)
    rows = np.full(len(old_ids), -1, dtype=np.int64)
    if len(ids):
        candidate = order[np.minimum(position, len(ids) - 1)]
        same = (ids[candidate] == old_ids) & (marks[candidate] == old_marks)
        rows[same] = candidate[same]
    known = np.zeros(len(ids), dtype=bool)
    known[rows[rows >= 0]] = True
    return rows, order[~known[order]]


def _renumbered(positions: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.where(positions >= 0, rows[positions], -1) if len(rows) else positions
