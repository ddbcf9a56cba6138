"""Prototype: a class is the mean of its examples, drawn towards the centre where they are few."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from nearkin.recognition.examples import Examples, sums_of_classes
from nearkin.recognition.scorer import NEVER, Scorer, slope_and_offset
from nearkin.recognition.space import Space


@dataclass(frozen=True, eq=False)
class Prototypes:
    """Weighted sums of the examples of each class, seen from the centre, and what a score is made of them."""

    space: Space
    sums: Float[np.ndarray, "classes dim"]
    weights: Float[np.ndarray, " classes"]
    directions: Float[np.ndarray, "classes dim"]
    offsets: Float[np.ndarray, " classes"]

    @property
    def count(self) -> int:
        return len(self.sums)

    def scores(
        self, pictures: Float[np.ndarray, "q dim"], classes: Int[np.ndarray, " c"] | None = None
    ) -> Float[np.ndarray, "q c"]:
        some = slice(None) if classes is None else classes
        found: np.ndarray = self.space.seen(pictures) @ self.directions[some].T
        found += self.offsets[some]
        return found

    def own_scores(self, examples: Examples, rows: Int[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        chosen = examples.select(rows)
        seen, weight, own = self.space.examples(chosen), self.space.weight(chosen), chosen.classes
        left = self.weights[own] - weight
        directions, offsets = _directions(self.sums[own] - weight[:, None] * seen, left, self.space)
        return np.einsum("nd,nd->n", seen, directions) + offsets

    def with_examples(self, examples: Examples, start: int) -> "Prototypes":
        added = examples.select(np.arange(start, len(examples)))
        seen, weight = self.space.examples(added), self.space.weight(added)
        room = max(0, examples.count - self.count)
        sums = np.concatenate([self.sums, np.zeros((room, self.sums.shape[1]), np.float32)])
        weights, offsets = (
            np.concatenate([one, np.full(room, empty, np.float32)])
            for one, empty in ((self.weights, 0), (self.offsets, NEVER))
        )
        directions = np.concatenate([self.directions, np.zeros((room, self.sums.shape[1]), np.float32)])
        np.add.at(sums, added.classes, weight[:, None] * seen)
        np.add.at(weights, added.classes, weight)
        changed = np.unique(added.classes)
        directions[changed], offsets[changed] = _directions(sums[changed], weights[changed], self.space)
        return Prototypes(self.space, sums, weights, directions, offsets)


def fit(examples: Examples, space: Space) -> Prototypes:
    """Prototypes of all classes."""
    member = examples.member
    chosen = examples if member.all() else examples.select(member)
    weight = space.weight(chosen)
    sums = sums_of_classes(weight[:, None] * space.examples(chosen), chosen.classes, examples.count)
    weights = np.bincount(chosen.classes, weight, minlength=examples.count).astype(np.float32)
    return Prototypes(space, sums, weights, *_directions(sums, weights, space))


def _directions(sums: np.ndarray, weights: np.ndarray, space: Space) -> tuple[np.ndarray, np.ndarray]:
    """A score is the product of a picture, seen from the centre, with the direction, and the offset."""
    some = weights > 1e-6
    means = sums / np.where(some, weights, 1)[:, None]
    slope, offset = slope_and_offset(np.where(some, weights, 1), (means**2).sum(axis=1), space)
    directions = np.where(some, slope, 0).astype(np.float32)[:, None] * means
    return directions, np.where(some, offset, NEVER).astype(np.float32)


SCORER = Scorer("mean of a class's examples, drawn towards the centre where they are few", fit, Prototypes)
