import numpy as np
import pytest
from scipy import stats

from nearkin.intervals.dyadic import (
    ClassSums,
    MeanOverPairs,
    Spread,
    combined,
    rate_figure,
    rate_limits,
    spread_of_pairs,
    spread_over_classes,
)  # fmt: skip
from nearkin.intervals.figure import Figure


def slow_sums(parts, classes):
    """What each class, and each set of classes, adds; and the leverage of each class, by a loop."""
    names = sorted({int(one) for row in classes for one in row})
    kinds = {}
    for part, row in zip(parts, classes, strict=True):
        kinds.setdefault(frozenset(row.tolist()), []).append(part)
    within = {kind: values for kind, values in kinds.items() if len(kind) == 1}
    between = {kind: values for kind, values in kinds.items() if len(kind) > 1}
    return names, within, between


def slow_spread(parts, classes):
    names, within, between = slow_sums(parts, classes)
    count = len(names)
    totals, found, effective, ways = np.zeros(count), [], [], []
    for kind in (within, between):
        total = sum(map(len, kind.values()))
        errors = np.array([sum(sum(v) for k, v in kind.items() if name in k) for name in names])
        leverage = np.array([sum(len(v) for k, v in kind.items() if name in k) / total for name in names])
        several = round(sum(leverage))
        # Of an effect of class k, the sum of class i shows so much; in all, compared with what the effect adds.
        shown = 0.0
        for i in range(count):
            for k in range(count):
                shown += (leverage[i] * (1 - leverage[i] if i == k else leverage[k] / several)) ** 2
        shown /= np.sum(leverage**2)
        totals += errors / np.sqrt(shown)
        found.append(np.sum(errors**2))
        effective.append(leverage.sum() ** 2 / np.sum(leverage**2))
        ways.append(several)
    pairs = sum((len(kind) - 1) * sum(values) ** 2 for kind, values in between.items())
    own = sum(sum(values) ** 2 for values in within.values())
    # found = shown * of_classes + (2 - square) * rest; pairs = seen * of_classes + left * rest.
    square = np.sum(leverage**2)
    both = [leverage[i] ** 2 * leverage[k] ** 2 for i in range(count) for k in range(i)]
    left, seen = 1 - sum(both) / 4, (square - np.sum(leverage**4) / square) / 4
    first, _ = np.linalg.solve([[shown, 2 - square], [seen, left]], [found[1], pairs])
    rest = max(pairs - seen * max(first, 0), 0) / left
    of_classes = max(np.sum(totals**2) - (2 - square) / shown * rest, own)
    variance = of_classes + rest
    worth = np.dot(found, effective) / np.sum(found)
    noise = of_classes * (of_classes + 2 * rest) / (worth - 1) + rest**2 / len(between)
    several = np.dot(found, ways) / np.sum(found)
    return variance, max(variance**2 / noise, 1.0), of_classes / variance, worth, worth * of_classes / several**2


@pytest.mark.parametrize("effect", [0.0, 1.0])
def test_spread_is_the_slow_twins(effect):
    generator = np.random.default_rng(2)
    classes = generator.integers(7, size=(60, 2))
    classes[:20] = classes[:20, :1]
    parts = generator.normal(size=60) + effect * generator.normal(size=7)[classes].sum(axis=1)
    assert spread_of_pairs(parts, classes) == pytest.approx(slow_spread(parts, classes))


def test_classes_differ_by_no_less_than_the_comparisons_within_them_show():
    """Much is left of the comparisons of different classes, and would be taken off more than there is."""
    generator = np.random.default_rng(2)
    classes = generator.integers(5, size=(14, 2))
    classes[:9] = classes[:9, :1]
    parts = generator.normal(size=14) * np.repeat([1, 3], [9, 5])
    spread = spread_of_pairs(parts, classes)
    assert spread == pytest.approx(slow_spread(parts, classes))
    within = slow_sums(parts, classes)[1].values()
    assert spread.variance * spread.of_classes == pytest.approx(sum(sum(values) ** 2 for values in within))


def test_the_unit_of_the_parts_is_that_of_the_variance():
    generator = np.random.default_rng(2)
    parts, classes = generator.normal(size=60), generator.integers(7, size=(60, 2))
    for unit in (1e-3, 1e3):
        one, other = spread_of_pairs(parts, classes), spread_of_pairs(parts * unit, classes)
        assert other.variance == pytest.approx(one.variance * unit**2)
        assert other.of_one == pytest.approx(one.of_one * unit**2)
        np.testing.assert_allclose(other[1:4], one[1:4])


def test_kinds_of_comparisons_stand_in_any_order():
    generator = np.random.default_rng(0)
    within = ClassSums(generator.normal(size=6), generator.dirichlet(np.ones(6)))
    between = ClassSums(generator.normal(size=6), 2 * generator.dirichlet(np.ones(6)))
    one, other = (spread_over_classes(sums, 6.0, cells=9) for sums in ([within, between], [between, within]))
    np.testing.assert_allclose(one, other)
    assert 0 < one.of_classes < 0.95


def social_relations(classes, between, within, generator, runs):
    """Pairs with an effect of each of their classes and one of their own: the truth is known."""
    i, j = np.triu_indices(classes, 1)
    effects = between * generator.normal(size=(runs, classes))
    return i, j, effects[:, i] + effects[:, j] + within * generator.normal(size=(runs, len(i)))


@pytest.mark.parametrize("between", [0.0, 0.3, 1.0])
def test_variance_is_right_on_average(between):
    """With few classes, where a plain cluster-robust variance is a fifth too small."""
    i, j, values = social_relations(12, between, 1.0, np.random.default_rng(0), 1500)
    means = values.mean(axis=1)
    found = np.array(
        [spread_of_pairs((row - row.mean()) / len(row), np.stack([i, j], axis=1)).variance for row in values[:400]]
    )
    truth = 4 * between**2 / 12 + 1 / 66
    assert means.var() == pytest.approx(truth, rel=0.1)
    # Never taken to differ by less than nothing, so a third too large where classes do not differ.
    assert 0.9 < found.mean() / truth < (1.1 if between == 1 else 1.4)


def test_freedom_is_that_of_the_classes_where_only_they_differ():
    i, j, values = social_relations(20, 1.0, 0.0, np.random.default_rng(0), 1)
    spread = spread_of_pairs((values[0] - values[0].mean()) / len(i), np.stack([i, j], axis=1))
    assert 15 < spread.freedom < 25
    assert spread.of_classes > 0.85


def test_pairs_of_their_own_vary_as_independent_ones():
    parts = np.random.default_rng(0).normal(size=300)
    parts -= parts.mean()
    spread = spread_of_pairs(parts, np.arange(600).reshape(-1, 2))
    assert spread.variance == pytest.approx((parts**2).sum(), rel=0.01)
    assert spread.freedom > 100
    assert spread.of_classes < 0.02


def test_a_class_that_stands_twice_counts_once():
    parts = np.array([0.2, -0.1, -0.1])
    once = spread_of_pairs(parts, np.array([[0], [1], [2]]))
    assert spread_of_pairs(parts, np.array([[0, 0], [1, 1], [2, 2]])) == once
    once = spread_of_pairs(parts, np.array([[0, 1], [1, 2], [2, 3]]))
    assert spread_of_pairs(parts, np.array([[0, 1, 1], [1, 2, 2], [2, 3, 3]])) == once
    assert spread_of_pairs(parts, np.array([[0, 0, 1], [1, 1, 2], [3, 2, 3]])) == once


def test_no_spread_at_all():
    spread = spread_over_classes([ClassSums(np.zeros(5), np.full(5, 0.2))], 0.0)
    assert spread == (0, 4, 0, 5, 0)
    assert spread_of_pairs(np.zeros(3), np.array([[0, 1], [1, 2], [2, 0]])) == (0, 2, 0, 3, 0)


def test_two_classes_have_one_degree_of_freedom():
    spread = spread_over_classes([ClassSums(np.array([0.1, -0.1]), np.array([0.5, 0.5]))], 0.0)
    assert spread.freedom == pytest.approx(1)
    assert spread.variance == pytest.approx(0.04)  # twice their squares: the mean takes part in each


def test_several_estimates_at_once():
    generator = np.random.default_rng(0)
    errors, leverage = generator.normal(size=(6, 3)), generator.dirichlet(np.ones(6))
    pairs, cells = np.array([0.1, 2.0, 0.0]), np.array([3.0, 4.0, 5.0])
    together = spread_over_classes([ClassSums(errors, leverage)], pairs, own=pairs / 2, cells=cells)
    for one in range(3):
        alone = spread_over_classes(
            [ClassSums(errors[:, one], leverage)], float(pairs[one]), own=float(pairs[one] / 2), cells=float(cells[one])
        )
        assert [float(part[one]) for part in together] == pytest.approx([float(part) for part in alone])


def test_limits_are_binomial_without_classes_and_even_on_log_odds_with_them_alone():
    variance = 0.1 * 0.9 / 50
    low, high = rate_limits(0.1, Spread(variance, 1e12, 0.0), independent=9)
    posterior = stats.beta(5.5, 45.5)
    assert (low, high) == pytest.approx((posterior.ppf(0.025), posterior.ppf(0.975)))
    low, high = rate_limits(0.1, Spread(variance, 1e12, 1.0), independent=9)
    assert low * high / ((1 - low) * (1 - high)) == pytest.approx((0.1 / 0.9) ** 2)
    assert np.log(high / (1 - high) * 9) == pytest.approx(1.959964 * np.sqrt(variance) / 0.09)
    for freedom in (10.0, 1.0):
        edges = np.array(rate_limits(0.1, Spread(variance, freedom, 1.0), independent=9))
        reach = np.log(edges / (1 - edges) * 9) / (np.sqrt(variance) / 0.09)
        assert reach == pytest.approx([-stats.t.ppf(0.975, freedom), stats.t.ppf(0.975, freedom)])
    between = rate_limits(0.1, Spread(variance, 1e12, 0.5), independent=9)
    assert between[0] == pytest.approx(np.sqrt(low * posterior.ppf(0.025)))


def test_where_nothing_varies_exact_limits_hold():
    none, all_ = (rate_limits(rate, Spread(0.0, 5.0, 0.0), independent=20) for rate in (0.0, 1.0))
    exact = stats.binomtest(0, 20).proportion_ci().high
    assert none == pytest.approx((0.0, exact))
    assert all_ == pytest.approx((1 - exact, 1.0))
    half = rate_limits(0.5, Spread(0.0, 5.0, 0.0), independent=20)
    assert half == pytest.approx(tuple(stats.binomtest(10, 20).proportion_ci()))
    # All or none are accepted: a variance says nothing there.
    assert [rate_limits(rate, Spread(1e-3, 5.0, 0.5), independent=20) for rate in (0.0, 1.0)] == [none, all_]
    assert rate_limits(0.0, Spread(0.0, 5.0, 0.0), independent=20, interval="another group")[1] == pytest.approx(
        stats.binomtest(0, 10).proportion_ci().high
    )


def test_another_group_varies_twice_as_much():
    one = rate_limits(0.3, Spread(2e-4, 30.0, 0.4), independent=9, interval="another group")
    other = rate_limits(0.3, Spread(4e-4, 30.0, 0.4), independent=9)
    np.testing.assert_allclose(one, other)


def test_a_single_class_has_no_interval():
    assert rate_figure(0.5, Spread(0.1, 1.0, 0.0), independent=1, n=4) == Figure(0.5, None, None, 4)
    assert rate_figure(0.5, Spread(0.1, 1.0, 0.0), independent=2, n=4).low is not None


@pytest.mark.parametrize(("rate", "rare"), [(0.1, 0.1), (0.9, 0.1)])
def test_rates_of_classes_that_differ_much_tell_less_of_their_variance(rate, rare):
    """Degrees of freedom by hand, with the kurtosis of a gamma distribution."""
    spread = Spread(1e-4, 30.0, 0.8, 20.0, 2e-3)
    varies = 2e-3 / rare**2 * (1 - 2 * rare) ** 2
    freedom = 1 / (1 / 30 + 3 * varies * 0.8**2 / 19)
    by_hand = rate_limits(rate, Spread(1e-4, freedom, 0.8), independent=9)
    np.testing.assert_allclose(rate_limits(rate, spread, independent=9), by_hand)
    assert freedom < 25
    most = [rate_limits(rate, Spread(1e-4, 30.0, 0.8, 20.0, of_one), independent=9) for of_one in (5e-3, 1.0)]
    np.testing.assert_allclose(*most)
    # Where it is not known how much they differ, nothing is allowed for.
    unknown = rate_limits(rate, Spread(1e-4, 30.0, 0.8, 20.0), independent=9)
    np.testing.assert_allclose(unknown, rate_limits(rate, Spread(1e-4, 30.0, 0.8), independent=9))


def test_one_class_with_nearly_all_comparisons_shows_nothing_of_others():
    leverage = np.array([0.98, 0.98, *np.full(58, 0.04 / 58)])
    errors = np.array([1e-3, -1e-3, *np.zeros(58)])
    spread = spread_over_classes([ClassSums(errors, leverage)], 1e-6, cells=3)
    assert np.isfinite(spread).all()
    assert spread.freedom < 3


def test_difference_of_a_thing_to_itself_is_none():
    one = MeanOverPairs(0.5, np.array([0.25, -0.25]), np.array([[0, 1], [2, 3]]), independent=2, n=2)
    figure = one.minus(one)
    assert (figure.value, figure.low, figure.high) == (0.0, 0.0, 0.0)


def test_a_difference_is_of_the_parts():
    generator = np.random.default_rng(0)
    classes = generator.integers(9, size=(40, 2))
    a, b = (generator.normal(size=40) for _ in range(2))
    one, other = (MeanOverPairs(value, parts, classes, independent=9, n=40) for value, parts in ((0.7, a), (0.4, b)))
    spread = spread_of_pairs(a - b, classes)
    half = stats.t.ppf(0.975, spread.freedom) * np.sqrt(spread.variance)
    figure = one.minus(other)
    assert (figure.value, figure.high, figure.n) == (pytest.approx(0.3), pytest.approx(0.3 + half), 40)


def test_combined():
    by_unit = np.array([1.0, -2.0, 1.0])
    assert combined(by_unit, twice=1.0, alone=0.5) == (5.0, 2.0)
    assert combined(by_unit, twice=1.0, alone=5.5) == (5.5, 2.0)
