"""How pictures of classes lie in the space of an encoder: what a score of a class is made of.

Classes scatter around a common centre, and the pictures of a class around its own. How much of the scatter is between
classes, `same`, is what one example of a class is worth: where it is high a single picture tells the class, where it is
low several are needed. Texts and attributes lie elsewhere than pictures (the modality gap) and scatter more; the gap is
measured and removed, and such an example counts as `weight` pictures.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from nearkin.recognition.examples import Examples, Kind, sums_of_classes

# With fewer classes of several pictures than this, `same` is drawn towards what is usual.
USUAL_SAME, PRIOR_CLASSES = 0.5, 10
# A centre of fewer pictures than this is mostly noise: it is drawn towards the origin.
PRIOR_PICTURES = 10
# Texts of classes that also have pictures; with fewer, their gap is not known.
FEW_TEXTS = 8
# A text counts as so many pictures where that cannot be measured; with few classes of both it is drawn towards that.
USUAL_WEIGHT, _PRIOR_TEXTS = 0.25, 4
# So many pictures tell the effective dimension well.
_SAMPLE = 1024


@dataclass(frozen=True, eq=False)
class Space:
    """What is known of a space.

    Args:
        centre: mean of pictures of all classes, `[dim]`.
        same: mean cosine, seen from the centre, of two pictures of one class, 0 < same < 1; two of different classes
            have 0.
        dim: effective dimension: of how many equal directions the pictures vary in as many.
        gaps: what is added to an example of another kind than a picture, `[dim]`.
        weights: as how many pictures an example of another kind counts.
        pictures: how many the centre was measured with.
    """

    centre: Float[np.ndarray, " dim"]
    same: float
    dim: float
    gaps: Mapping[int, Float[np.ndarray, " dim"]] = field(default_factory=dict)
    weights: Mapping[int, float] = field(default_factory=dict)
    pictures: int = 0

    def seen(self, vectors: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, "n dim"]:
        """Pictures as unit vectors seen from the centre."""
        return _unit(vectors - self.centre)

    def examples(self, examples: Examples) -> Float[np.ndarray, "n dim"]:
        """Examples of any kind as pictures' unit vectors seen from the centre."""
        moved = examples.vectors
        for kind, gap in self.gaps.items():
            moved = np.where((examples.kinds == kind)[:, None], _unit(moved + gap), moved)
        return self.seen(moved)

    def weight(self, examples: Examples) -> Float[np.ndarray, " n"]:
        """As how many pictures each example counts."""
        weights = np.ones(len(examples), np.float32)
        for kind, weight in self.weights.items():
            weights[examples.kinds == kind] = weight
        return weights

    def without(self, vectors: Float[np.ndarray, "m dim"]) -> "Space":
        """With the centre as it is without some of the pictures that it was measured with."""
        left = self.pictures - len(vectors) + PRIOR_PICTURES
        centre = (self.centre * (self.pictures + PRIOR_PICTURES) - vectors.sum(axis=0)) / left
        return replace(self, centre=centre.astype(np.float32), pictures=self.pictures - len(vectors))


def measure_space(
    examples: Examples,
    background: Float[np.ndarray, "m dim"] | None = None,
    *,
    same: float | None = None,
    scaled_from: Space | None = None,
) -> Space:
    """What examples, and further pictures without names, tell of their space.

    Args:
        examples: of classes.
        background: unit vectors of pictures of any classes, such as the items of a gallery.
        same: mean cosine of two pictures of one class where it is known from elsewhere: it stands for ten classes.
        scaled_from: the space in which the examples were seen before their directions were scaled. Then the centre is
            the origin, and few examples are taken to be as they were there.

    Example:
        >>> examples = Examples.of(np.eye(8).repeat(2, axis=0), np.arange(8).repeat(2))
        >>> 0.6 < measure_space(examples).same < 1
        True
    """
    dim = examples.vectors.shape[1]
    pictures = examples.select(examples.member & examples.picture)
    sums = pictures.vectors.sum(axis=0, dtype=np.float64)
    further = np.empty((0, dim), np.float32) if background is None else background
    known = len(pictures) + len(further)
    expected = dim / 2
    if scaled_from is not None:
        sums, further, same, expected = np.zeros(dim), further[:0], scaled_from.same, scaled_from.dim
    centre = ((sums + further.sum(axis=0, dtype=np.float64)) / (known + PRIOR_PICTURES)).astype(np.float32)
    seen = _unit(pictures.vectors - centre)
    some = _unit(further[:_SAMPLE] - centre)
    groups = np.concatenate([pictures.classes, examples.count + np.arange(len(some))])
    effective = _effective_dimension(np.concatenate([seen, some]), groups, expected)
    space = Space(centre, _same_class(seen, pictures, same), effective, pictures=known)
    if scaled_from is not None:
        return replace(space, weights=scaled_from.weights)
    gaps: dict[int, np.ndarray] = {}
    weights: dict[int, float] = {}
    for kind in (Kind.TEXT, Kind.ATTRIBUTES):
        chosen = examples.member & (examples.kinds == kind)
        if chosen.any():
            gaps[kind], weights[kind] = _gap(examples.select(chosen), pictures, space)
    return replace(space, gaps=gaps, weights=weights)


def _same_class(seen: np.ndarray, pictures: Examples, known: float | None) -> float:
    """Mean cosine of two pictures of a class, each class counted once, drawn to what is usual where few tell it."""
    sizes = np.bincount(pictures.classes, minlength=pictures.count)
    several = sizes > 1
    squares = (sums_of_classes(seen, pictures.classes, pictures.count).astype(np.float64)[several] ** 2).sum(axis=1)
    means = (squares - sizes[several]) / (sizes * (sizes - 1.0))[several]
    usual = USUAL_SAME if known is None else known
    return float(np.clip((means.sum() + PRIOR_CLASSES * usual) / (len(means) + PRIOR_CLASSES), 0.02, 0.98))


def _effective_dimension(seen: np.ndarray, classes: np.ndarray, expected: float) -> float:
    """1 / mean squared cosine of pictures of different classes, each class counted once.

    Source: for pictures of covariance C that is (trace C)^2 / trace C^2, without the bias of few pictures.
    """
    if len(seen) > _SAMPLE:
        some = np.random.default_rng(0).permutation(len(seen))[:_SAMPLE]
        seen, classes = seen[some], classes[some]
    _, members, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    weights = 1 / sizes[members]
    different = members[:, None] != members
    squares = (seen @ seen.T).astype(np.float64) ** 2
    total = float(weights @ (squares * different) @ weights)
    pairs = float(weights @ different @ weights)
    # Ten more pairs have the cosines of as many directions as are expected.
    mean = (total + PRIOR_PICTURES / expected) / (pairs + PRIOR_PICTURES)
    return float(np.clip(1 / max(mean, 1e-9), min(2.0, expected), seen.shape[1]))


def _gap(texts: Examples, pictures: Examples, space: Space) -> tuple[Float[np.ndarray, " dim"], float]:
    """What brings texts to where pictures lie, and as how many pictures one counts."""
    both = np.intersect1d(texts.classes, pictures.classes)
    if len(both) >= FEW_TEXTS:
        of_texts, of_pictures = (_class_means(each, both) for each in (texts, pictures))
        gap = (of_pictures - of_texts).mean(axis=0)
        cosines = (space.seen(_unit(of_texts + gap)) * space.seen(_unit(of_pictures))).sum(axis=1)
        # A text and a class are as alike as text and pictures are, over what so many pictures and their class are.
        pictures_each = np.bincount(pictures.classes, minlength=pictures.count)[both]
        told = pictures_each * space.same / (pictures_each * space.same + 1 - space.same)
        alike = float(np.clip(np.mean(cosines / np.sqrt(told)), 0.0, 0.99)) ** 2
        # So many pictures are as alike to their class.
        found = min(1.0, alike / (1 - alike) * (1 - space.same) / space.same)
        weight = (len(both) * found + _PRIOR_TEXTS * USUAL_WEIGHT) / (len(both) + _PRIOR_TEXTS)
        return gap.astype(np.float32), weight
    if len(texts) >= FEW_TEXTS and space.pictures:
        return (space.centre - texts.vectors.mean(axis=0)).astype(np.float32), USUAL_WEIGHT
    return np.zeros(texts.vectors.shape[1], np.float32), USUAL_WEIGHT


def _class_means(examples: Examples, classes: np.ndarray) -> np.ndarray:
    sums = sums_of_classes(examples.vectors, examples.classes, examples.count)
    return (sums / np.maximum(np.bincount(examples.classes, minlength=examples.count), 1)[:, None])[classes]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.sqrt(np.einsum("...d,...d->...", vectors, vectors)), 1e-12)[..., None]
