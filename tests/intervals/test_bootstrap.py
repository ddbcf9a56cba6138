from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from nearkin.errors import InvalidInput
from nearkin.intervals.bootstrap import bootstrap_mean, bootstrap_median, bootstrap_runs
from nearkin.intervals.figure import Figure


def test_value_is_the_mean_over_all_values():
    values, groups = np.array([1.0, 2.0, 3.0, 10.0]), np.array([7, 7, 7, -1])
    assert bootstrap_mean(values, groups=groups).value == 4.0
    assert bootstrap_median(values, groups=groups).value == 2.5


def test_many_values_give_the_normal_interval():
    values = np.random.default_rng(0).normal(size=4000)
    figure = bootstrap_mean(values, resamples=4000)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert figure.low == pytest.approx(figure.value - half, abs=0.15 * half)
    assert figure.high == pytest.approx(figure.value + half, abs=0.15 * half)


def test_equals_scipy_up_to_the_wider_tail():
    values = np.random.default_rng(1).exponential(size=200)
    ours = bootstrap_mean(values, resamples=20000)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20000, method="BCa", rng=0).confidence_interval
    width = theirs.high - theirs.low
    assert [ours.low, ours.high] == pytest.approx([theirs.low, theirs.high], abs=0.04 * width)


def test_values_of_one_group_are_no_independent_evidence():
    values = np.random.default_rng(2).normal(size=50)
    alone = bootstrap_mean(values)
    repeated = bootstrap_mean(np.repeat(values, 20), groups=np.repeat(np.arange(50), 20))
    assert repeated.high - repeated.low == pytest.approx(alone.high - alone.low)


@pytest.mark.parametrize("function", [bootstrap_mean, bootstrap_median])
def test_one_group_has_no_interval(function):
    assert function(np.array([0.0, 1.0]), groups=np.array([5, 5])) == Figure(0.5, None, None, 2)


def test_only_successes_leave_room_for_failure():
    figure = bootstrap_mean(np.ones(60), groups=np.arange(60) // 2, within=(0.0, 1.0))
    exact = stats.binomtest(30, 30).proportion_ci(0.95, method="exact")
    assert (figure.value, figure.low, figure.high) == (1.0, pytest.approx(exact.low), 1.0)
    none = bootstrap_mean(np.zeros(60), groups=np.arange(60) // 2, within=(0.0, 1.0))
    assert (none.value, none.low, none.high) == (0.0, 0.0, pytest.approx(1 - exact.low))


def test_no_difference_anywhere_is_no_difference():
    assert bootstrap_mean(np.zeros(9)) == Figure(0.0, 0.0, 0.0, 9)


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(3).normal(size=30)
    assert bootstrap_mean(values, seed=4) == bootstrap_mean(values, seed=4)
    assert bootstrap_mean(values, seed=4) != bootstrap_mean(values, seed=5)


def test_interval_narrows_with_more_data():
    widths = []
    for count in (10, 100, 1000):
        figure = bootstrap_mean(np.random.default_rng(6).normal(size=count))
        widths.append(figure.high - figure.low)
    assert all(wide > 2 * narrow for wide, narrow in pairwise(widths))


@pytest.mark.parametrize(("classes", "success", "cohesion"), [(20, 0.7, 0.3), (60, 0.9, 0.1)])
def test_intervals_cover_the_truth(classes, success, cohesion):
    """Classes of 1 to 10 queries whose success rates differ (beta); 95 % intervals, so about 95 % cover."""
    generator = np.random.default_rng(0)
    shape = (1 - cohesion) / cohesion
    covered, runs = 0, 400
    for run in range(runs):
        sizes = generator.integers(1, 11, size=classes)
        rates = generator.beta(success * shape, (1 - success) * shape, size=classes)
        groups = np.repeat(np.arange(classes), sizes)
        values = (generator.random(len(groups)) < rates[groups]).astype(float)
        figure = bootstrap_mean(values, groups=groups, within=(0.0, 1.0), seed=run, resamples=500)
        covered += figure.low <= success <= figure.high
    assert 0.925 <= covered / runs <= 0.98


def test_median_interval_covers_the_truth():
    generator = np.random.default_rng(0)
    figures = [bootstrap_median(generator.exponential(size=101), seed=run, resamples=500) for run in range(300)]
    assert 0.92 <= np.mean([figure.low <= np.log(2) <= figure.high for figure in figures]) <= 0.98


def test_median_of_resamples_equals_numpy():
    """Weights in a resample mean copies: checked by an interval that only the extremes reach."""
    values = np.array([1.0, 2.0])
    assert bootstrap_median(values, resamples=200) == Figure(1.5, 1.0, 2.0, 2)


@pytest.mark.parametrize("function", [bootstrap_mean, bootstrap_median])
def test_bad_input_is_named(function):
    with pytest.raises(InvalidInput, match="at least one"):
        function(np.array([]))
    with pytest.raises(InvalidInput, match="groups: 2 given for 3"):
        function(np.zeros(3), groups=np.array([0, 1]))


def test_one_run_is_bootstrap_mean():
    values, groups = np.random.default_rng(0).random(30), np.arange(30) // 4
    assert bootstrap_runs([values], groups=groups) == bootstrap_mean(values, groups=groups)


def test_runs_that_agree_add_nothing_and_runs_that_differ_do():
    values, groups = np.random.default_rng(0).random(30), np.arange(30) // 4
    one, same = bootstrap_mean(values, groups=groups), bootstrap_runs([values] * 3, groups=groups)
    assert (same.low, same.high) == pytest.approx((one.low, one.high))
    apart = bootstrap_runs([values - 0.1, values, values + 0.1], groups=groups)
    half = stats.t.ppf(0.975, 2) * 0.1 / np.sqrt(3)
    assert apart.value == pytest.approx(one.value)
    assert apart.high - apart.value == pytest.approx(np.hypot(one.high - one.value, half))
    assert apart.value - apart.low == pytest.approx(np.hypot(one.value - one.low, half))


def test_value_is_the_mean_of_the_runs_means():
    figure = bootstrap_runs([[1.0, 0.0], [1.0, 1.0, 1.0, 0.0]], groups=[[0, 1], [0, 1, 2, 3]])
    assert (figure.value, figure.n) == (0.625, 6)


@pytest.mark.parametrize("own_groups", [False, True])
def test_intervals_over_runs_cover_the_truth(own_groups):
    """Five runs that differ, on the same or on other classes that differ."""
    generator = np.random.default_rng(0)
    covered, trials = 0, 250
    for trial in range(trials):
        classes = generator.normal(size=(5 if own_groups else 1, 25))
        values = 0.3 + 0.3 * generator.normal(size=(5, 1)) + classes + 0.3 * generator.normal(size=(5, 25))
        groups = np.arange(125).reshape(5, 25) if own_groups else np.arange(25)
        figure = bootstrap_runs(list(values), groups=groups, seed=trial, resamples=300)
        covered += figure.low <= 0.3 <= figure.high
    assert 0.93 <= covered / trials <= 0.99


def test_runs_stay_within_their_bounds():
    figure = bootstrap_runs([[1, 1, 1, 1], [1, 1, 0, 0]], groups=[0, 1, 2, 3], within=(0.0, 1.0))
    assert (figure.low, figure.high) == (0.0, 1.0)


def test_bad_runs_are_named():
    with pytest.raises(InvalidInput, match="no runs given"):
        bootstrap_runs([])
    with pytest.raises(InvalidInput, match="groups of 1 runs given for 2"):
        bootstrap_runs([[1.0], [1.0]], groups=[[0]])
    with pytest.raises(InvalidInput, match="at least one"):
        bootstrap_runs([[1.0], []])
