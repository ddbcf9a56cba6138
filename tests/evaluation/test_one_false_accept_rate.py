"""The table of `evaluate` and a calibration state one false accept rate: the same comparisons, counted once."""

import pytest

from nearkin.evaluation import fit_calibration
from nearkin.evaluation.metrics.all_pairs import verification_all_pairs
from nearkin.evaluation.metrics.verification import figure_name, tar_name
from tests.drawn_classes import draw_classes, draw_unbalanced

SETS = {"balanced": draw_classes(60, 4), "two large and alike": draw_unbalanced(large=150)}


@pytest.mark.parametrize("weighting", ["comparisons", "classes"])
@pytest.mark.parametrize("name", SETS)
def test_table_and_calibration_state_the_same_rates(name, weighting):
    vectors, ids = SETS[name]
    table = verification_all_pairs(vectors, ids, weighting=weighting)
    calibration = fit_calibration(vectors, ids, fingerprint="m", weighting=weighting, method="logistic")
    assert calibration.fars
    for far in calibration.fars:
        threshold = calibration.threshold(far)
        assert table[figure_name(tar_name(far), weighting)].value == pytest.approx(threshold.tar, abs=1e-9)
        assert calibration.curve.rates(threshold.score, "far")[0] <= far * (1 + 1e-9)


def test_what_is_counted_decides_the_rate_of_an_unbalanced_set():
    """Two large and alike classes of 60 make most of the false accepts, and 1 of 1,770 pairs of classes."""
    vectors, ids = SETS["two large and alike"]
    by_comparisons = verification_all_pairs(vectors, ids)["tar@far=1e-2"].value
    by_classes = verification_all_pairs(vectors, ids, weighting="classes")["tar@far=1e-2 (classes weighted equally)"]
    assert by_classes.value > by_comparisons + 0.3
