"""Classes of several parts, each with a mean: what nearest neighbours and several looks have in common."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float, Int

from nearkin.recognition.examples import Examples
from nearkin.recognition.scorer import NEVER
from nearkin.recognition.space import Space


@dataclass(frozen=True, eq=False)
class Parts:
    """The parts of each class, those of a class side by side; a class's likelihood is the mean of its parts'.

    Args:
        space: of the examples.
        means: of the parts, seen from the centre.
        slopes, offsets: that make log likelihood ratios of dot products; see `slope_and_offset`.
        classes: of the parts, in order.
        count: of classes.
    """

    space: Space
    means: Float[np.ndarray, "parts dim"]
    slopes: Float[np.ndarray, " parts"]
    offsets: Float[np.ndarray, " parts"]
    classes: Int[np.ndarray, " parts"]
    count: int

    def scores(
        self, pictures: Float[np.ndarray, "q dim"], classes: Int[np.ndarray, " c"] | None = None
    ) -> Float[np.ndarray, "q c"]:
        some = slice(None) if classes is None else np.flatnonzero(np.isin(self.classes, classes))
        ratios = (self.space.seen(pictures) @ self.means[some].T) * self.slopes[some] + self.offsets[some]
        found = mixture(ratios, self.classes[some], self.count)
        return found if classes is None else found[:, classes]

    def columns(self) -> tuple[np.ndarray, ...]:
        """What there is of each part."""
        return tuple(getattr(self, one.name) for one in fields(self) if one.name not in ("space", "count"))


def own_scores(
    fit: Callable[[Examples, Space], Parts], space: Space, examples: Examples, rows: Int[np.ndarray, " m"]
) -> Float[np.ndarray, " m"]:
    """Of some of the examples the score of their class without them, fitted anew; NEVER if none is left."""
    found = np.full(len(rows), NEVER)
    members = np.flatnonzero(examples.member)
    for place, row in enumerate(rows):
        others = members[(examples.classes[members] == examples.classes[row]) & (members != row)]
        if len(others):
            left = fit(examples.select(others), space)
            seen = space.examples(examples.select(rows[place : place + 1]))
            ratios = (seen @ left.means.T) * left.slopes + left.offsets
            found[place] = mixture(ratios, np.zeros(len(left.classes), np.int64), 1)[0, 0]
    return found


def mixture(ratios: Float[np.ndarray, "q n"], classes: Int[np.ndarray, " n"], count: int) -> Float[np.ndarray, "q c"]:
    """The log of the mean likelihood ratio over the parts of each class, those of a class side by side.

    Example:
        >>> mixture(np.log([[1.0, 3.0, 5.0]]), np.array([0, 0, 2]), 3)[0, [0, 2]].round(3).tolist()
        [0.693, 1.609]
    """
    found = np.full((len(ratios), count), NEVER, ratios.dtype)
    if len(classes):
        some, starts = np.unique(classes, return_index=True)
        sizes = np.diff(np.append(starts, len(classes)))
        most = np.maximum.reduceat(ratios, starts, axis=1)
        shares = np.add.reduceat(np.exp(ratios - np.repeat(most, sizes, axis=1)), starts, axis=1)
        found[:, some] = most + np.log(shares / sizes)
    return found
