"""Figures with 95 % intervals, by the bootstrap over groups.

The answers to queries of one class are alike: they hang on the same class, its look and its neighbours. So groups
are drawn, whole, not queries; drawing queries would make the intervals too narrow. How close the intervals come to
95 % is measured by `benchmarks/coverage.py`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int

from nearkin.arrays import as_ids, check_count, check_seed
from nearkin.errors import InvalidInput
from nearkin.intervals.binomial import student
from nearkin.intervals.figure import NORMAL, TAIL, Figure, Z

_BLOCK = 1 << 22  # weights held at a time: 32 MiB


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
    return bootstrap_runs([values], groups=groups, within=within, seed=seed, resamples=resamples)


def bootstrap_runs(
    runs: Sequence[npt.ArrayLike],
    *,
    groups: npt.ArrayLike | Sequence[npt.ArrayLike] | None = None,
    within: tuple[float, float] | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> Figure:
    """The mean over several runs of one method, such as trainings by other seeds; its interval is for further runs.

    Both the run and the groups it is judged on vary. Groups are drawn as in `bootstrap_mean`, the same for all
    runs. To the half-widths that this gives, the spread between runs is added in quadrature, with Student's t for
    so few; what of that spread comes from the groups shows in the resamples, and counts once. Drawing runs as well
    would not do: of two runs, half of the resamples hold the same one twice.

    Two methods, run by the same seeds and asked the same queries, are compared by the differences `a - b` of each run.

    Args:
        runs: for each run its values `[n]`, one per measurement.
        groups: ids `[n]` for all runs, or one array per run, where the same id means the same group; every value
            is its own group by default, the n-th of each run the same one.
        within, seed, resamples: as in `bootstrap_mean`.

    Returns:
        The mean of the runs' means; n counts the measurements of all runs. One run gives what `bootstrap_mean` does,
        which says nothing of other runs. A single group gives no interval.

    Raises:
        InvalidInput: no runs, a run without values, or another number of groups than of values.

    Example:
        >>> figure = bootstrap_runs([[1, 0, 1, 1], [1, 1, 0, 0], [1, 0, 1, 0]], groups=[0, 0, 1, 1])
        >>> round(figure.value, 3), figure.n
        (0.583, 12)

    Source: Zou & Donner 2008, Construction of confidence limits about effect measures, for the sum in quadrature.
    """
    if within is not None and not (isinstance(within, tuple | list) and len(within) == 2 and within[0] < within[1]):
        raise InvalidInput(f"within is {within!r:.60}, expected the least and the greatest value, such as (0, 1)")
    sums, counts, constant = _by_run_and_group(runs, groups)
    means = sums.sum(axis=1) / counts.sum(axis=1)
    value, n = float(means.mean()), int(counts.sum())
    if counts.shape[1] < 2:
        return Figure(value, None, None, n)
    # Unequal groups count for fewer: as many as equal groups would give the same spread.
    effective = float(n**2 / (counts.sum(axis=0) ** 2).sum())
    if within is not None and constant in within:
        least, most = within
        reach = (most - least) * TAIL ** (1 / effective)
        low, high = (least + reach, most) if constant == most else (least, most - reach)
        return Figure(value, low, high, n)

    def means_of(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
        # Where runs have groups of their own, a resample may hold none of a run's: it then tells nothing of that run.
        return np.divide(sums, counts, out=np.broadcast_to(means, sums.shape).copy(), where=counts > 0)

    weights = _resamples(counts.shape[1], counts.shape[1], resamples, seed)
    drawn = np.concatenate([means_of(some @ sums.T, some @ counts.T) for some in weights])
    without = means_of(sums.sum(axis=1) - sums.T, counts.sum(axis=1) - counts.T).mean(axis=1)
    averages = drawn.mean(axis=1)
    low, high = np.quantile(averages, _bca_levels(averages, value, without, _widened_tail(effective))).tolist()
    if len(means) > 1:
        more = _spread_of_runs(means, drawn)
        low, high = value - float(np.hypot(value - low, more)), value + float(np.hypot(high - value, more))
        if within is not None:
            low, high = max(low, within[0]), min(high, within[1])
    return Figure(value, low, high, n)


def bootstrap_median(
    values: npt.ArrayLike,
    *,
    groups: npt.ArrayLike | None = None,
    minus: npt.ArrayLike | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> Figure:
    """The median over all values, with its percentile bootstrap interval over groups (BCa does not suit a median).

    Args:
        values, groups, seed, resamples: as in `bootstrap_mean`.
        minus: values `[n]` of another model for the same measurements, whose median is taken off.

    Returns and raises as `bootstrap_mean`.

    Example:
        >>> bootstrap_median(np.array([1.0, 2.0, 9.0])).value
        2.0
    """
    sides = [_checked(side, groups) for side in (values, minus) if side is not None]
    members = np.unique(sides[0][1], return_inverse=True)[1]
    value, total = _minus([float(np.median(side)) for side, _ in sides]), int(members.max()) + 1
    if total < 2:
        return Figure(value, None, None, len(members))
    medians = _minus([_drawn_medians(side, members, resamples, seed) for side, _ in sides])
    tail = _widened_tail(total)
    low, high = np.quantile(medians, [tail, 1 - tail]).tolist()
    return Figure(value, low, high, len(members))


def _minus(sides: list[Any]) -> Any:
    return sides[0] if len(sides) == 1 else sides[0] - sides[1]


def _drawn_medians(values: np.ndarray, members: np.ndarray, resamples: int, seed: int) -> Float[np.ndarray, " draws"]:
    """The median of each resample; the same seed draws the same groups."""
    order = np.argsort(values, kind="stable")
    ascending, members = values[order], members[order]
    medians = []
    for weights in _resamples(int(members.max()) + 1, len(values), resamples, seed):
        position = weights[:, members].cumsum(axis=1)
        middle = (position[:, -1:] - 1) / 2
        below = (position > np.floor(middle)).argmax(axis=1)
        above = (position > np.ceil(middle)).argmax(axis=1)
        medians.append((ascending[below] + ascending[above]) / 2)
    return np.concatenate(medians)


def bootstrap_left_out(
    value: float,
    without: npt.ArrayLike,
    *,
    n: int,
    within: tuple[float, float] | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> Figure:
    """A number that is no mean (an index of a clustering, say), with a BCa interval from what it is without each group.

    The number of a resample is taken to be the mean of the drawn groups' pseudo-values: what each group adds.

    Args:
        value: from all the data.
        without: the number without each group in turn `[groups]`.
        n: how many measurements stand behind it.
        within: the least and greatest possible value.
        seed, resamples: as in `bootstrap_mean`.

    Returns:
        The figure; without an interval if there are fewer than two groups.

    Example:
        >>> values = np.array([0.1, 0.4, 0.8, 0.9])
        >>> of_mean = bootstrap_left_out(values.mean(), (values.sum() - values) / 3, n=4)
        >>> bool(np.isclose(of_mean.low, bootstrap_mean(values).low))
        True

    Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 11 and 14.
    """
    left_out = np.asarray(without, dtype=np.float64)
    groups = len(left_out)
    if groups < 2:
        return Figure(value, None, None, n)
    if within is not None and value in within and (left_out == value).all():
        return replace(bootstrap_mean(left_out, within=within), value=value, n=n)
    # The mean of the pseudo-values is a little off the value; only their differences are used.
    figure = bootstrap_mean((groups - 1) * (left_out.mean() - left_out) + value, seed=seed, resamples=resamples)
    low, high = figure.low, figure.high
    if within is not None and low is not None and high is not None:
        low, high = max(low, within[0]), min(high, within[1])
    return Figure(value, low, high, n)


def _by_run_and_group(
    runs: Sequence[npt.ArrayLike], groups: npt.ArrayLike | Sequence[npt.ArrayLike] | None
) -> tuple[Float[np.ndarray, "runs groups"], Float[np.ndarray, "runs groups"], float | None]:
    """Sum and number of the values of each run and group, and the value if all are one and the same."""
    if not len(runs):
        raise InvalidInput("no runs given: expected the values of at least one")
    several = isinstance(groups, Sequence | np.ndarray) and len(groups) > 0 and np.ndim(groups[0]) > 0
    per_run: list[Any] = list(groups) if several else [groups] * len(runs)  # type: ignore[arg-type]
    if len(per_run) != len(runs):
        raise InvalidInput(f"groups of {len(per_run)} runs given for {len(runs)} runs")
    parts = [_checked(run, its) for run, its in zip(runs, per_run, strict=True)]
    values, names = (np.concatenate([part[side] for part in parts]) for side in (0, 1))
    found, members = np.unique(names, return_inverse=True)
    cells = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts]) * len(found) + members
    shape, size = (len(parts), len(found)), len(parts) * len(found)
    sums = np.bincount(cells, weights=values, minlength=size).reshape(shape)
    counts = np.bincount(cells, minlength=size).reshape(shape).astype(np.float64)
    return sums, counts, float(values[0]) if (values == values[0]).all() else None


def _spread_of_runs(means: Float[np.ndarray, " runs"], drawn: Float[np.ndarray, "resamples runs"]) -> float:
    """The half-width that the spread of runs adds to that of the groups, see `bootstrap_runs`."""
    by_groups = float((drawn - means).var(axis=1, ddof=1).mean())
    more = float(student(len(means) - 1)) ** 2 * float(means.var(ddof=1)) - Z**2 * by_groups
    return float(np.sqrt(max(more, 0.0) / len(means)))


def _checked(
    values: npt.ArrayLike, groups: npt.ArrayLike | None
) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """The values, and an id of a group for each."""
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise InvalidInput(f"values of shape {values.shape}: a figure needs numbers [n], at least one")
    return values, np.arange(len(values)) if groups is None else as_ids(groups, "groups", length=len(values))


def _resamples(groups: int, width: int, resamples: int, seed: int) -> Iterator[Float[np.ndarray, "block groups"]]:
    """How often each group is drawn in each resample; some resamples at a time, for work `width` numbers wide."""
    generator = np.random.default_rng(check_seed(seed))
    resamples = check_count(resamples, "resamples")
    height = max(1, _BLOCK // max(groups, width))
    for start in range(0, resamples, height):
        rows = min(height, resamples - start)
        draws = generator.integers(groups, size=(rows, groups)) + groups * np.arange(rows)[:, None]
        yield np.bincount(draws.ravel(), minlength=rows * groups).reshape(rows, groups).astype(np.float64)


def _widened_tail(groups: int | float) -> float:
    """The tail that a percentile interval needs over so few groups, < 2.5 %: Hesterberg's eq. for the t quantile."""
    freedom = groups - 1
    return NORMAL.cdf(-float(student(freedom)) * float(np.sqrt(groups / freedom)))


def _bca_levels(drawn: np.ndarray, value: float, without: np.ndarray, tail: float) -> list[float]:
    """The two quantile levels of the bias-corrected, accelerated interval; `without` leaves one group out each."""
    below = float(np.mean(drawn < value) + np.mean(drawn == value) / 2)
    bias = NORMAL.inv_cdf(min(max(below, 1 / len(drawn)), 1 - 1 / len(drawn)))
    influence = without.mean() - without
    spread = float(np.sum(influence**2))
    skew = float(np.sum(influence**3)) / (6 * spread**1.5) if spread > 0 else 0.0
    edge = NORMAL.inv_cdf(max(tail, 1e-12))
    shifted = [bias + z / max(1 - skew * z, 1e-3) for z in (bias + edge, bias - edge)]
    return [NORMAL.cdf(z) for z in shifted]
