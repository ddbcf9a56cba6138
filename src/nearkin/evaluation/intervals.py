"""Figures with 95 % intervals, by the bootstrap over groups.

The answers to queries of one class are alike: they hang on the same class, its look and its neighbours. So groups
are drawn, whole, not queries; drawing queries would make the intervals too narrow. How close the intervals come to
95 % is measured by `benchmarks/coverage.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int

from nearkin.arrays import as_ids
from nearkin.errors import InvalidInput

_TAIL = 0.025  # 95 %, the same on either side
_NORMAL = NormalDist()
_BLOCK = 1 << 22  # weights held at a time: 32 MiB


@dataclass(frozen=True)
class Figure:
    """A number and its 95 % interval.

    Args:
        value: the estimate itself, from all the data.
        low, high: ends of the interval; None where there is none: an exact number, or a single group.
        n: how many measurements (queries, pairs, episodes) stand behind it.
    """

    value: float
    low: float | None
    high: float | None
    n: int


def bootstrap_mean(
    values: npt.ArrayLike,
    *,
    groups: npt.ArrayLike | None = None,
    within: tuple[float, float] | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> Figure:
    """The mean over all values, with its BCa bootstrap interval over groups.

    BCa, not percentile: the mean of a success rate near 1 over few, unequal classes is skewed, and percentile
    intervals then hold the truth in 75 to 90 % of cases instead of 95; BCa corrects bias and skewness. Its levels are
    widened as Student's t widens the normal's, since a bootstrap of few groups is too narrow. Two models on the
    same data are compared by `bootstrap_mean(a - b, groups=groups)`.

    Args:
        values: numbers `[n]`, one per measurement.
        groups: ids `[n]`; measurements of one group are drawn together; every value is its own group by default.
        within: the least and greatest possible value. If all values are the one or the other, nothing varies
            and a bootstrap would claim certainty; the interval then ends where seeing only such values in so many
            groups would have a chance of 2.5 % (the rule of three).
        seed: of the resamples; the same seed draws the same groups.
        resamples: how many.

    Returns:
        The figure; without an interval if there are fewer than two groups, since nothing shows how groups differ.

    Raises:
        InvalidInput: no values, or another number of groups than of values.

    Example:
        >>> figure = bootstrap_mean([1, 1, 1, 1], within=(0.0, 1.0))
        >>> figure.value, round(figure.low, 3), figure.high, figure.n
        (1.0, 0.398, 1.0, 4)

    Source: Efron 1987, Better bootstrap confidence intervals; Hesterberg 2015, arXiv:1411.5279, on widened levels.
    """
    values, members = _in_groups(values, groups)
    sums = np.bincount(members, weights=values)
    counts = np.bincount(members).astype(np.float64)
    value = float(sums.sum() / counts.sum())
    if len(counts) < 2:
        return Figure(value, None, None, len(values))
    # Unequal groups count for fewer: as many as equal groups would give the same spread.
    effective = float(counts.sum() ** 2 / (counts**2).sum())
    if within is not None and values[0] in within and (values == values[0]).all():
        least, most = within
        reach = (most - least) * _TAIL ** (1 / effective)
        low, high = (least + reach, most) if values[0] == most else (least, most - reach)
        return Figure(value, low, high, len(values))
    drawn = np.concatenate(
        [(weights @ sums) / (weights @ counts) for weights in _resamples(len(counts), len(counts), resamples, seed)]
    )
    without = (sums.sum() - sums) / (counts.sum() - counts)
    low, high = np.quantile(drawn, _bca_levels(drawn, value, without, _widened_tail(effective))).tolist()
    return Figure(value, low, high, len(values))


def bootstrap_median(
    values: npt.ArrayLike,
    *,
    groups: npt.ArrayLike | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> Figure:
    """The median over all values, with its percentile bootstrap interval over groups (BCa does not suit a median).

    Args, returns and raises as `bootstrap_mean`.

    Example:
        >>> bootstrap_median(np.array([1.0, 2.0, 9.0])).value
        2.0
    """
    values, members = _in_groups(values, groups)
    value, total = float(np.median(values)), int(members.max()) + 1
    if total < 2:
        return Figure(value, None, None, len(values))
    order = np.argsort(values, kind="stable")
    ascending, members = values[order], members[order]
    medians = []
    for weights in _resamples(total, len(values), resamples, seed):
        place = weights[:, members].cumsum(axis=1)
        middle = (place[:, -1:] - 1) / 2
        below = (place > np.floor(middle)).argmax(axis=1)
        above = (place > np.ceil(middle)).argmax(axis=1)
        medians.append((ascending[below] + ascending[above]) / 2)
    tail = _widened_tail(total)
    low, high = np.quantile(np.concatenate(medians), [tail, 1 - tail]).tolist()
    return Figure(value, low, high, len(values))


def _in_groups(
    values: npt.ArrayLike, groups: npt.ArrayLike | None
) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """The values, and the group of each, numbered from 0 without gaps."""
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise InvalidInput(f"values of shape {values.shape}: a figure needs numbers [n], at least one")
    if groups is None:
        return values, np.arange(len(values))
    return values, np.unique(as_ids(groups, "groups", length=len(values)), return_inverse=True)[1]


def _resamples(groups: int, width: int, resamples: int, seed: int) -> Iterator[Float[np.ndarray, "block groups"]]:
    """How often each group is drawn in each resample; some resamples at a time, for work `width` numbers wide."""
    generator = np.random.default_rng(seed)
    height = max(1, _BLOCK // max(groups, width))
    for start in range(0, resamples, height):
        rows = min(height, resamples - start)
        draws = generator.integers(groups, size=(rows, groups)) + groups * np.arange(rows)[:, None]
        yield np.bincount(draws.ravel(), minlength=rows * groups).reshape(rows, groups).astype(np.float64)


def _widened_tail(groups: int | float) -> float:
    """The tail that a percentile interval needs over so few groups, < 2.5 %: Hesterberg's eq. for the t quantile."""
    z, freedom = _NORMAL.inv_cdf(1 - _TAIL), groups - 1
    # Student's t quantile by its expansion in 1/freedom (Abramowitz & Stegun 26.7.5), good to 1 % from 3 on.
    student = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return _NORMAL.cdf(-student * float(np.sqrt(groups / freedom)))


def _bca_levels(drawn: np.ndarray, value: float, without: np.ndarray, tail: float) -> list[float]:
    """The two quantile levels of the bias-corrected, accelerated interval; `without` leaves one group out each."""
    below = float(np.mean(drawn < value) + np.mean(drawn == value) / 2)
    bias = _NORMAL.inv_cdf(min(max(below, 1 / len(drawn)), 1 - 1 / len(drawn)))
    influence = without.mean() - without
    spread = float(np.sum(influence**2))
    skew = float(np.sum(influence**3)) / (6 * spread**1.5) if spread > 0 else 0.0
    edge = _NORMAL.inv_cdf(max(tail, 1e-12))
    shifted = [bias + z / max(1 - skew * z, 1e-3) for z in (bias + edge, bias - edge)]
    return [_NORMAL.cdf(z) for z in shifted]
