import numpy as np
import pytest
from scipy import stats

from nearkin.intervals.binomial import (
    clopper_pearson,
    difference_figure,
    effective_trials,
    jeffreys,
    logit_normal,
    share_figure,
    student,
)  # fmt: skip
from nearkin.intervals.figure import Figure


@pytest.mark.parametrize("freedom", [1, 2.5, 14, 1e9])
def test_student_is_scipys(freedom):
    assert student(freedom) == pytest.approx(stats.t.ppf(0.975, freedom))


@pytest.mark.parametrize(("hits", "trials"), [(0, 30), (1, 12), (30, 100), (30, 30)])
def test_clopper_pearson_is_scipys(hits, trials):
    exact = stats.binomtest(hits, trials).proportion_ci(0.95, method="exact")
    assert clopper_pearson(hits / trials, trials) == pytest.approx((exact.low, exact.high))


@pytest.mark.parametrize(("hits", "trials"), [(1, 12), (30, 100), (99, 100)])
def test_jeffreys_is_the_beta_posterior(hits, trials):
    posterior = stats.beta(hits + 0.5, trials - hits + 0.5)
    assert jeffreys(hits / trials, trials) == pytest.approx((posterior.ppf(0.025), posterior.ppf(0.975)))


def test_jeffreys_reaches_the_end_where_nothing_was_hit_or_missed():
    assert jeffreys(0.0, 20)[0] == 0.0
    assert jeffreys(1.0, 20)[1] == 1.0


def test_logit_normal_is_even_on_the_log_odds():
    low, high = logit_normal(0.2, 0.01, 9.0)
    reach = stats.t.ppf(0.975, 9) * 0.1 / (0.2 * 0.8)
    middle = np.log(0.2 / 0.8)
    assert np.log(low / (1 - low)) == pytest.approx(middle - reach)
    assert np.log(high / (1 - high)) == pytest.approx(middle + reach)


def test_effective_trials():
    assert effective_trials(0.3, 0.3 * 0.7 / 100, 1e12) == pytest.approx(100)
    assert effective_trials(0.3, 0.3 * 0.7 / 100, 5) == pytest.approx(100 * (1.959964 / stats.t.ppf(0.975, 5)) ** 2)


def test_limits_take_arrays():
    rates, trials = np.array([0.0, 0.1, 1.0]), np.array([10.0, 20.0, 30.0])
    for limits in (clopper_pearson, jeffreys):
        together = np.transpose(limits(rates, trials))
        assert together.tolist() == [list(limits(one, some)) for one, some in zip(rates, trials, strict=True)]


def test_share_figure_is_clopper_pearson_at_the_effective_number():
    exact = stats.binomtest(30, 100).proportion_ci(0.95, method="exact")
    figure = share_figure(0.3, 0.3 * 0.7 / 100, 1e9, independent=40, n=7)
    assert (figure.value, figure.n) == (0.3, 7)
    assert (figure.low, figure.high) == (pytest.approx(exact.low, abs=1e-4), pytest.approx(exact.high, abs=1e-4))
    certain = share_figure(1.0, 0.0, 50.0, independent=30, n=100)
    assert (certain.low, certain.high) == (pytest.approx(stats.binomtest(30, 30).proportion_ci().low), 1.0)
    assert share_figure(0.0, 0.01, 50.0, independent=30, n=100).high == pytest.approx(1 - certain.low)
    assert share_figure(1.0, 0.01, 50.0, independent=30, n=100) == certain
    # No spread, though the share is inside.
    inside = share_figure(0.5, 0.0, 50.0, independent=30, n=100)
    assert (inside.low, inside.high) == pytest.approx(stats.binomtest(15, 30).proportion_ci())
    # A spread beyond that of one trial says nothing, and does not fail.
    wide = share_figure(0.5, 1e9, 1.0, independent=30, n=100)
    assert wide.low < 1e-6
    assert wide.high > 1 - 1e-6


@pytest.mark.parametrize(("freedom", "independent"), [(0.5, 10), (10.0, 1)])
def test_one_unit_has_no_interval(freedom, independent):
    assert share_figure(0.5, 0.1, freedom, independent=independent, n=4) == Figure(0.5, None, None, 4)


def test_two_units_have_one():
    assert share_figure(0.5, 0.1, 1.0, independent=2, n=4).low is not None


def test_difference_figure():
    figure = difference_figure(0.2, 0.01, 9.0, n=5)
    half = stats.t.ppf(0.975, 9) * 0.1
    assert (figure.value, figure.n) == (0.2, 5)
    assert (figure.low, figure.high) == (pytest.approx(0.2 - half), pytest.approx(0.2 + half))
    assert difference_figure(0.2, 0.01, 0.0, n=5) == Figure(0.2, None, None, 5)
    assert difference_figure(0.2, 0.01, 1.0, n=5).low is not None
