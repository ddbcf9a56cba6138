"""Nearest neighbours: a class is each of its examples, and a picture is of it if it is near some of them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from nearkin.recognition.examples import Examples
from nearkin.recognition.scorer import NEVER, Fitted, Scorer, slope_and_offset
from nearkin.recognition.space import Space


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The examples of classes, each a class of one example; the classes in order."""

    space: Space
    seen: Float[np.ndarray, "n dim"]
    slopes: Float[np.ndarray, " n"]
    offsets: Float[np.ndarray, " n"]
    classes: Int[np.ndarray, " n"]
    count: int

    def scores(
        self, pictures: Float[np.ndarray, "q dim"], classes: Int[np.ndarray, " c"] | None = None
    ) -> Float[np.ndarray, "q c"]:
        some = slice(None) if classes is None else np.flatnonzero(np.isin(self.classes, classes))
        ratios = (self.space.seen(pictures) @ self.seen[some].T) * self.slopes[some] + self.offsets[some]
        found = mixture(ratios, self.classes[some], self.count)
        return found if classes is None else found[:, classes]

    def own_scores(self, examples: Examples, rows: Int[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        found = np.full(len(rows), NEVER)
        members = np.flatnonzero(examples.member)
        for place, row in enumerate(rows):
            others = members[(examples.classes[members] == examples.classes[row]) & (members != row)]
            if len(others):
                left = fit(examples.select(others), self.space)
                seen = self.space.examples(examples.select(rows[place : place + 1]))
                ratios = (seen @ left.seen.T) * left.slopes + left.offsets
                found[place] = mixture(ratios, np.zeros(len(others), np.int64), 1)[0, 0]
        return found

    def with_examples(self, examples: Examples, start: int) -> Fitted:
        added = fit(examples.select(np.arange(start, len(examples))), self.space)
        places = np.searchsorted(self.classes, added.classes, side="right")
        both = zip(self._columns(), added._columns(), strict=True)
        seen, slopes, offsets, classes = (np.insert(one, places, other, axis=0) for one, other in both)
        return Neighbours(self.space, seen, slopes, offsets, classes, examples.count)

    def _columns(self) -> tuple[np.ndarray, ...]:
        return self.seen, self.slopes, self.offsets, self.classes


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


def fit(examples: Examples, space: Space) -> Neighbours:
    """Examples of all classes."""
    chosen = examples.select(examples.member)
    order = np.argsort(chosen.classes, kind="stable")
    seen, weight = space.examples(chosen)[order].astype(np.float32), space.weight(chosen)[order]
    slopes, offsets = slope_and_offset(weight, np.ones(len(order)), space)
    return Neighbours(
        space, seen, slopes.astype(np.float32), offsets.astype(np.float32), chosen.classes[order], examples.count
    )


SCORER = Scorer("likeness to each example of a class, of which the nearest count most (k-NN)", fit)
