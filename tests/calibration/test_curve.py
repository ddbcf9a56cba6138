import numpy as np
import pytest

from nearkin.calibration.curve import Curve, levels

FALLING = (1.0, 0.1, 0.01, 0.0)


def curve(far=FALLING):
    return Curve((0.0, 1.0, 3.0, 4.0), far, *[FALLING] * 5)


def test_levels():
    assert levels(0.1).tolist() == [hundredth / 100 for hundredth in range(100, 9, -2)]
    tens = levels(0.001)[len(levels(0.1)) :]
    mantissas = [9, 8, 7, 6, 5, 4.5, 4, 3.5, 3, 2.75, 2.5, 2.25, 2, 1.7, 1.5, 1.35, 1.2, 1.1, 1]
    assert tens.tolist() == [round(one * power, 15) for power in (0.01, 0.001) for one in mantissas]
    assert levels(0.05)[-3:].tolist() == [0.07, 0.06, 0.05]
    # Down to the decade that the least is in.
    assert levels(0.0099)[-1] == 0.01
    assert levels(1 / 11025)[-1] == 1e-4


def test_rates_are_linear_between_thresholds():
    assert curve().rates([-1.0, 0.5, 4.5], "far").tolist() == [1.0, 0.55, 0.0]
    assert curve().rates(2.0, "tar_low") == pytest.approx([0.055])


@pytest.mark.parametrize(
    ("far", "score"),
    [(2.0, 0.0), (1.0, 0.0), (0.1, 1.0), (10**-1.5, 2.0), (10**-1.25, 1.5), (0.01, 3.0), (0.001, 4.0)],
)
def test_scores_of_rates_are_linear_in_the_logarithm(far, score):
    assert curve().score_of(far, FALLING) == pytest.approx(score)
    # As far as the curve tells.
    assert curve().score_of(far / 1e3, (1.0, 0.1, 0.01, 0.005)) == 4.0


def test_the_last_rate_counts():
    assert curve().score_of(0.005, (1.0, 0.1, 0.01, 0.005)) == 4.0
    assert curve().score_of(0.005 * (1 + 1e-12), (1.0, 0.1, 0.01, 0.005)) == pytest.approx(4.0)
    assert curve((1.0, 0.5, 0.4, 0.3)).threshold(0.1) == 4.0


def test_thresholds_of_levels_are_exact():
    """At most 0.05: the third score, though a line reaches 0.05 before; 0.0316 has no entry of its own."""
    assert curve().threshold(0.05) == 3.0
    assert curve().threshold(10**-1.5) == pytest.approx(2.0)
    assert curve().threshold(0.1 * (1 - 1e-12)) == 1.0


def test_equal_rates_beside_each_other():
    assert curve().score_of(0.1, (1.0, 1.0, 0.01, 0.0)) == pytest.approx(1 + 2 * np.log(10) / np.log(100))
