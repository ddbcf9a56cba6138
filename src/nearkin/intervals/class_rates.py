"""The spread of a mean over comparisons within classes, where a few large classes have most of the comparisons.

What such classes add to the error can hardly tell how much it varies: there are too few of them. All classes can, large
and small ones, if they differ alike: then the variance of a class's mean is one part that it shares with every class,
and one that falls with its comparisons. How the variance divides into both is not known, so every division counts, by
how well it explains the means of classes. As large classes may differ from small ones, what they show by themselves
counts too.
"""

import numpy as np
from jaxtyping import Float, Int

from nearkin.intervals.binomial import Numbers
from nearkin.intervals.dyadic import ClassSums, Spread, spread_over_classes

# Log odds of the share of the variance that comes from differences between classes.
_LOG_ODDS = np.arange(-5.0, 10.01, 0.1)


def spread_of_class_means(
    errors: Float[np.ndarray, "classes *figures"],
    leverage: Float[np.ndarray, " classes"],
    comparisons: Int[np.ndarray, " classes"],
    single: Numbers,
) -> Spread:
    """The spread of a weighted mean of classes' means.

    A class's mean of n comparisons has the variance `single * (r + (1 - r) / n)`, where r is the correlation of two
    comparisons within a class. Its likelihood is that of normal errors, free of the mean (restricted maximum
    likelihood); the share of the variance that comes from classes has the prior density of an arcsine distribution.
    The degrees of freedom are those of this posterior's mean and variance. The cluster-robust variance, which supposes
    nothing, is averaged in, each by its degrees of freedom.

    Args:
        errors: for each class the sum of `w (x - mean) / sum(w)` over its comparisons.
        leverage: the share of all weight that each class's comparisons have, > 0; sums to 1.
        comparisons: of each class, > 0.
        single: variance of a single comparison `[*figures]`.

    Example:
        >>> rates, sizes = np.array([0.9, 0.8, 0.9, 1.0]), np.array([10, 10, 10, 10])
        >>> spread = spread_of_class_means((rates - 0.9) / 4, sizes / 40, sizes, 0.09)
        >>> bool(0.09 / 40 < spread.variance < 0.09 / 4)
        True

    Source: Patterson & Thompson 1971, Recovery of inter-block information when block sizes are unequal; Daniels 1999,
    A prior for the variance in hierarchical models; Prentice 1986, Binary regression using an extended beta-binomial
    distribution (the variance).
    """
    robust = spread_over_classes([ClassSums(errors, leverage)], np.zeros(errors.shape[1:]))
    alike = _spread_if_alike(errors, leverage, comparisons, single)
    told = robust.freedom / (robust.freedom + alike.freedom)
    return alike._replace(variance=told * robust.variance + (1 - told) * alike.variance)


def _spread_if_alike(errors: np.ndarray, leverage: np.ndarray, comparisons: np.ndarray, single: Numbers) -> Spread:
    """The spread if large classes and small ones differ alike."""
    shape = errors.shape[1:]
    means = (errors.T / leverage).T.reshape(len(leverage), -1)
    unit = np.maximum(np.broadcast_to(np.asarray(single, dtype=np.float64), shape).ravel(), 1e-300)
    shared, alone = float((leverage**2).sum()), float((leverage**2 / comparisons).sum())
    if alone < shared * (1 - 1e-9):
        share = 1 / (1 + np.exp(-_LOG_ODDS))
        prior = np.sqrt(share * (1 - share))
    else:  # one comparison a class
        share, prior = np.zeros(1), np.ones(1)
    correlation = share * alone / (shared - share * (shared - alone))
    # Classes with as many comparisons vary alike, so their sums suffice.
    sizes, kinds = np.unique(comparisons, return_inverse=True)
    count = np.bincount(kinds)
    member = (kinds == np.arange(len(sizes))[:, None]).astype(np.float64)
    variance = correlation[:, None] + (1 - correlation[:, None]) / sizes
    weight = (count / variance).sum(axis=1)[:, None]
    squares = (1 / variance) @ (member @ means**2) - ((1 / variance) @ (member @ means)) ** 2 / weight
    fit = -0.5 * ((count * np.log(variance)).sum(axis=1)[:, None] + np.log(weight) + squares / unit)
    chance = np.exp(fit - fit.max(axis=0)) * prior[:, None]
    chance /= chance.sum(axis=0)
    total = shared * correlation + alone * (1 - correlation)
    mean = total @ chance
    varied = np.maximum(total**2 @ chance / mean**2 - 1, 1e-12)
    # A normal error of uncertain variance has the tails of Student's t with so many degrees of freedom.
    freedom = 4 + 2 / varied
    of_class = correlation @ chance
    scaled, share = mean * unit * (freedom - 2) / freedom, shared * of_class / mean
    return Spread(
        scaled.reshape(shape),
        freedom.reshape(shape),
        share.reshape(shape),
        float(len(leverage)),
        (of_class * unit).reshape(shape),
    )
