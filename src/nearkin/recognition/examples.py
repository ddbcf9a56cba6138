"""Examples of classes: what a class is made of, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from threading import Lock

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float, Int

from nearkin.arrays import as_unit_vectors
from nearkin.errors import InvalidInput


class Kind(IntEnum):
    """What an example was made from."""

    PICTURE = 0
    TEXT = 1
    ATTRIBUTES = 2
    VECTOR = 3


@dataclass(frozen=True, eq=False)
class Examples:
    """Examples in the order in which they were given.

    Args:
        vectors: unit length.
        classes: class ids, 0 to `count` - 1; -1 of pictures that belong to no class (ignored strangers).
        kinds: of each, as `Kind`.
        positive: False of one that says "not this class".
        count: of classes; some may have no example.
    """

    vectors: Float[np.ndarray, "n dim"]
    classes: Int[np.ndarray, " n"]
    kinds: Int[np.ndarray, " n"]
    positive: Bool[np.ndarray, " n"]
    count: int
    _room: "_Room | None" = field(default=None, repr=False)

    @staticmethod
    def of(
        vectors: npt.ArrayLike,
        classes: Sequence[int] | Int[np.ndarray, " n"],
        *,
        kinds: Sequence[int] | Int[np.ndarray, " n"] | None = None,
        positive: Sequence[bool] | Bool[np.ndarray, " n"] | None = None,
        count: int | None = None,
    ) -> "Examples":
        """Checked examples; all are pictures and positive by default.

        Raises:
            InvalidInput: lengths that differ, NaN, or a class id out of range.

        Example:
            >>> Examples.of([[1.0, 0.0], [0.0, 2.0]], [0, 1]).count
            2
        """
        unit = as_unit_vectors(vectors, "vectors")
        ids = np.asarray(classes, dtype=np.int64)
        if ids.shape != (len(unit),):
            raise InvalidInput(f"{len(unit)} vectors with classes of shape {ids.shape}: expected one class for each")
        highest = int(ids.max(initial=-1))
        most = max(highest, 0) if count is None else count - 1
        if ids.min(initial=0) < -1 or highest > most:
            raise InvalidInput(f"class ids {ids.min()} to {ids.max()}: expected -1 to {most}")
        return Examples(
            unit,
            ids,
            np.zeros(len(unit), np.int64) if kinds is None else np.asarray(kinds, np.int64),
            np.ones(len(unit), bool) if positive is None else np.asarray(positive, bool),
            highest + 1 if count is None else count,
        )

    def __len__(self) -> int:
        return len(self.vectors)

    def select(self, rows: Bool[np.ndarray, " n"] | Int[np.ndarray, " m"]) -> "Examples":
        """Some of them, of as many classes."""
        return Examples(self.vectors[rows], self.classes[rows], self.kinds[rows], self.positive[rows], self.count)

    @property
    def member(self) -> Bool[np.ndarray, " n"]:
        """Which say what a class is: positive, and of a class."""
        return self.positive & (self.classes >= 0)

    @property
    def picture(self) -> Bool[np.ndarray, " n"]:
        """Which lie where pictures do."""
        return (self.kinds == Kind.PICTURE) | (self.kinds == Kind.VECTOR)

    def sizes(self) -> Int[np.ndarray, " classes"]:
        """Positive examples of each class."""
        return np.bincount(self.classes[self.member], minlength=self.count)

    def joined(self, more: "Examples") -> "Examples":
        """These and then others, which may be of further classes; these stay as they are.

        Room is kept for later ones, so that adding one does not copy all.

        Example:
            >>> Examples.of([[1.0, 0.0]], [0]).joined(Examples.of([[0.0, 1.0]], [3])).count
            4
        """
        total, room = len(self) + len(more), self._room
        if room is None or not room.take(len(self), len(more)):
            room = _Room(self._columns(), total)
        for buffer, rows in zip(room.buffers, more._columns(), strict=True):
            buffer[len(self) : total] = rows
        vectors, classes, kinds, positive = (buffer[:total] for buffer in room.buffers)
        return Examples(vectors, classes, kinds, positive, max(self.count, more.count), room)

    def _columns(self) -> tuple[np.ndarray, ...]:
        return self.vectors, self.classes, self.kinds, self.positive


class _Room:
    """Arrays with room for further rows, which whoever comes first may fill."""

    def __init__(self, columns: tuple[np.ndarray, ...], used: int) -> None:
        self.used, self.lock = used, Lock()
        self.buffers = tuple(np.empty((used + used // 4 + 16, *one.shape[1:]), one.dtype) for one in columns)
        for buffer, rows in zip(self.buffers, columns, strict=True):
            buffer[: len(rows)] = rows

    def take(self, start: int, more: int) -> bool:
        """Whether rows from `start` on are free, which then are taken."""
        with self.lock:
            free = self.used == start and start + more <= len(self.buffers[0])
            if free:
                self.used += more
            return free


def sums_of_classes(
    rows: Float[np.ndarray, "n dim"], classes: Int[np.ndarray, " n"], count: int
) -> Float[np.ndarray, "count dim"]:
    """The sum of the rows of each class.

    Example:
        >>> sums_of_classes(np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]]), np.array([1, 0, 1]), 3).tolist()
        [[0.0, 1.0], [3.0, 0.0], [0.0, 0.0]]
    """
    from scipy.sparse import csr_matrix

    members = csr_matrix((np.ones(len(rows), rows.dtype), (classes, np.arange(len(rows)))), shape=(count, len(rows)))
    return np.asarray(members @ rows)
