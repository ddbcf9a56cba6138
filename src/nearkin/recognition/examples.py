"""Examples of classes: what a class is made of, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

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
        if ids.min(initial=0) < -1 or (count is not None and highest >= count):
            raise InvalidInput(
                f"class ids {ids.min()} to {highest}: expected -1 to {highest if count is None else count - 1}"
            )
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
    def members(self) -> "Examples":
        """Those that say what a class is."""
        return self.select(self.positive & (self.classes >= 0))

    def sizes(self) -> Int[np.ndarray, " classes"]:
        """Positive examples of each class."""
        return np.bincount(self.classes[self.positive & (self.classes >= 0)], minlength=self.count)
