import numpy as np
import pytest

from nearkin.calibration.link_score import link_score
from nearkin.evaluation import fit_calibration


@pytest.mark.parametrize("spread", [0.5, 2.0])
def test_one_false_link_each_or_a_third_of_the_right_ones(spread):
    generator = np.random.default_rng(0)
    centres = np.repeat(generator.normal(size=(60, 16)), 5, axis=0)
    vectors = centres + spread * generator.normal(size=centres.shape)
    calibration = fit_calibration(vectors, np.repeat(np.arange(60), 5), fingerprint="drawn")
    for n in (2, 100, 1_000_000):
        score = link_score(calibration, n)
        far = float(calibration.false_accept_rate(score)[0][0])
        tar = float(calibration.curve.rates(score, "tar")[0])
        assert far <= max(1 / n, calibration.least_far) * 1.01 or tar == pytest.approx(0.3, abs=0.05)
        assert tar > 0.25
