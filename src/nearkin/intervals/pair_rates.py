"""The spread of a rate of comparisons of different classes: a class mistaken twice as often is so with every other.

Fifteen classes seldom hold the few that are mistaken often, and what classes add to the error then varies too little as
well. So classes are also taken to have factors: a comparison is accepted in proportion to the product of those of its
two classes. How much factors differ is told by all classes, large and small, on a scale on which a rate that came out
low does not make them alike.
"""

import numpy as np
import numpy.typing as npt
from jaxtyping import Float

from nearkin.intervals.dyadic import ClassSums, Spread, spread_over_classes

# Log odds of the share of the variance that comes from classes.
_LOG_ODDS = np.arange(-6.0, 8.01, 0.5)
# Most that is believed of the squared coefficient of variation of classes' factors.
_MOST_FACTORS = 9.0
# More classes than these tell the variance by what they add to the error.
_MANY = 100
# Least share of the weight that is divided by.
_LEAST = 0.05


def spread_of_pair_rates(
    rate: Float[np.ndarray, " figures"],
    errors: Float[np.ndarray, "classes figures"],
    pairs: Float[np.ndarray, " figures"],
    *,
    weights: npt.ArrayLike,
    pictures: npt.ArrayLike,
    cells: Float[np.ndarray, " figures"],
) -> Spread:
    """The spread of the share of different comparisons that are accepted.

    The count of each class, divided by what scatters its comparisons more than coins do, is negative binomial: its mean
    has a gamma distribution over classes. The share of the variance that comes from classes has a prior that is uniform
    on the log odds. As in `spread_of_class_means`, the cluster-robust variance, which supposes nothing, is averaged in,
    each by its degrees of freedom. With more than a hundred classes it stands alone.

    Args:
        rate: 0 to 1.
        errors: for each class the sum of `w (x - rate) / sum(w)` over its comparisons.
        pairs: sum over pairs of classes of their squared error.
        weights: of each class; those of two classes multiply to the weight of their comparisons.
        pictures: of each class.
        cells: how many pairs of classes show any spread.

    Example:
        >>> accepted = np.ones((4, 4)) - np.eye(4)  # one of four comparisons of each pair of classes
        >>> errors = (accepted.sum(axis=0) - 0.25 * 12) / 24
        >>> two = np.full(4, 2)
        >>> spread = spread_of_pair_rates(np.array([0.25]), errors[:, None], np.zeros(1), weights=two,
        ...     pictures=two, cells=np.array([6.0]))
        >>> bool(0 < spread.variance[0] < 0.25 * 0.75 / 24)  # less than coins: all classes are alike
        True

    Source: Lawless 1987, Negative binomial and mixed Poisson regression; Cox & Reid 1987, Parameter orthogonality and
    approximate conditional inference (free of the mean); Snijders & Kenny 1999, The social relations model.
    """
    s, n = np.asarray(weights, dtype=np.float64), np.asarray(pictures, dtype=np.float64)
    others = s.sum() - s
    whole = float(s @ others) / 2
    leverage = s * others / whole
    robust = spread_over_classes([ClassSums(errors, leverage)], pairs, cells=cells)
    if len(s) > _MANY:
        return robust
    # The rarer outcome, and what comparisons and pairs of classes scatter by.
    rare, single = np.maximum(np.minimum(rate, 1 - rate), 1e-12), np.maximum(rate * (1 - rate), 1e-12)
    coins = single * ((s**2 / n).sum() ** 2 - (s**4 / n**2).sum()) / 2 / whole**2
    rest = np.maximum(robust.variance * (1 - robust.of_classes), coins)
    of_pair = (rest - coins) * whole**2 / (((s**2).sum() ** 2 - (s**4).sum()) / 2)
    scatter = of_pair * ((s**2).sum() - s**2)[:, None] + single * (((s**2 / n).sum() - s**2 / n) / n)[:, None]
    counts = (np.maximum(others, _LEAST * s.sum())[:, None] * rare) ** 2 / scatter
    factors = _factors(1 + np.where(rate > 0.5, -1, 1) * errors / (leverage[:, None] * rare), s)
    spread = _spread_of_factors(factors, counts, rest / rare**2, float(leverage @ leverage))
    told = robust.freedom / (robust.freedom + spread.freedom)
    known, modelled = told * robust.variance, (1 - told) * spread.variance * rare**2
    share = (known * robust.of_classes + modelled * spread.of_classes) / (known + modelled)
    return spread._replace(variance=known + modelled, of_classes=share, of_one=spread.of_one * rare**2)


def _factors(shares: Float[np.ndarray, "classes figures"], weights: np.ndarray) -> Float[np.ndarray, "classes figures"]:
    """The factor of each class from its rate, as a multiple of the rate over all; its own is not among the others'."""
    whole, s = weights.sum(), weights[:, None]
    shares = factors = np.maximum(shares, 0.0)
    for _ in range(2):
        others = (s * factors).sum(axis=0) - s * factors
        factors = shares * (whole - s) / np.maximum(others, _LEAST * whole)
        factors = factors * (whole / np.maximum((s * factors).sum(axis=0), 1e-12))
    return factors


def _spread_of_factors(
    factors: Float[np.ndarray, "classes figures"],
    counts: Float[np.ndarray, "classes figures"],
    rest: Float[np.ndarray, " figures"],
    shown: float,
) -> Spread:
    """The spread of the rate as a multiple of itself.

    Args:
        factors: of each class.
        counts: the accepted comparisons that each would need to scatter as much, were they coins.
        rest: the variance that does not come from classes.
        shown: the sum of the squared leverages of classes.
    """
    from scipy.special import gammaln

    varied = np.minimum(rest / shown * np.exp(_LOG_ODDS)[:, None], _MOST_FACTORS)
    hits, fit = factors * counts, np.empty(varied.shape)
    for row, each in zip(fit, varied, strict=True):
        shape = 1 / each
        rising = gammaln(hits + shape) - gammaln(shape) - hits * np.log(shape)
        row[:] = (rising - (hits + shape) * np.log1p(each * counts)).sum(axis=0)
        row -= 0.5 * np.log((counts / (1 + each * counts)).sum(axis=0))
    chance = np.exp(fit - fit.max(axis=0))
    chance /= chance.sum(axis=0)
    of_class = (chance * varied).sum(axis=0)
    mean = shown * of_class + rest
    uncertain = np.maximum(shown**2 * (chance * varied**2).sum(axis=0) - (shown * of_class) ** 2, 0.0) / mean**2
    freedom = 4 + 2 / np.maximum(uncertain, 1e-9)
    scale = (freedom - 2) / freedom
    return Spread(mean * scale, freedom, shown * of_class / mean, float(len(factors)), of_class * scale)
