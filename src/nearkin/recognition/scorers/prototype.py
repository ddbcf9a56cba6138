"""Prototype: a class is the mean of its examples, drawn towards the centre where they are few."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from nearkin.recognition.examples import Examples
from nearkin.recognition.scorer import NEVER, Fitted, Scorer, log_ratios
from nearkin.recognition.space import Space


@dataclass(frozen=True, eq=False)
class _Prototypes:
    """Weighted sums of the examples of each class, seen from the centre."""

    space: Space
    sums: Float[np.ndarray, "classes dim"]
    weights: Float[np.ndarray, " classes"]
    examples: Examples
    seen: Float[np.ndarray, "n dim"]
    of_example: Float[np.ndarray, " n"]

    @property
    def count(self) -> int:
        return len(self.sums)

    def scores(self, pictures: Float[np.ndarray, "q dim"]) -> Float[np.ndarray, "q classes"]:
        return self._scores(self.space.seen(pictures))

    def without_own(
        self, rows: Int[np.ndarray, " m"]
    ) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, "m classes"]]:
        seen, own = self.seen[rows], self.examples.classes[rows]
        weight = self.of_example[rows]
        left = self.weights[own] - weight
        means = (self.sums[own] - weight[:, None] * seen) / np.maximum(left, 1e-6)[:, None]
        dots, squares = (seen * means).sum(axis=1), (means**2).sum(axis=1)
        alone = log_ratios(dots[None], left, squares, self.space)[0]
        return np.where(left > 1e-6, alone, NEVER), self._scores(seen)

    def with_example(self, example: Examples) -> Fitted:
        seen, weight = self.space.examples(example), self.space.weight(example)
        added = max(0, int(example.classes.max()) + 1 - self.count)
        sums = np.concatenate([self.sums, np.zeros((added, self.sums.shape[1]), np.float32)])
        weights = np.concatenate([self.weights, np.zeros(added, np.float32)])
        np.add.at(sums, example.classes, weight[:, None] * seen)
        np.add.at(weights, example.classes, weight)
        examples = Examples(
            np.concatenate([self.examples.vectors, example.vectors]),
            np.concatenate([self.examples.classes, example.classes]),
            np.concatenate([self.examples.kinds, example.kinds]),
            np.concatenate([self.examples.positive, example.positive]),
            len(sums),
        )
        return replace(
            self,
            sums=sums,
            weights=weights,
            examples=examples,
            seen=np.concatenate([self.seen, seen]),
            of_example=np.concatenate([self.of_example, weight]),
        )

    def _scores(self, seen: np.ndarray) -> np.ndarray:
        weights = np.maximum(self.weights, 1e-6)
        dots = (seen @ self.sums.T) / weights
        squares = (self.sums**2).sum(axis=1) / weights**2
        return np.where(self.weights > 0, log_ratios(dots, weights, squares, self.space), NEVER)


def fit(examples: Examples, space: Space) -> Fitted:
    """Prototypes of all classes."""
    seen, weight = space.examples(examples).astype(np.float32), space.weight(examples)
    sums = np.zeros((examples.count, seen.shape[1]), np.float32)
    order = np.argsort(examples.classes, kind="stable")
    if len(order):
        classes, starts = np.unique(examples.classes[order], return_index=True)
        sums[classes] = np.add.reduceat((weight[:, None] * seen)[order], starts)
    weights = np.bincount(examples.classes, weight, minlength=examples.count).astype(np.float32)
    return _Prototypes(space, sums, weights, examples, seen, weight)


SCORER = Scorer("mean of a class's examples, drawn towards the centre where they are few", fit)
