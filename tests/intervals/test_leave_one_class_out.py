import numpy as np
import pytest

from nearkin.intervals.binomial import difference_figure, share_figure
from nearkin.intervals.leave_one_class_out import leave_each_class_out

CLASSES = np.array([0, 0, 0, 1, 1, 2, 3, 3, 3, 3])


def draw(seed):
    generator = np.random.default_rng(seed)
    values = generator.random(10)
    # Each class stands more or less in the way of all others.
    return values, values + generator.normal(0, 0.5, (4, 1)) + generator.normal(0, 0.1, (4, 10))


def slow_variance(values, without):
    n, mean, several = len(values), values.mean(), range(4)
    own = np.array([(values - mean)[c == CLASSES].sum() / n for c in several])
    others = np.array([[(values - without[d])[c == CLASSES].sum() / n for d in several] for c in several])
    usual = np.mean([others[c, d] for c in several for d in several if c != d])
    effects = np.array([[others[c, d] - usual if c != d else 0.0 for d in several] for c in several])
    return ((own + effects.sum(axis=0)) ** 2).sum() - (effects**2).sum(), (own**2).sum()


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_is_that_of_a_slow_loop(seed):
    values, without = draw(seed)
    whole, alone = slow_variance(values, without)
    assert whole > 1.1 * alone
    figure = leave_each_class_out(values, CLASSES, without).figure()
    # Classes of 3, 2, 1 and 4 queries are worth 100 / 30 equal ones.
    expected = share_figure(values.mean(), max(slow_variance(values, without)), 3.0, independent=100 / 30, n=10)
    assert (figure.value, figure.low, figure.high, figure.n) == pytest.approx(
        (expected.value, expected.low, expected.high, 10)
    )


def test_only_successes_count_as_many_trials_as_equal_classes():
    values = np.ones(10)
    figure = leave_each_class_out(values, CLASSES, np.ones((4, 10))).figure()
    assert (figure.low, figure.high) == (pytest.approx(0.025 ** (30 / 100)), 1.0)


def test_a_difference_is_that_of_the_values():
    (one, without_one), (two, without_two) = draw(0), draw(1)
    models = (leave_each_class_out(one, CLASSES, without_one), leave_each_class_out(two, CLASSES, without_two))
    figure = models[0].minus(models[1])
    expected = difference_figure(
        (one - two).mean(), max(slow_variance(one - two, without_one - without_two)), 3.0, n=10
    )
    assert (figure.value, figure.low, figure.high, figure.n) == pytest.approx(
        (expected.value, expected.low, expected.high, 10)
    )
