"""The spread of a mean over comparisons within classes of unequal size."""

import numpy as np
import pytest
from scipy import stats

from nearkin.intervals.class_rates import _spread_if_alike, spread_of_class_means
from nearkin.intervals.dyadic import rate_limits


def rates_of(accepted, sizes):
    """Rate, errors of classes and their share of all comparisons."""
    rate = accepted.sum(axis=-1) / sizes.sum()
    return rate, ((accepted - np.multiply.outer(rate, sizes)) / sizes.sum()).T, sizes / sizes.sum()


def test_one_comparison_a_class_is_a_binomial():
    sizes = np.ones(20, dtype=int)
    rate, errors, share = rates_of(np.repeat([1, 0], [15, 5]), sizes)
    spread = _spread_if_alike(errors, share, sizes, rate * (1 - rate))
    assert spread.variance == pytest.approx(0.75 * 0.25 / 20, rel=1e-6)
    assert spread.freedom > 1e6
    assert spread.of_classes == 0.0
    assert spread.of_one == 0.0


def test_as_a_slow_sum_over_all_divisions_of_the_variance():
    """The likelihood from the full covariance of contrasts, one correlation after the other."""
    sizes = np.array([1, 1, 3, 10, 45, 190])
    rate, errors, share = rates_of(np.array([1, 0, 3, 8, 44, 171]), sizes)
    single = rate * (1 - rate)
    found = _spread_if_alike(errors, share, sizes, single)
    contrasts = np.linalg.svd(np.ones((1, 6)))[2][1:]  # free of the mean
    shared, alone = (share**2).sum(), (share**2 / sizes).sum()
    chances, variances, of_classes, ones = [], [], [], []
    for odds in np.arange(-5, 10.01, 0.1):
        part = 1 / (1 + np.exp(-odds))
        r = part * alone / (shared - part * (shared - alone))
        covariance = contrasts @ np.diag(single * (r + (1 - r) / sizes)) @ contrasts.T
        likelihood = stats.multivariate_normal(cov=covariance).pdf(contrasts @ (errors / share))
        chances.append(likelihood * np.sqrt(part * (1 - part)))
        variances.append(single * (share**2 * (r + (1 - r) / sizes)).sum())
        of_classes.append(single * r * shared)
        ones.append(single * r)
    chances = np.array(chances) / np.sum(chances)
    mean = chances @ variances
    freedom = 4 + 2 / (chances @ np.square(variances) / mean**2 - 1)
    assert found.freedom == pytest.approx(freedom)
    assert found.variance == pytest.approx(mean * (freedom - 2) / freedom)
    assert found.of_classes == pytest.approx(chances @ of_classes / mean)
    assert found.of_one == pytest.approx(chances @ ones)
    assert found.effective == 6


def test_the_robust_variance_is_averaged_in_by_its_degrees_of_freedom():
    sizes = np.array([1, 3, 6, 10, 15])
    rate, errors, share = rates_of(np.array([1, 2, 5, 10, 9]), sizes)
    alike = _spread_if_alike(errors, share, sizes, rate * (1 - rate))
    both = spread_of_class_means(errors, share, sizes, rate * (1 - rate))
    second = (share**2).sum()
    shown = (share**2 * ((1 - share) ** 2 + second - share**2)).sum() / second
    robust, freedom = (errors**2).sum() / shown, 1 / second - 1
    told = freedom / (freedom + alike.freedom)
    assert both.variance == pytest.approx(told * robust + (1 - told) * alike.variance)
    assert both[1:] == alike[1:]


def test_figures_side_by_side_are_as_alone():
    generator, sizes = np.random.default_rng(0), np.array([1, 3, 6, 10, 10, 45])
    rate, errors, share = rates_of(generator.binomial(sizes, 0.8, size=(4, 6)), sizes)
    together = spread_of_class_means(errors, share, sizes, rate * (1 - rate))
    for one in range(4):
        alone = spread_of_class_means(errors[:, one], share, sizes, rate[one] * (1 - rate[one]))
        np.testing.assert_allclose([column[one] for column in (*together[:3], together[4])], [*alone[:3], alone[4]])


@pytest.mark.parametrize("spread", [0.0, 0.1])
def test_intervals_of_unequal_classes_hold_and_are_narrower(spread):
    """The cluster-robust variance alone gave intervals three times as wide as that of equal coverage."""
    generator, sizes = np.random.default_rng(1), np.array([1, 1, 1, 3, 3, 6, 6, 10, 10, 15, 28, 45, 91, 190, 780])
    chances = generator.beta(7.2, 0.8, size=(400, 15)) if spread else 0.9
    rate, errors, share = rates_of(generator.binomial(sizes, chances, size=(400, 15)), sizes)
    low, high = rate_limits(rate, spread_of_class_means(errors, share, sizes, rate * (1 - rate)), independent=15)
    assert np.mean((low <= 0.9) & (high >= 0.9)) > 0.92
    best = np.diff(np.quantile(rate, [0.025, 0.975]))[0]
    assert np.mean(high - low) < 2 * best


def test_many_classes_vary_as_a_binomial_if_they_are_alike():
    """Their likelihood alone is larger, or smaller, than any float."""
    generator = np.random.default_rng(0)
    for chance in (0.9, 0.5):
        sizes = np.repeat([4, 10], 2000)
        rate, errors, share = rates_of(generator.binomial(sizes, chance), sizes)
        spread = spread_of_class_means(errors, share, sizes, rate * (1 - rate))
        assert spread.variance == pytest.approx(chance * (1 - chance) / 28_000, rel=0.05)
