import numpy as np
import pytest
from scipy import stats

from nearkin.intervals.mean_over_groups import MeanOverGroups


def draw(seed, groups=8, each=12, effect=0.15):
    generator = np.random.default_rng(seed)
    members = np.repeat(np.arange(groups), each)
    rates = np.clip(0.7 + effect * generator.normal(size=groups), 0, 1)
    return generator.binomial(15, rates[members]) / 15, members


def test_the_variance_is_that_of_the_groups_means():
    """With groups of one size the mean is one of `groups` independent means."""
    values, members = draw(0)
    means = values.reshape(8, 12).mean(axis=1)
    variance, several = MeanOverGroups(values, members)._variance()
    assert several == 8
    assert variance == pytest.approx(means.var(ddof=1) / 8)


def test_intervals_hold_over_groups():
    held = 0
    for seed in range(200):
        figure = MeanOverGroups(*draw(seed)).figure()
        held += figure.low <= 0.7 <= figure.high
    assert 0.90 <= held / 200 <= 0.99


def test_order_and_names_of_groups_change_nothing():
    values, members = draw(1)
    order = np.random.default_rng(0).permutation(len(values))
    one, two = MeanOverGroups(values, members), MeanOverGroups(values[order], 100 - members[order])
    assert (one.figure().low, one.figure().high) == pytest.approx((two.figure().low, two.figure().high))


def test_difference_and_single_group():
    values, members = draw(2)
    same = MeanOverGroups(values, members)
    assert same.minus(same).value == 0.0
    assert (same.minus(same).low, same.minus(same).high) == (0.0, 0.0)
    better = MeanOverGroups(np.minimum(values + 0.1, 1), members).minus(same)
    assert better.low > 0
    assert MeanOverGroups(values, np.zeros(len(values), dtype=np.int64)).figure().low is None


def test_a_difference_has_students_interval_over_groups():
    """Two groups, whose means differ by 0.2 and 0.4: one degree of freedom."""
    members, zero = np.array([0, 0, 1, 1]), MeanOverGroups(np.zeros(4), np.array([0, 0, 1, 1]))
    figure = MeanOverGroups(np.array([0.1, 0.3, 0.4, 0.4]), members).minus(zero)
    half = stats.t.ppf(0.975, 1) * np.std([0.2, 0.4], ddof=1) / np.sqrt(2)
    assert (figure.value, figure.high - figure.value, figure.n) == (pytest.approx(0.3), pytest.approx(half), 4)


def test_a_share_has_exact_limits_at_its_effective_number():
    figure = MeanOverGroups(np.array([0.1, 0.3, 0.4, 0.4, 0.7]), np.array([0, 0, 1, 1, 2])).figure()
    # Errors from the mean 0.38 sum to -0.36, 0.04 and 0.32 in the three groups.
    variance = 3 / 2 * (0.36**2 + 0.04**2 + 0.32**2) / 25
    trials = 0.38 * 0.62 / variance * (1.959964 / stats.t.ppf(0.975, 2)) ** 2
    assert figure.low == pytest.approx(stats.beta.ppf(0.025, 0.38 * trials, 0.62 * trials + 1), rel=1e-5)
