"""How many further draws exceed one of the largest of some draws."""

import numpy as np
import pytest

from nearkin.intervals.exceedances import exceedances


def test_the_largest_of_n_is_exceeded_by_none_of_as_many_more_in_half_the_cases() -> None:
    # P(none) = n / (n + m), P(none or one) = 1 - m (m - 1) / ((n + m) (n + m - 1)): 0.5, 0.7525, ... for n = m = 100.
    low, high = exceedances(1, 100, 100)
    assert low == 0
    chances, none = [], 1.0
    for count in range(8):
        # Of 200 draws in any order, the first of the first hundred comes after exactly so many of the others.
        chances.append(none * 100 / (200 - count))
        none *= (100 - count) / (200 - count)
    up_to = np.cumsum(chances)
    assert up_to[0] == 0.5
    assert up_to[4] < 0.975 <= up_to[5]
    assert high == 0.05


@pytest.mark.parametrize(("rank", "trials", "others"), [(1, 50, 50), (5, 200, 80), (30, 300, 900)])
def test_it_holds_in_95_of_100_cases(rank: int, trials: int, others: int) -> None:
    generator = np.random.default_rng(0)
    threshold = np.sort(generator.random((4000, trials)), axis=1)[:, -rank]
    reached = (generator.random((4000, others)) >= threshold[:, None]).mean(axis=1)
    low, high = exceedances(rank, trials, others)
    inside = np.mean((reached >= low) & (reached <= high))
    assert 0.94 <= inside <= 0.99


def test_between_two_draws() -> None:
    assert exceedances(10, 1000, 1000)[1] < exceedances(10.5, 1000, 1000)[1] <= exceedances(11, 1000, 1000)[1]
