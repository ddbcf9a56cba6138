import numpy as np
import pytest

from nearkin.intervals.binomial import difference_figure, share_figure
from nearkin.intervals.episode_classes import EpisodeAccuracy


def draw(seed, episodes=8):
    """Episodes of three of six classes, each of which is hard on the others; two more only ever meet the sixth."""
    generator = np.random.default_rng(seed)
    classes = [generator.choice(6, 3, replace=False) for _ in range(episodes)] + [np.array([6, 7, 8])] * 2
    numbers, classes = np.repeat(np.arange(len(classes)), 3), np.concatenate(classes)
    hard = generator.normal(0, 0.15, 9)
    on_others = np.bincount(numbers, weights=hard[classes])[numbers] - hard[classes]
    order = generator.permutation(len(numbers))
    return np.clip(0.5 + on_others + generator.normal(0, 0.02, len(order)), 0, 1)[order], classes[order], numbers[order]


def slow_variance(shares, classes, episodes):
    """By loops, as the definition says."""
    n, mean, several = len(shares), shares.mean(), range(classes.max() + 1)
    means = [shares[classes == c].mean() for c in several]
    own = np.array([(classes == c).sum() * (means[c] - mean) / n for c in several])
    by_class, twice = own.copy(), 0.0
    for i in range(n):
        there = [j for j in range(n) if episodes[j] == episodes[i] and j != i]
        met = {classes[j] for e in episodes[classes == classes[i]] for j in np.flatnonzero(episodes == e)}
        met = len(met - {classes[i]})
        effect = sum(shares[j] - means[classes[j]] for j in there) / n
        # Of a class that always meets the same ones, the means hold all of it.
        effect *= met / (met - len(there)) if met > len(there) else 0.0
        by_class[classes[i]] += effect
        twice += effect**2
    return (by_class**2).sum() - twice, (own**2).sum()


@pytest.mark.parametrize("seed", range(4))
def test_the_interval_is_that_of_a_slow_loop(seed):
    shares, classes, episodes = draw(seed)
    whole, alone = slow_variance(shares, classes, episodes)
    assert whole > 1.1 * alone
    figure = EpisodeAccuracy(shares, classes, episodes).figure()
    expected = share_figure(shares.mean(), max(slow_variance(shares, classes, episodes)), 8.0, independent=9, n=10)
    assert (figure.value, figure.low, figure.high, figure.n) == pytest.approx(
        (expected.value, expected.low, expected.high, 10)
    )


def test_a_difference_is_that_of_the_shares():
    shares, classes, episodes = draw(0)
    other = np.random.default_rng(9).random(len(shares))
    figure = EpisodeAccuracy(shares, classes, episodes).minus(EpisodeAccuracy(other, classes, episodes))
    apart = shares - other
    expected = difference_figure(apart.mean(), max(slow_variance(apart, classes, episodes)), 8.0, n=10)
    assert (figure.value, figure.low, figure.high, figure.n) == pytest.approx(
        (expected.value, expected.low, expected.high, 10)
    )


def test_only_successes_count_classes():
    _, classes, episodes = draw(0)
    figure = EpisodeAccuracy(np.ones(len(classes)), classes, episodes).figure()
    assert (figure.low, figure.high) == (pytest.approx(0.025 ** (1 / 9)), 1.0)
