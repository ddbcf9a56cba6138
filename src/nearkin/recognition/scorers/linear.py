"""Linear: directions in which pictures of one class differ count less than those in which classes do.

A regularised linear discriminant on frozen vectors: how pictures of a class scatter is measured over all classes and
drawn towards the same scatter in all directions, the more the fewer examples there are. Then it is as with prototypes.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from nearkin.recognition.examples import Examples, sums_of_classes
from nearkin.recognition.scorer import Fitted, Scorer
from nearkin.recognition.scorers.prototype import Prototypes
from nearkin.recognition.scorers.prototype import fit as fit_prototypes
from nearkin.recognition.space import Space, measure_space

# How far scatter is evened: of all examples a little, of those of a class wholly.
_OF_ALL, _OF_CLASSES = 0.25, 1.0
# So many examples tell how they scatter.
_ENOUGH = 20_000
# Of more directions those are used in which examples vary most.
_MOST_AXES = 256
# With so few classes a scaling hangs on each; how alike pictures are by it is measured in so many parts of the classes.
_FEW_CLASSES, _PARTS = 200, 4
# Classes that would show a scatter of their own, added to those that there are.
_PRIOR_CLASSES = 10
# Never less is taken of equal scatter.
_LEAST = 0.05


@dataclass(frozen=True, eq=False)
class Discriminant:
    """Prototypes among pictures of which each direction is scaled by how little pictures of a class vary in it."""

    space: Space
    scaling: Float[np.ndarray, "dim axes"]
    prototypes: Prototypes

    @property
    def count(self) -> int:
        return self.prototypes.count

    def scores(
        self, pictures: Float[np.ndarray, "q dim"], classes: Int[np.ndarray, " c"] | None = None
    ) -> Float[np.ndarray, "q c"]:
        return self.prototypes.scores(self.space.seen(pictures) @ self.scaling, classes)

    def own_scores(self, examples: Examples, rows: Int[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        scaled = _scaled(examples.select(rows), self.space, self.scaling)
        return self.prototypes.own_scores(scaled, np.arange(len(rows)))

    def with_examples(self, examples: Examples, start: int) -> Fitted:
        added = _scaled(examples.select(np.arange(start, len(examples))), self.space, self.scaling)
        return Discriminant(self.space, self.scaling, self.prototypes.with_examples(added, 0))


def fit(examples: Examples, space: Space) -> Discriminant:
    """The discriminant of all classes."""
    chosen = examples.select(examples.member & examples.picture)
    # Whole classes, as many as are enough to tell how examples scatter.
    some = chosen.select(_some_classes(chosen.classes, examples.count))
    seen = space.examples(some).astype(np.float64)
    scaling = _scaling(seen, some.classes, examples.count)
    scaled = _scaled(examples, space, scaling)
    around = measure_space(scaled, scaled_from=space)
    classes = np.unique(some.classes)
    if len(classes) <= _FEW_CLASSES:
        around = replace(around, same=_same_of_others(some, seen, space))
    return Discriminant(space, scaling, fit_prototypes(scaled, around))


def _scaling(seen: Float[np.ndarray, "n dim"], classes: Int[np.ndarray, " n"], count: int) -> np.ndarray:
    """What pictures are multiplied by, so that those of one class scatter alike in all directions."""
    axes = _principal(seen)
    seen = seen @ axes
    # Examples of one class are not independent of each other, so it is classes that tell how all scatter; and few
    # classes tell little of how those of another one do.
    several = len(np.unique(classes))
    scaling = _inverse_power(seen.T @ seen / max(len(seen), 1), several, _OF_ALL)
    apart, freedom = _apart(seen @ scaling, classes, count)
    scatter, told = apart.T @ apart / max(freedom, 1), freedom * several / (several + _PRIOR_CLASSES)
    found: np.ndarray = (axes @ scaling @ _inverse_power(scatter, told, _OF_CLASSES)).astype(np.float32)
    return found


def _same_of_others(examples: Examples, seen: Float[np.ndarray, "n dim"], space: Space) -> float:
    """The mean cosine of two pictures of a class by a scaling that was made without it.

    Pictures that a scaling was made with are more alike by it than others of the same classes.
    """
    part = np.unique(examples.classes, return_inverse=True)[1] % _PARTS
    scaled = np.zeros((len(seen), min(seen.shape[1], _MOST_AXES)), np.float32)
    for one in np.unique(part):
        left = part != one
        scaling = _scaling(seen[left], examples.classes[left], examples.count) if left.any() else _principal(seen)
        scaled[~left] = seen[~left] @ scaling
    return measure_space(replace(examples, vectors=scaled), scaled_from=space).same


def _some_classes(classes: np.ndarray, count: int) -> np.ndarray:
    """Rows of as many classes, one as likely as another, as have the examples that are needed."""
    if len(classes) <= _ENOUGH:
        return np.arange(len(classes))
    order = np.random.default_rng(0).permutation(count)
    filled = np.cumsum(np.bincount(classes, minlength=count)[order])
    taken = order[: int(np.searchsorted(filled, _ENOUGH)) + 1]
    return np.flatnonzero(np.isin(classes, taken))


def _principal(seen: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, "dim axes"]:
    """The directions in which examples vary most, if there are more than are used; all else.

    Source: Halko, Martinsson & Tropp 2011, Finding structure with randomness, algorithm 4.4.
    """
    dim = seen.shape[1]
    if dim <= _MOST_AXES:
        return np.eye(dim)
    found = np.random.default_rng(0).standard_normal((dim, _MOST_AXES))
    for _ in range(3):
        found = np.linalg.qr(seen.T @ (seen @ found))[0]
    return found


def _apart(seen: np.ndarray, classes: np.ndarray, count: int) -> tuple[np.ndarray, int]:
    """How far examples are from the mean of their class, and how many numbers that is for each direction."""
    sizes = np.bincount(classes, minlength=count)
    means = sums_of_classes(seen, classes, count) / np.maximum(sizes, 1)[:, None]
    several = sizes[classes] > 1
    return (seen - means[classes])[several], int((sizes - 1)[sizes > 1].sum())


def _inverse_power(scatter: np.ndarray, freedom: int | float, power: float) -> np.ndarray:
    """Scatter to the power of -power / 2, drawn towards equal scatter in all directions; equal scatter becomes 1.

    Args:
        scatter: mean squares and products `[dim, dim]`.
        freedom: how many independent examples tell it.

    Source: Chen et al. 2010, Shrinkage algorithms for MMSE covariance estimation (oracle approximating shrinkage).
    """
    dim = len(scatter)
    mean = float(np.trace(scatter)) / dim
    square = float((scatter**2).sum())
    bottom = (freedom + 1 - 2 / dim) * (square - dim * mean**2)
    if mean <= 0:
        return np.eye(dim)
    share = min(1.0, ((1 - 2 / dim) * square + (dim * mean) ** 2) / bottom) if bottom > 0 else 1.0
    share = max(share, _LEAST)
    values, axes = np.linalg.eigh((1 - share) * scatter + share * mean * np.eye(dim))
    root: np.ndarray = (axes * (np.maximum(values, 1e-12) / max(mean, 1e-12)) ** (-power / 2)) @ axes.T
    return root


def _scaled(examples: Examples, space: Space, scaling: np.ndarray) -> Examples:
    """Examples brought to where pictures are, and scaled; they keep their kind, which says what they count."""
    vectors = (space.examples(examples) @ scaling).astype(np.float32)
    return replace(examples, vectors=vectors)


SCORER = Scorer(
    "a linear discriminant: directions in which pictures of one class vary count less",
    fit,
    Discriminant,
    apart=False,
)
