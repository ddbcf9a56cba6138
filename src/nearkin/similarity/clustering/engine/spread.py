"""Vectors made ready for clustering: about their mean, strong directions weaker, each drawn to its neighbours."""

import numpy as np
from jaxtyping import Float

from nearkin.arrays import unit
from nearkin.similarity.clustering.engine.neighbours import Neighbours

_LEAST = 0.05
# Fewer vectors say too little of their directions.
_FEWEST = 50
_SAMPLE = 100_000
# Neighbours that a vector is drawn to, and the power of their scores that weighs them.
DRAWN_TO = 5
_SHARPNESS = 3


def spread_out(vectors: Float[np.ndarray, "n dim"], *, power: float, seed: int = 0) -> Float[np.ndarray, "n dim"]:
    """Unit vectors about their mean, with the variance of each principal direction raised to 1 - power.

    Pictures of a kind that the encoder was not trained on share a few strong directions, which tell apart what anybody
    tells apart; the weaker ones tell apart the rest. With power 1 all directions have the same variance (whitening).

    Args:
        vectors: float32.
        power: 0 to 1; 0 takes away the mean only.
        seed: random seed of the sample of 100,000 that the directions are taken from, if there are more.
    """
    if len(vectors) < _FEWEST:
        return vectors
    chosen = np.sort(np.random.default_rng(seed).permutation(len(vectors))[:_SAMPLE])
    part = vectors[chosen]
    mean = part.mean(axis=0, dtype=np.float64).astype(np.float32)
    if not power:
        return unit(vectors - mean)
    part = part - mean
    variance, directions = np.linalg.eigh((part.T @ part / np.float32(len(part))).astype(np.float64))
    variance = np.maximum(variance, 0)
    if not variance.sum():
        return vectors
    variance += _LEAST * variance.mean()
    factor = (variance / variance.max()) ** (-power / 2)
    return unit((vectors - mean) @ (directions * factor).astype(np.float32))


def drawn_to_neighbours(
    points: Float[np.ndarray, "m dim"],
    near: Neighbours,
    weights: Float[np.ndarray, " m"],
    vectors: Float[np.ndarray, "n dim"],
) -> Float[np.ndarray, "m dim"]:
    """The direction of each point and its five nearest neighbours together, these by the cube of their scores.

    Args:
        points: unit vectors, float32.
        near: their neighbours among the vectors, best first.
        weights: how many equal vectors each point stands for: neighbours that it has already.
        vectors: unit vectors, float32.

    Source: Arandjelović & Zisserman 2012, Three things everyone should know to improve object retrieval
    (database-side augmentation).
    """
    found = points * np.minimum(weights, 1 + DRAWN_TO).astype(np.float32)[:, None]
    for rows, scores in zip(near.rows.T[:DRAWN_TO], near.scores.T[:DRAWN_TO], strict=True):
        share = np.where(rows >= 0, np.maximum(scores, 0) ** _SHARPNESS, 0).astype(np.float32)
        found += share[:, None] * vectors[rows]
    return unit(found)
