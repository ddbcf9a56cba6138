"""Directions that most vectors share are made less important."""

import numpy as np
from jaxtyping import Float

from nearkin.arrays import unit

_LEAST = 0.05
# Fewer vectors say too little of their directions.
_FEWEST = 50
_SAMPLE = 100_000


def spread_out(vectors: Float[np.ndarray, "n dim"], *, power: float = 0.5, seed: int = 0) -> Float[np.ndarray, "n dim"]:
    """Unit vectors about their mean, with the variance of each principal direction raised to 1 - power.

    Pictures of a kind that the encoder was not trained on share a few strong directions, which tell apart what anybody
    tells apart; the weaker ones tell apart the rest. With power 1 all directions have the same variance (whitening).

    Args:
        vectors: float32.
        power: 0 to 1.
        seed: random seed of the sample of 100,000 that the directions are taken from, if there are more.
    """
    if len(vectors) < _FEWEST:
        return vectors
    chosen = np.sort(np.random.default_rng(seed).permutation(len(vectors))[:_SAMPLE])
    part = vectors[chosen]
    mean = part.mean(axis=0, dtype=np.float64).astype(np.float32)
    part = part - mean
    variance, directions = np.linalg.eigh((part.T @ part / np.float32(len(part))).astype(np.float64))
    variance = np.maximum(variance, 0)
    if not variance.sum():
        return vectors
    variance += _LEAST * variance.mean()
    factor = (variance / variance.max()) ** (-power / 2)
    return unit((vectors - mean) @ (directions * factor).astype(np.float32))
