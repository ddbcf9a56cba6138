"""How much a false accept rate varies, told by the classes' factors where there are few classes."""

import numpy as np
import pytest

from nearkin.intervals.dyadic import ClassSums, rate_limits, spread_over_classes
from nearkin.intervals.pair_rates import spread_of_pair_rates

UNEQUAL = np.array([2, 2, 3, 4, 4, 5, 6, 7, 8, 10, 11, 14, 18, 25, 40])


def draws(sizes, far, of_class, runs, *, of_pair=0.0):
    """Of each draw of accepted comparisons the rate, classes' errors, pairs' squares and pairs that show any."""
    generator = np.random.default_rng(0)
    one, two = np.triu_indices(len(sizes), 1)
    compared = sizes[one] * sizes[two]
    rates, errors, pairs, cells = np.empty(runs), np.empty((len(sizes), runs)), np.empty(runs), np.empty(runs)
    for run in range(runs):
        factors = np.exp(of_class * generator.normal(size=len(sizes)) - of_class**2 / 2)
        chances = far * factors[one] * factors[two]
        if of_pair:
            chances *= np.exp(of_pair * generator.normal(size=len(one)) - of_pair**2 / 2)
        accepted = generator.binomial(compared, np.minimum(chances, 1))
        rates[run] = accepted.sum() / compared.sum()
        parts = (accepted - rates[run] * compared) / compared.sum()
        errors[:, run] = np.bincount(one, parts, len(sizes)) + np.bincount(two, parts, len(sizes))
        pairs[run], cells[run] = parts @ parts, np.count_nonzero(accepted)
    return rates, errors, pairs, np.maximum(cells, 1.0)


def robust(sizes, errors, pairs, cells):
    between = sizes * (sizes.sum() - sizes)
    return spread_over_classes([ClassSums(errors, 2 * between / between.sum())], pairs, cells=cells)


def held(rates, spread, far):
    low, high = rate_limits(rates, spread, independent=105)
    return np.mean((low <= far) & (far <= high)), np.mean(high - low)


def test_few_unequal_classes_that_differ_are_held_more_often_by_intervals_no_wider():
    rates, errors, pairs, cells = draws(UNEQUAL, 0.1, 0.3, 1500, of_pair=0.5)
    spread = spread_of_pair_rates(rates, errors, pairs, weights=UNEQUAL, pictures=UNEQUAL, cells=cells)
    before, wide = held(rates, robust(UNEQUAL, errors, pairs, cells), 0.1)
    after, now = held(rates, spread, 0.1)
    assert after > before + 0.015
    assert 0.92 < after < 0.97
    assert now < wide * 1.02


def test_factors_are_found_whatever_the_weights_are_scaled_by():
    rates, errors, pairs, cells = draws(UNEQUAL, 0.05, 0.5, 3)
    one, other = (
        spread_of_pair_rates(rates, errors, pairs, weights=UNEQUAL * scale, pictures=UNEQUAL, cells=cells)
        for scale in (1.0, 0.01)
    )
    for left, right in zip(one, other, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-9)


def test_rejected_comparisons_vary_as_accepted_ones_do():
    rates, errors, pairs, cells = draws(UNEQUAL, 0.05, 0.5, 3)
    one = spread_of_pair_rates(rates, errors, pairs, weights=UNEQUAL, pictures=UNEQUAL, cells=cells)
    other = spread_of_pair_rates(1 - rates, -errors, pairs, weights=UNEQUAL, pictures=UNEQUAL, cells=cells)
    for left, right in zip(one, other, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-9)


def test_the_spread_is_that_of_many_draws():
    rates, errors, pairs, cells = draws(np.full(40, 5), 0.05, 0.4, 400)
    spread = spread_of_pair_rates(rates, errors, pairs, weights=np.full(40, 5), pictures=np.full(40, 5), cells=cells)
    assert np.mean(spread.variance) == pytest.approx(rates.var(), rel=0.15)
    # Two classes a comparison, and a squared coefficient of variation of exp(0.4^2) - 1.
    assert np.median(spread.of_one / rates**2) == pytest.approx(np.expm1(0.16), rel=0.2)


@pytest.mark.parametrize("sizes", [np.full(15, 10), UNEQUAL], ids=["equal", "unequal"])
@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a_rate_of_none_or_all_has_a_finite_spread(sizes, rate):
    spread = spread_of_pair_rates(
        np.array([rate]), np.zeros((15, 1)), np.zeros(1), weights=sizes, pictures=sizes, cells=np.ones(1)
    )
    assert all(np.isfinite(column).all() for column in spread)


def test_many_classes_tell_the_variance_by_themselves():
    sizes = np.full(101, 3)
    rates, errors, pairs, cells = draws(sizes, 0.05, 0.5, 2)
    spread = spread_of_pair_rates(rates, errors, pairs, weights=sizes, pictures=sizes, cells=cells)
    for left, right in zip(spread, robust(sizes, errors, pairs, cells), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-12)
