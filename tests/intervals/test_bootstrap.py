from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from nearkin.errors import InvalidInput
from nearkin.intervals.bootstrap import bootstrap_left_out, bootstrap_mean, bootstrap_median, bootstrap_runs
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
    assert function([3.0]) == Figure(3.0, None, None, 1)
    assert function([0.0, 1.0]).low is not None


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
    with pytest.raises(InvalidInput, match="groups: 0 given for 3"):
        function(np.zeros(3), groups=[])
    with pytest.raises(InvalidInput, match="at least one"):
        function(np.zeros((3, 1)))


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


def slow_interval(runs, groups, *, seed, resamples):
    """BCa by its definition: a list of values for each resample, and for each group that is left out.

    Efron & Tibshirani 1993, eq. 14.9 to 14.15; levels by Hesterberg 2015, section 3.4.1; runs as `bootstrap_runs` says.
    """
    names = sorted({name for its in groups for name in its})
    by_group = [
        {name: [x for x, own in zip(run, its, strict=True) if own == name] for name in names}
        for run, its in zip(runs, groups, strict=True)
    ]
    means = [sum(run) / len(run) for run in runs]

    def means_over(chosen):
        found = []
        for held, mean in zip(by_group, means, strict=True):
            values = [x for name in chosen for x in held[name]]
            found.append(sum(values) / len(values) if values else mean)
        return found

    value, count = sum(means) / len(means), len(names)
    drawn = [
        means_over([names[one] for one in row])
        for row in np.random.default_rng(seed).integers(count, size=(resamples, count))
    ]
    averages = sorted(sum(row) / len(row) for row in drawn)
    below = sum(one < value for one in averages) / resamples + sum(one == value for one in averages) / resamples / 2
    bias = stats.norm.ppf(np.clip(below, 1 / resamples, (resamples - 1) / resamples))
    without = [np.mean(means_over([name for name in names if name != out])) for out in names]
    cubes, squares = (sum((np.mean(without) - one) ** power for one in without) for power in (3, 2))
    acceleration = cubes / (6 * squares**1.5)
    sizes = [sum(len(held[name]) for held in by_group) for name in names]
    worth = sum(sizes) ** 2 / sum(size**2 for size in sizes)
    wide = stats.t.ppf(0.975, worth - 1) * np.sqrt(worth / (worth - 1))
    wide = min(wide, stats.norm.isf(1e-12))
    ends = []
    for z in (bias - wide, bias + wide):
        # Beyond its pole the level is that at infinity.
        beyond = 1 - acceleration * z <= 0
        level = float(z > 0) if beyond else stats.norm.cdf(bias + z / (1 - acceleration * z))
        at = level * (resamples - 1)
        low, part = int(at), at - int(at)
        ends.append(averages[low] + part * (averages[min(low + 1, resamples - 1)] - averages[low]))
    if len(runs) > 1:
        # What runs come to differ by as groups are drawn.
        of_groups = np.mean([np.var(np.subtract(row, means), ddof=1) for row in drawn])
        student, normal = stats.t.ppf(0.975, len(runs) - 1), stats.norm.ppf(0.975)
        more = max(student**2 * np.var(means, ddof=1) - normal**2 * of_groups, 0) / len(runs)
        ends = [value + sign * np.sqrt((value - end) ** 2 + more) for sign, end in zip((-1, 1), ends, strict=True)]
    return value, *ends


# Whole numbers, so that a resample that holds every group once gives the value itself, not one of nearly its size.
SKEWED = np.round(np.random.default_rng(5).exponential(8, size=30)).tolist()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("values", "groups"),
    [
        (SKEWED, list(range(30))),
        (SKEWED, [int(np.sqrt(i)) for i in range(30)]),
        ([-one for one in SKEWED], [i // 3 for i in range(30)]),
        ([one / 1024 for one in SKEWED], [i // 3 for i in range(30)]),
        ([9.0, 1.0, 4.0, 3.0], [0, 1, 1, 1]),
        # One group has nearly all values: beyond the pole of BCa.
        (SKEWED + [90.0] * 400, [*range(30), *[30] * 400]),
        ([-one for one in SKEWED] + [-90.0] * 400, [*range(30), *[30] * 400]),
    ],
    ids=["each alone", "unequal groups", "skewed the other way", "small", "two groups", "pole above", "pole below"],
)
def test_mean_is_the_slow_twins(values, groups, seed):
    figure = bootstrap_mean(values, groups=groups, seed=seed, resamples=150)
    twin = slow_interval([values], [groups], seed=seed, resamples=150)
    assert (figure.value, figure.low, figure.high) == pytest.approx(twin, rel=1e-9)


def test_resamples_that_all_lie_on_one_side_are_the_slow_twins():
    """A bias of three draws out of three is no infinite one."""
    sides = set()
    for seed in range(40):
        drawn = np.random.default_rng(seed).integers(30, size=(3, 30))
        sides.add(side := tuple(np.sign(np.array(SKEWED)[drawn].mean(axis=1) - np.mean(SKEWED))))
        figure = bootstrap_mean(SKEWED, seed=seed, resamples=3)
        twin = slow_interval([SKEWED], [range(30)], seed=seed, resamples=3)
        assert (figure.value, figure.low, figure.high) == pytest.approx(twin, rel=1e-9), side
    assert {(1, 1, 1), (-1, -1, -1)} < sides


@pytest.mark.parametrize(
    "groups", [[[i // 4 for i in range(30)]] * 3, [[i // 9 + 10 * run for i in range(30)] for run in range(3)]],
    ids=["the same groups", "groups of their own"],
)  # fmt: skip
@pytest.mark.parametrize("apart", [0.0, 6.0])
def test_runs_are_the_slow_twins(groups, apart):
    generator = np.random.default_rng(7)
    runs = [(np.round(generator.exponential(8, size=30)) + apart * run).tolist() for run in range(3)]
    figure = bootstrap_runs(runs, groups=groups, resamples=120)
    assert (figure.value, figure.low, figure.high) == pytest.approx(
        slow_interval(runs, groups, seed=0, resamples=120), rel=1e-9
    )
    assert figure.n == 90


def test_a_resample_may_hold_one_value_of_a_run_or_none():
    runs, groups = [[1.0, 4.0, 9.0], [2.0, 8.0, 5.0], [3.0, 3.0, 6.0]], [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    figure = bootstrap_runs(runs, groups=groups, resamples=100)
    twin = slow_interval(runs, groups, seed=0, resamples=100)
    assert (figure.value, figure.low, figure.high) == pytest.approx(twin, rel=1e-9)


@pytest.mark.parametrize("count", [30, 31])
@pytest.mark.parametrize("paired", [True, False])
def test_median_is_the_slow_twins(count, paired):
    """Medians of the values of the drawn groups, one resample after the other, for either model the same groups."""
    generator = np.random.default_rng(8)
    values, others = generator.exponential(size=(2, count))
    groups = np.arange(count) // 3
    total = groups[-1] + 1
    medians = []
    for row in np.random.default_rng(3).integers(total, size=(100, total)):
        rows = np.concatenate([np.flatnonzero(groups == one) for one in row])
        medians.append(np.median(values[rows]) - paired * np.median(others[rows]))
    tail = stats.norm.sf(stats.t.ppf(0.975, total - 1) * np.sqrt(total / (total - 1)))
    figure = bootstrap_median(values, groups=groups, minus=others if paired else None, seed=3, resamples=100)
    assert figure.value == pytest.approx(np.median(values) - paired * np.median(others))
    assert [figure.low, figure.high] == pytest.approx(np.quantile(medians, [tail, 1 - tail]).tolist())


@pytest.mark.parametrize("function", [bootstrap_mean, bootstrap_median])
def test_memory_changes_nothing(function, monkeypatch):
    """Resamples are drawn some at a time: all at once, seven, or one."""
    at_once = function(SKEWED, groups=np.arange(30) // 3, resamples=100)
    for block in (30 * 7, 1):
        monkeypatch.setattr("nearkin.intervals.bootstrap._BLOCK", block)
        assert function(SKEWED, groups=np.arange(30) // 3, resamples=100) == at_once


def test_left_out_is_the_bootstrap_of_pseudo_values():
    """Efron & Tibshirani 1993, eq. 11.13: n times the number, less n - 1 times that without a group."""
    left_out = [40.0, 44.0, 41.0, 52.0, 39.0, 47.0, 48.0, 41.0]
    pseudo = [8 * 45.0 - 7 * one for one in left_out]
    middle, low, high = slow_interval([pseudo], [range(8)], seed=2, resamples=200)
    figure = bootstrap_left_out(45.0, left_out, n=99, seed=2, resamples=200)
    assert (figure.value, figure.n) == (45.0, 99)
    assert (figure.low, figure.high) == pytest.approx((low - middle + 45, high - middle + 45))
    within = bootstrap_left_out(45.0, left_out, n=99, within=(44.0, 46.0))
    assert (within.value, within.low, within.high) == (45.0, 44.0, 46.0)
    assert figure.low < 44
    assert figure.high > 46


def test_left_out_without_any_effect():
    assert bootstrap_left_out(0.5, [0.5], n=7) == Figure(0.5, None, None, 7)
    assert bootstrap_left_out(0.5, [0.25, 0.75], n=7).low is not None
    # At the end of what is possible, as few groups as these may all be alike by chance; elsewhere nothing is known.
    exact = stats.binomtest(6, 6).proportion_ci().low
    figure = bootstrap_left_out(1.0, [1.0] * 6, n=7, within=(0.0, 1.0))
    assert (figure.value, figure.low, figure.high, figure.n) == (1.0, pytest.approx(exact), 1.0, 7)
    for value, without, within in ((1.0, 1.0, None), (0.5, 0.5, (0.0, 1.0)), (1.0, 0.5, (0.0, 1.0))):
        figure = bootstrap_left_out(value, [without] * 6, n=7, within=within)
        assert (figure.value, figure.low, figure.high) == (value, value, value)
    some = [bootstrap_left_out(1.0, [1.0, 1.0, 1.0, 0.875], n=7, within=within) for within in (None, (0.0, 1.0))]
    assert some[0].low == some[1].low < 1 == some[1].high < some[0].high


def test_the_rule_of_three_is_in_units_of_what_is_possible():
    exact = stats.binomtest(9, 9).proportion_ci().low
    assert bootstrap_mean([5.0] * 9, within=(-3.0, 5.0)).low == pytest.approx(-3 + 8 * exact)
    assert bootstrap_mean([-3.0] * 9, within=(-3.0, 5.0)).high == pytest.approx(5 - 8 * exact)


@pytest.mark.parametrize("within", [(1.0, 0.0), (1.0, 1.0), (float("nan"), 1.0)])
def test_impossible_bounds_are_named(within):
    with pytest.raises(InvalidInput, match="within is"):
        bootstrap_mean([0.5, 1.0], within=within)
