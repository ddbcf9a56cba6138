import numpy as np
import pytest

from nearkin.intervals.binomial import difference_figure, share_figure
from nearkin.intervals.episode_classes import EpisodeAccuracy


def draw(seed, episodes=8):
    """Episodes of three of six classes; a seventh, eighth and ninth class only ever meet each other."""
    generator = np.random.default_rng(seed)
    classes = [generator.choice(6, 3, replace=False) for _ in range(episodes)] + [np.array([6, 7, 8])] * 2
    numbers = np.repeat(np.arange(len(classes)), 3)
    order = generator.permutation(len(numbers))
    return generator.random(len(numbers)), np.concatenate(classes)[order], numbers[order]


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
    return max((by_class**2).sum() - twice, (own**2).sum())


@pytest.mark.parametrize("seed", range(4))
def test_the_interval_is_that_of_a_slow_loop(seed):
    shares, classes, episodes = draw(seed)
    figure = EpisodeAccuracy(shares, classes, episodes).figure()
    expected = share_figure(shares.mean(), slow_variance(shares, classes, episodes), 8.0, independent=9, n=10)
    assert (figure.value, figure.low, figure.high, figure.n) == pytest.approx(
        (expected.value, expected.low, expected.high, 10)
    )


def test_a_difference_is_that_of_the_shares():
    shares, classes, episodes = draw(0)
    other = np.random.default_rng(9).random(len(shares))
    figure = EpisodeAccuracy(shares, classes, episodes).minus(EpisodeAccuracy(other, classes, episodes))
    apart = shares - other
    expected = difference_figure(apart.mean(), slow_variance(apart, classes, episodes), 8.0, n=10)
    assert (figure.value, figure.low, figure.high, figure.n) == pytest.approx(
        (expected.value, expected.low, expected.high, 10)
    )
