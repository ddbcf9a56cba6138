"""Which nearest neighbours are linked, before groups are sought on the links."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from nearkin.arrays import unit
from nearkin.similarity.clustering.engine.confirmed import confirmed
from nearkin.similarity.clustering.engine.linkage import edge_scores
from nearkin.similarity.clustering.engine.neighbours import Neighbours, find_neighbours
from nearkin.similarity.clustering.engine.spread import DRAWN_TO, drawn_to_neighbours, spread_out
from nearkin.similarity.scores import top_k

# Standard deviations that are tried where labelled pictures tell which is best.
STRICTNESS = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
# Vectors that the scores of shapeless data are taken of at most; its covariance is taken of a sample, too.
_SHAPELESS, _SAMPLE = 2_000, 100_000
_MOST_VARIANCE = 0.2


@dataclass(frozen=True)
class Linking:
    """Which neighbours are linked.

    Args:
        power: how much weaker the strong directions become, 0 (as they are) to 1 (all alike), see `spread_out`.
        nearest: how many neighbours of each vector may be linked with it, 1 or more.
        strictness: a link's score lies so many standard deviations above the mean score of nearest neighbours in
            shapeless data of the same covariance, where there are no groups to be found; None: all are links.
    """

    power: float
    nearest: int
    strictness: float | None


@dataclass(frozen=True, eq=False)
class Candidates:
    """Nearest neighbours that may be linked.

    Args:
        plain: the vectors with strong directions made weaker.
        drawn: these, drawn to their neighbours.
        near: of each vector, best first, by their scores once both are drawn to their own neighbours.
        mean, deviation: of the scores of nearest neighbours in shapeless data.
        weights: how many equal vectors each stands for.
    """

    plain: Float[np.ndarray, "n dim"]
    drawn: Float[np.ndarray, "n dim"]
    near: Neighbours
    mean: float
    deviation: float
    weights: Float[np.ndarray, " n"]

    @staticmethod
    def of(
        vectors: Float[np.ndarray, "n dim"], weights: Float[np.ndarray, " n"], linking: Linking, *, seed: int
    ) -> "Candidates":
        """Of vectors; the strictness is asked for later."""
        plain = spread_out(vectors, power=linking.power, seed=seed)
        near = find_neighbours(plain, linking.nearest, seed=seed)
        drawn = drawn_to_neighbours(plain, near, weights, plain)
        pairs = np.stack([np.repeat(np.arange(len(plain)), near.rows.shape[1]), near.rows.ravel()], axis=1)
        scores = edge_scores(drawn, np.ones(len(plain)), pairs).reshape(near.rows.shape)
        return Candidates(
            plain, drawn, Neighbours(scores, near.rows), *_shapeless_scores(vectors, linking.power, seed), weights
        )

    def linked(
        self, strictness: float | None, nearest: int | None = None
    ) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"], np.ndarray]:
        """Start, end and weight of the links, each once; of equal vectors with themselves, too.

        Args:
            strictness: see `Linking`.
            nearest: only so many neighbours of each; all if it is None.
        """
        rows, scores = self.near.rows[:, :nearest], self.near.scores[:, :nearest]
        n, k = rows.shape
        least = 0.0 if strictness is None else self.mean + strictness * self.deviation
        kept = (scores > max(least, 0.0)) & (rows >= 0)
        start, end = np.repeat(np.arange(n), k)[kept.ravel()], rows[kept]
        # Each other's neighbours are linked by the scores of both.
        keys, pair = np.unique(np.minimum(start, end) * n + np.maximum(start, end), return_inverse=True)
        start, end, weight = keys // n, keys % n, np.bincount(pair, scores[kept]).astype(np.float64)
        good = confirmed(start, end, weight, n)
        copies = np.flatnonzero(self.weights > 1)
        return (
            np.concatenate([start[good], copies]),
            np.concatenate([end[good], copies]),
            np.concatenate([weight[good], np.minimum(self.weights[copies] - 1, k)]),
        )


def shapeless(vectors: Float[np.ndarray, "n dim"], seed: int) -> Float[np.ndarray, "n dim"]:
    """As many normally distributed unit vectors, of the same mean and covariance, but without groups.

    A few groups that lie far apart make a few directions strong. So that they are not taken for shape, no direction
    gets more than a fifth of the variance.
    """
    generator = np.random.default_rng(seed)
    n, dim = vectors.shape
    part = vectors[np.sort(generator.permutation(n)[:_SAMPLE])].astype(np.float64)
    variance, directions = np.linalg.eigh(np.cov(part.T, bias=True).reshape(dim, dim))
    spread = (np.sqrt(_shared_out(np.maximum(variance, 0)))[:, None] * directions.T).astype(np.float32)
    drawn = generator.standard_normal((n, dim), dtype=np.float32)
    return unit(drawn @ spread + part.mean(axis=0).astype(np.float32))


def _shared_out(variance: Float[np.ndarray, " dim"]) -> Float[np.ndarray, " dim"]:
    """Variances of which none is more than a fifth of all, as far as there are five."""
    falling = np.sort(variance)[::-1]
    rest = falling.sum() - np.cumsum(falling)
    for strong in range(round(1 / _MOST_VARIANCE)):
        # So many are as strong as may be.
        most = _MOST_VARIANCE * (rest[strong - 1] if strong else falling.sum()) / (1 - strong * _MOST_VARIANCE)
        if strong < len(falling) and falling[strong] <= most:
            return np.minimum(variance, most)
    return np.where(variance > 0, 1.0, 0.0) * falling[:1]


def _shapeless_scores(vectors: Float[np.ndarray, "n dim"], power: float, seed: int) -> tuple[float, float]:
    """Mean and standard deviation of the scores of nearest neighbours, both drawn to theirs, in shapeless data."""
    plain = spread_out(shapeless(vectors, seed), power=power, seed=seed)
    chosen = np.arange(min(len(plain), _SHAPELESS))
    k = min(DRAWN_TO, len(plain) - 1)
    near = Neighbours(*top_k(plain[chosen], plain, k, exclude=chosen))
    other = near.rows[:, 0]
    again = Neighbours(*top_k(plain[other], plain, k, exclude=other))
    one, two = (
        drawn_to_neighbours(plain[rows], found, np.ones(len(rows)), plain)
        for rows, found in ((chosen, near), (other, again))
    )
    scores = np.einsum("nd,nd->n", one, two)
    return float(scores.mean()), float(scores.std())
