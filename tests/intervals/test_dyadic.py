import numpy as np
import pytest
from scipy import stats

from nearkin.intervals.dyadic import Overlapping, share_figure, variance


def slow_variance(parts, units):
    """Aronow, Samii & Assenova: the covariances of all measurements that share a unit."""
    total = 0.0
    for one, mine in zip(parts, units, strict=True):
        for other, theirs in zip(parts, units, strict=True):
            total += one * other * len(set(mine) & set(theirs))
    # Measurements with the same units are one; each is counted once for every unit it has, but belongs there once.
    kinds = {}
    for one, mine in zip(parts, units, strict=True):
        kinds[frozenset(mine)] = kinds.get(frozenset(mine), 0.0) + one
    return total - sum((len(kind) - 1) * value**2 for kind, value in kinds.items())


@pytest.mark.parametrize("wide", [2, 3])
def test_variance_is_the_slow_twins(wide):
    generator = np.random.default_rng(wide)
    units = generator.integers(6, size=(40, wide))
    parts = generator.normal(size=40) + generator.normal(size=6)[units].sum(axis=1)
    assert variance(parts, units)[0] == pytest.approx(slow_variance(parts, units))


def test_pairs_of_their_own_vary_as_independent_ones():
    parts = np.random.default_rng(0).normal(size=300)
    parts -= parts.mean()
    found, freedom = variance(parts, np.arange(600).reshape(-1, 2))
    assert found == pytest.approx((parts**2).sum())
    assert freedom > 100


def test_a_unit_that_stands_twice_counts_once():
    parts = np.array([0.2, -0.1, -0.1])
    once = variance(parts, np.array([[0], [1], [2]]))
    assert variance(parts, np.array([[0, 0], [1, 1], [2, 2]])) == once


def test_share_figure_is_clopper_pearson():
    exact = stats.binomtest(30, 100).proportion_ci(0.95, method="exact")
    figure = share_figure(0.3, 0.3 * 0.7 / 100, 1e9, independent=100, n=100)
    assert (figure.low, figure.high) == (pytest.approx(exact.low, abs=1e-4), pytest.approx(exact.high, abs=1e-4))
    certain = share_figure(1.0, 0.0, 50.0, independent=30, n=100)
    assert (certain.low, certain.high) == (pytest.approx(stats.binomtest(30, 30).proportion_ci().low), 1.0)
    assert share_figure(0.0, 0.0, 50.0, independent=30, n=100).low == 0.0


def test_one_unit_has_no_interval():
    assert share_figure(0.5, 0.0, 0.0, independent=1, n=4).low is None


def test_difference_of_a_thing_to_itself_is_none():
    one = Overlapping(0.5, np.array([0.25, -0.25]), np.array([[0, 1], [2, 3]]), independent=2, n=2)
    figure = one.minus(one)
    assert (figure.value, figure.low, figure.high) == (0.0, 0.0, 0.0)
