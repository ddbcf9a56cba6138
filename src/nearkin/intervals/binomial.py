"""Intervals of a rate at an effective number of independent trials, and Student's t."""

import numpy as np
import numpy.typing as npt

from nearkin.intervals.figure import TAIL, Figure, Z

Numbers = int | float | npt.NDArray[np.float64]
Limits = tuple[Numbers, Numbers]


def student(freedom: Numbers) -> Numbers:
    """The half-width of a 95 % interval in standard errors, by Student's t.

    Args:
        freedom: degrees of freedom, > 0.

    Example:
        >>> round(float(student(14)), 3)
        2.145
    """
    from scipy.special import stdtrit

    return np.asarray(stdtrit(freedom, 1 - TAIL), dtype=np.float64)


def effective_trials(rate: Numbers, variance: Numbers, freedom: Numbers) -> Numbers:
    """So many independent trials would vary as much; fewer, where few degrees of freedom tell the variance.

    Source: Korn & Graubard 1998, Confidence intervals for proportions with small expected number of positive counts.
    """
    rate, variance = np.asarray(rate, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    return rate * (1 - rate) / variance * (Z / student(freedom)) ** 2


def clopper_pearson(rate: Numbers, trials: Numbers) -> Limits:
    """Exact limits: the interval never holds the rate in less than 95 % of cases, and in more where hits are few.

    Args:
        rate: share of hits, 0 to 1.
        trials: independent trials, > 0; no whole number is needed.

    Example:
        >>> [round(float(end), 3) for end in clopper_pearson(1.0, 30)]
        [0.884, 1.0]

    Source: Clopper & Pearson 1934.
    """
    return _beta_limits(rate, trials, 0.0)


def jeffreys(rate: Numbers, trials: Numbers) -> Limits:
    """Limits that hold the rate in 95 % of cases on the whole, now a little more, now less.

    Args as `clopper_pearson`.

    Source: Brown, Cai & DasGupta 2001, Interval estimation for a binomial proportion.
    """
    return _beta_limits(rate, trials, 0.5)


def logit_normal(rate: Numbers, variance: Numbers, freedom: Numbers) -> Limits:
    """Limits for an estimate whose log odds vary alike at every rate.

    Args:
        rate: 0 < rate < 1.
        variance: of the rate's estimate.
        freedom: degrees of freedom of the variance.
    """
    from scipy.special import expit, logit

    rate = np.asarray(rate, dtype=np.float64)
    odds, reach = logit(rate), student(freedom) * np.sqrt(variance) / (rate * (1 - rate))
    return expit(odds - reach), expit(odds + reach)


def share_figure(value: float, variance: float, freedom: float, *, independent: int | float, n: int) -> Figure:
    """A value between 0 and 1 with exact binomial limits for as many measurements as would vary as much."""
    if freedom < 1 or independent < 2:
        return Figure(value, None, None, n)
    size = float(independent)
    if variance > 0 and 0 < value < 1:
        size = max(float(effective_trials(value, variance, freedom)), 1e-3)
    low, high = clopper_pearson(value, size)
    return Figure(value, float(low), float(high), n)


def difference_figure(value: float, variance: float, freedom: float, *, n: int) -> Figure:
    """A difference with Student's t interval."""
    if freedom < 1:
        return Figure(value, None, None, n)
    half = float(student(freedom) * np.sqrt(variance))
    return Figure(value, value - half, value + half, n)


def _beta_limits(rate: Numbers, trials: Numbers, prior: float) -> Limits:
    """Quantiles of beta distributions; where there is no hit, or no miss, one limit is that end itself."""
    from scipy.special import betaincinv

    rate, trials = np.asarray(rate, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    hits = rate * trials
    misses = trials - hits
    least = 1e-300  # the quantile is not used there
    low = np.where(hits > 0, betaincinv(np.maximum(hits + prior, least), misses + 1 - prior, TAIL), 0.0)
    high = np.where(misses > 0, betaincinv(hits + 1 - prior, np.maximum(misses + prior, least), 1 - TAIL), 1.0)
    return low, high
