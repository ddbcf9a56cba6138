import numpy as np
import pytest

from nearkin.intervals.bootstrap import bootstrap_left_out, bootstrap_mean, bootstrap_median
from nearkin.intervals.paired_samples import Jackknife, Mean, Median

VALUES, OTHER = np.random.default_rng(0).random((2, 12))
GROUPS = np.arange(12) // 3


def test_each_is_its_bootstrap():
    within = (0.0, 1.0)
    assert Mean(VALUES, GROUPS).figure(seed=3) == bootstrap_mean(VALUES, groups=GROUPS, within=within, seed=3)
    assert Median(VALUES, GROUPS).figure(seed=3) == bootstrap_median(VALUES, groups=GROUPS, seed=3)
    left_out = bootstrap_left_out(0.5, VALUES, n=30, within=(-1.0, 1.0), seed=3)
    assert Jackknife(0.5, VALUES, 30, least=-1.0).figure(seed=3) == left_out


def test_differences_are_paired_and_know_no_bounds():
    apart = VALUES - OTHER
    assert Mean(VALUES, GROUPS).minus(Mean(OTHER, GROUPS), seed=3) == bootstrap_mean(apart, groups=GROUPS, seed=3)
    medians = bootstrap_median(VALUES, groups=GROUPS, seed=3, minus=OTHER)
    assert Median(VALUES, GROUPS).minus(Median(OTHER, GROUPS), seed=3) == medians
    jackknives = Jackknife(0.5, VALUES, 30).minus(Jackknife(0.75, OTHER, 30), seed=3)
    assert jackknives == bootstrap_left_out(-0.25, apart, n=30, seed=3)


def test_all_right_or_all_wrong_is_not_certain():
    least = 0.025 ** (1 / 4)
    # The most that any such index can be is 1.
    for all_right in (Mean(np.ones(4)), Jackknife(1.0, np.ones(4), 9)):
        assert (all_right.figure().low, all_right.figure().high) == (pytest.approx(least), 1.0)
    for all_wrong in (Mean(np.zeros(4)), Jackknife(0.0, np.zeros(4), 9)):
        assert (all_wrong.figure().low, all_wrong.figure().high) == (0.0, pytest.approx(1 - least))
    worst = Jackknife(-1.0, -np.ones(4), 9, least=-1.0).figure()
    assert (worst.low, worst.high) == (-1.0, pytest.approx(1 - 2 * least))
