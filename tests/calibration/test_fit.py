import numpy as np
import pytest

from nearkin.calibration.error_curve import error_curve
from nearkin.errors import InvalidInput, UnknownName
from nearkin.evaluation import fit_calibration, verification_all_pairs
from tests.drawn_classes import draw_classes, draw_unbalanced


@pytest.mark.parametrize("weighting", ["comparisons", "classes"])
def test_evaluation_and_calibration_give_the_same_rates(weighting):
    """One definition: the true accept rate at each false accept rate, to the last digit, on unbalanced classes."""
    vectors, ids = draw_unbalanced()
    calibration = fit_calibration(vectors, ids, fingerprint="f", weighting=weighting)
    fars = [0.1, 0.05, 0.01, 2e-3, 1e-3]
    table = verification_all_pairs(vectors, ids, fars=fars, weighting=weighting)
    named = " (classes weighted equally)" if weighting == "classes" else ""
    for far, text in zip(fars, ("1e-1", "5e-2", "1e-2", "2e-3", "1e-3"), strict=True):
        limit = calibration.threshold(far)
        assert limit.tar == pytest.approx(table[f"tar@far={text}{named}"].value, rel=1e-12)
        assert limit.weighting == calibration.weighting == weighting


def test_the_two_weightings_differ_where_classes_are_unbalanced():
    vectors, ids = draw_unbalanced()
    tars = [fit_calibration(vectors, ids, fingerprint="f", weighting=one).threshold(0.01).tar
            for one in ("comparisons", "classes")]  # fmt: skip
    assert tars[0] < 0.3
    assert tars[1] > 0.8


def test_thresholds_hold_on_other_classes():
    held = []
    for seed in range(8):
        vectors, ids = draw_classes(60, 3, noise=1.0, seed=seed)
        limit = fit_calibration(vectors[ids < 30], ids[ids < 30], fingerprint="f", method="logistic").threshold(0.1)
        other = error_curve(vectors[ids >= 30], ids[ids >= 30])
        held.append(limit.far_low <= np.interp(limit.score, other.scores, other.far) <= limit.far_high)
        assert limit.low <= limit.score <= limit.high
    assert np.mean(held) > 0.85


def test_what_the_data_supports():
    vectors, ids = draw_classes(46, 2)
    calibration = fit_calibration(vectors, ids, fingerprint="f")
    assert calibration.counts == {
        "pictures": 92, "classes": 46, "classes_with_two_pictures": 46, "same_comparisons": 46,
        "different_comparisons": 4140,
    }  # fmt: skip
    assert calibration.fars == (0.1, 0.01)
    assert calibration.least_far == pytest.approx(10 / 4140)
    rate = calibration.false_accept_rate(calibration.threshold(0.01).score)[0, 0]
    assert rate == pytest.approx(0.01, rel=0.2)


def test_separated_classes_have_no_false_accepts():
    ids = np.repeat(np.arange(20), 2)
    calibration = fit_calibration(np.eye(20)[ids], ids, fingerprint="f")
    verdict = calibration.verdicts(1.0)[0]
    assert (verdict.decision, verdict.far, verdict.threshold.tar) == ("same", 0.0, 1.0)
    assert 0.01 < verdict.far_high < 0.1
    assert verdict.probability > 0.99


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v, i: (v[:12], i[:12]), "needs at least 15 classes; you have 4"),
        (lambda v, i: (v[i == 0], i[i == 0]), "you have 1"),
        (lambda v, i: (v[::3], i[::3]), "at least 10 classes with two pictures or more; you have 0"),
        (lambda v, i: (np.ones_like(v), i), "all scores are equal"),
        (lambda v, i: (np.where(i[:, None] == 3, np.nan, v), i), "3 of 60 rows hold NaN"),
        (lambda v, i: (v, i[:-1]), "labels: 59 given for 60"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(InvalidInput, match=message):
        fit_calibration(*change(*draw_classes(20, 3)), fingerprint="f")


def test_unknown_weighting():
    with pytest.raises(UnknownName, match="known: classes, comparisons"):
        fit_calibration(*draw_classes(20, 3), fingerprint="f", weighting="pictures")


def test_the_least_that_is_enough():
    vectors, ids = draw_classes(15, [2] * 10 + [1] * 5)
    assert fit_calibration(vectors, ids, fingerprint="f", method="logistic").counts["classes_with_two_pictures"] == 10
    for rows, message in (
        (ids != 12, "needs at least 15 classes; you have 14"),
        (np.arange(25) != 3, "or more; you have 9"),
    ):
        with pytest.raises(InvalidInput, match=message):
            fit_calibration(vectors[rows], ids[rows], fingerprint="f")
