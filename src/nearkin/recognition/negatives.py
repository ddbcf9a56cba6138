"""What "not this one" does to scores: a class ends where its rejected pictures begin.

A score weighs a class against a stranger. With a rejected picture there is a third that it could be: one of whatever
that picture shows. The score then weighs the class against either, so it falls near the rejected picture and nowhere
else. Pictures that are to get no name at all (ignored strangers) do so with every class.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from nearkin.recognition.examples import Examples
from nearkin.recognition.scorer import NEVER, slope_and_offset
from nearkin.recognition.space import Space

# A copy differs from its picture by less than this part of what two pictures of a class differ by.
COPY = 0.05


@dataclass(frozen=True, eq=False)
class Negatives:
    """Rejected pictures of classes, and ignored ones of none.

    Args:
        space: of the classes.
        rejected: pictures as seen from the centre, of `classes`.
        classes: that each is not of.
        ignored: pictures as seen from the centre that get no name.
    """

    space: Space
    rejected: Float[np.ndarray, "m dim"]
    classes: np.ndarray
    ignored: Float[np.ndarray, "k dim"]

    @staticmethod
    def of(examples: Examples, space: Space) -> "Negatives":
        """Those among the examples that are no positive ones."""
        rejected = examples.select(~examples.positive & (examples.classes >= 0))
        ignored = examples.select(examples.classes < 0)
        return Negatives(space, space.examples(rejected), rejected.classes, space.examples(ignored))

    def lower(
        self, scores: Float[np.ndarray, "q classes"], pictures: Float[np.ndarray, "q dim"]
    ) -> Bool[np.ndarray, " q"]:
        """Lower the scores of pictures in place; a near copy of a negative has NEVER.

        Returns:
            Which of the pictures are near copies of ignored ones.
        """
        ignored = np.zeros(len(pictures), bool)
        if not len(self.rejected) and not len(self.ignored):
            return ignored
        seen = self.space.seen(pictures)
        if len(self.ignored):
            nearest = (seen @ self.ignored.T).max(axis=1)
            scores -= self._penalty(nearest)[:, None]
            ignored = nearest >= self.copy
            scores[ignored] = NEVER
        if len(self.rejected):
            dots = seen @ self.rejected.T
            order = np.argsort(self.classes, kind="stable")
            classes, starts = np.unique(self.classes[order], return_index=True)
            nearest = np.maximum.reduceat(dots[:, order], starts, axis=1)
            lowered = scores[:, classes] - self._penalty(nearest)
            scores[:, classes] = np.where(nearest >= self.copy, NEVER, lowered)
        return ignored

    @property
    def copy(self) -> float:
        """The cosine, seen from the centre, from which on two pictures are near copies of each other."""
        return 1 - COPY * (1 - self.space.same)

    def _penalty(self, cosines: np.ndarray) -> np.ndarray:
        slope, offset = slope_and_offset(np.ones(1), np.ones(1), self.space)
        return np.logaddexp(0, slope[0] * cosines + offset[0]).astype(np.float32)
