"""From a score to the probability that two pictures show the same: a monotone map, cross-fitted by class."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from nearkin.calibration.drawn_pairs import FOLDS, ScoredPairs, draw_pairs
from nearkin.calibration.weighting import Weighting
from nearkin.errors import UnknownName

METHODS = ("auto", "isotonic", "logistic")

_KNOTS = 65
# Isotonic regression has to predict so much better, since it has more freedom and no slope between its steps.
_BETTER = 0.99
_BINS = 10


@dataclass(frozen=True)
class ProbabilityMap:
    """From score to probability, and how well it is calibrated.

    Args:
        method: "logistic" or "isotonic" regression.
        scores, log_odds: knots of the rising map to log(p / (1 - p)) where half of all pairs are the same.
        ece: expected calibration error, 0 to 1, on classes that the map was not fitted on.
        predicted, observed, weight: the reliability plot: mean probability of the pairs of a bin, the share of them
            that are the same, and the share of all pairs that lie in it.
    """

    method: str
    scores: tuple[float, ...]
    log_odds: tuple[float, ...]
    ece: float
    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    weight: tuple[float, ...]


class _Map(NamedTuple):
    """A rising map from score to log odds, linear between its knots and level beyond them."""

    scores: Float[np.ndarray, " k"]
    log_odds: Float[np.ndarray, " k"]

    def predict(self, scores: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-np.interp(scores, self.scores, self.log_odds)))


def fit_probability(
    vectors: Float[np.ndarray, "n dim"],
    ids: Int[np.ndarray, " n"],
    *,
    method: str = "auto",
    weighting: Weighting = "comparisons",
    seed: int = 0,
) -> ProbabilityMap:
    """The map from score to probability, and its calibration error on classes that it was not fitted on.

    Classes are dealt into five folds, and pairs are drawn within them. For each fold a map is fitted on the others and
    predicts it: hence the reliability plot and the calibration error. The map itself is fitted on all pairs.

    Args:
        vectors: unit vectors, sorted by class.
        ids: classes 0, 1, ..., ascending; at least ten of them with two pictures.
        method: "logistic", "isotonic", or "auto" for the one that predicts better (by log loss).
        weighting: what counts alike: "comparisons", or "classes".
        seed: random seed of the folds and the pairs.

    Raises:
        UnknownName: no such method.

    Source: Platt 1999 (logistic); Zadrozny & Elkan 2002 (isotonic); Guo et al. 2017, arXiv:1706.04599, eq. 3 (ECE).
    """
    if method not in METHODS:
        raise UnknownName("method", method, METHODS)
    pairs = draw_pairs(vectors, ids, np.random.default_rng(seed), weighting=weighting)
    predicted = {name: _cross_fitted(pairs, name) for name in METHODS[1:] if method in ("auto", name)}
    loss = {name: _log_loss(pairs, probabilities) for name, probabilities in predicted.items()}
    if method == "auto":
        method = "isotonic" if loss["isotonic"] < _BETTER * loss["logistic"] else "logistic"
    whole = _fit(pairs, np.ones(len(pairs.scores), dtype=bool), method)
    means, observed, weight = _reliability(pairs, predicted[method])
    return ProbabilityMap(
        method,
        tuple(whole.scores.tolist()),
        tuple(whole.log_odds.tolist()),
        float((weight * np.abs(means - observed)).sum()),
        tuple(means.tolist()),
        tuple(observed.tolist()),
        tuple(weight.tolist()),
    )


def _fit(pairs: ScoredPairs, chosen: Bool[np.ndarray, " n"], method: str) -> _Map:
    return (_logistic if method == "logistic" else _isotonic)(
        pairs.scores[chosen], pairs.same[chosen], pairs.weights[chosen]
    )


def _logistic(scores: np.ndarray, same: np.ndarray, weights: np.ndarray) -> _Map:
    from sklearn.linear_model import LogisticRegression

    mean, spread = scores.mean(), max(float(scores.std()), 1e-12)
    # Weights sum to a number of pairs, so that the regression's own small penalty stays small.
    model = LogisticRegression(C=1e4).fit(
        (scores - mean)[:, None] / spread, same, weights * (len(scores) / weights.sum())
    )
    slope, offset = float(model.coef_[0, 0]), float(model.intercept_[0])
    ends = np.array([scores.min(), scores.max()])
    # An encoder that scores same pairs lower knows nothing: a rising map must then be level.
    return _Map(ends, slope * (ends - mean) / spread + offset if slope > 0 else np.zeros(2))


def _isotonic(scores: np.ndarray, same: np.ndarray, weights: np.ndarray) -> _Map:
    from sklearn.isotonic import IsotonicRegression

    # No finite number of pairs proves 0 or 1.
    least = 1 / (2 + same.sum())
    model = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip").fit(
        scores, same, sample_weight=weights
    )
    levels = np.linspace(0, 1, _KNOTS)
    knots = np.unique(np.concatenate([np.quantile(scores[same], levels), np.quantile(scores[~same], levels)]))
    probability = model.predict(knots)
    return _Map(knots, np.log(probability / (1 - probability)))


def _cross_fitted(pairs: ScoredPairs, method: str) -> Float[np.ndarray, " n"]:
    """For each pair the probability by a map that was fitted on the other folds."""
    predicted = np.empty(len(pairs.scores))
    for number in range(FOLDS):
        inside = pairs.folds == number
        predicted[inside] = _fit(pairs, ~inside, method).predict(pairs.scores[inside])
    return predicted


def _log_loss(pairs: ScoredPairs, predicted: np.ndarray) -> float:
    right = np.clip(np.where(pairs.same, predicted, 1 - predicted), 1e-12, 1)
    return float(-(pairs.weights * np.log(right)).sum() / pairs.weights.sum())


def _reliability(pairs: ScoredPairs, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean probability, share of same pairs, and share of all pairs, of each of ten equal bins that holds any."""
    bins = np.minimum((predicted * _BINS).astype(int), _BINS - 1)
    weight, means, same = (
        np.bincount(bins, weights=pairs.weights * values, minlength=_BINS)
        for values in (np.ones_like(predicted), predicted, pairs.same)
    )
    held = weight > 0
    return means[held] / weight[held], same[held] / weight[held], weight[held] / weight.sum()
