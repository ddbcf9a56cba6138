"""Comparisons drawn at random within folds of classes, to fit and to test a map from score to probability on."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from nearkin.calibration.weighting import Weighting

# The type of generators is written in quotes: numpy.random is loaded when numbers are first drawn.
FOLDS = 5
# Comparisons that are drawn: of different classes; within classes in all, or of each class where classes weigh alike.
_DIFFERENT, _SAME, _SAME_OF_CLASS = 100_000, 100_000, 20


class ScoredPairs(NamedTuple):
    """Scored comparisons; all same and all different ones weigh 1/2 each.

    Args:
        scores: of each `[n]`.
        same: whether both pictures are of one class.
        weights: summing to 1; each comparison, or each class, is represented alike.
        folds: the fold that its classes are in.
    """

    scores: Float[np.ndarray, " n"]
    same: Bool[np.ndarray, " n"]
    weights: Float[np.ndarray, " n"]
    folds: Int[np.ndarray, " n"]


def draw_pairs(
    vectors: Float[np.ndarray, "n dim"],
    ids: Int[np.ndarray, " n"],
    generator: "np.random.Generator",
    *,
    folds: int = FOLDS,
    weighting: Weighting = "comparisons",
) -> ScoredPairs:
    """Comparisons within folds of classes.

    Args:
        vectors: unit vectors, sorted by class.
        ids: classes 0, 1, ... of the rows, ascending.
        generator: source of randomness.
        folds: that classes are dealt into; a comparison of different classes is of two in one fold.
        weighting: "comparisons" draws all comparisons alike, "classes" all classes and pairs of classes.
    """
    counts = np.bincount(ids)
    starts = np.cumsum(counts) - counts
    # Those with two pictures are dealt first, so that every fold gets its share of them.
    dealt = np.lexsort([generator.random(len(counts)), counts < 2])
    fold = np.empty(len(counts), dtype=np.int64)
    fold[dealt] = np.arange(len(counts)) % folds
    same, same_weights = (_same if weighting == "comparisons" else _same_by_class)(counts, starts, generator)
    different = _different if weighting == "comparisons" else _different_by_class
    drawn = [different(counts, starts, np.flatnonzero(fold == number), generator) for number in range(folds)]
    shares = np.array([share for _, share in drawn])
    rows = np.concatenate([same, *(some for some, _ in drawn)])
    weights = np.concatenate(
        [
            same_weights / (2 * same_weights.sum()),
            *(
                np.full(len(some), share / (2 * len(some) * shares.sum()))
                for (some, _), share in zip(drawn, shares, strict=True)
            ),
        ]
    )
    scores = np.einsum("nd,nd->n", vectors[rows[:, 0]], vectors[rows[:, 1]])
    is_same = np.arange(len(rows)) < len(same)
    return ScoredPairs(scores.astype(np.float64), is_same, weights, fold[ids[rows[:, 0]]])


_Rows = Int[np.ndarray, "drawn 2"]


def _same(counts: np.ndarray, starts: np.ndarray, generator: "np.random.Generator") -> tuple[_Rows, np.ndarray]:
    """All comparisons within classes, or as many as are enough, all alike."""
    each = counts * (counts - 1) // 2
    total = int(each.sum())
    number = np.arange(total) if total <= _SAME else generator.integers(total, size=_SAME)
    owner = np.searchsorted(np.cumsum(each), number, side="right")
    position = number - (np.cumsum(each) - each)[owner]
    # Comparison `position` of a class is of its pictures j < i, with position = i (i - 1) / 2 + j.
    i = ((1 + np.sqrt(8.0 * position + 1)) / 2).astype(np.int64)
    j = position - i * (i - 1) // 2
    return np.stack([starts[owner] + i, starts[owner] + j], axis=1), np.ones(len(number))


def _same_by_class(
    counts: np.ndarray, starts: np.ndarray, generator: "np.random.Generator"
) -> tuple[_Rows, np.ndarray]:
    """Some comparisons within each class; classes weigh alike."""
    drawn = np.minimum(counts * (counts - 1) // 2, _SAME_OF_CLASS)
    owner = np.repeat(np.arange(len(counts)), drawn)
    first = generator.integers(counts[owner])
    # Of two pictures: never of one with itself.
    second = (first + generator.integers(1, counts[owner])) % counts[owner]
    return np.stack([starts[owner] + first, starts[owner] + second], axis=1), 1 / drawn[owner]


def _different(
    counts: np.ndarray, starts: np.ndarray, own: Int[np.ndarray, " classes"], generator: "np.random.Generator"
) -> tuple[_Rows, float]:
    """Comparisons of different classes among some, all alike; and how many there are."""
    rows = np.concatenate([np.arange(starts[one], starts[one] + counts[one]) for one in own])
    owner = np.repeat(np.arange(len(own)), counts[own])
    total = len(rows)
    others = total - counts[own][owner]
    size = _DIFFERENT // FOLDS
    first = generator.choice(total, size=size, p=others / others.sum())
    # Pictures of other classes are those that follow the class, round to its start.
    ends = np.cumsum(counts[own])[owner[first]]
    second = (ends + generator.integers(others[first])) % total
    return np.stack([rows[first], rows[second]], axis=1), float(others.sum())


def _different_by_class(
    counts: np.ndarray, starts: np.ndarray, own: Int[np.ndarray, " classes"], generator: "np.random.Generator"
) -> tuple[_Rows, float]:
    """Comparisons of different classes among some; pairs of classes are drawn alike."""
    size = _DIFFERENT // FOLDS
    first = generator.integers(len(own), size=size)
    second = (first + generator.integers(1, len(own), size=size)) % len(own)
    one, two = own[first], own[second]
    pictures = [starts[some] + generator.integers(counts[some]) for some in (one, two)]
    return np.stack(pictures, axis=1), 1.0
