from itertools import combinations, product

import numpy as np
import pytest
from scipy.stats import beta, t

from nearkin.arrays import unit
from nearkin.calibration.fit import error_curve
from nearkin.errors import InvalidInput
from nearkin.evaluation import fit_calibration
from tests.people import draw_people

COUNTS = [1, 2, 3, 1, 4, 2, 2, 5, 1, 2]


def rates_by_loop(vectors, ids, score):
    """far and tar as the module says them: every pair of people once, every person with two pictures once."""
    vectors = unit(vectors)
    pictures = {person: np.flatnonzero(ids == person) for person in np.unique(ids)}
    pairs = {
        (one, two): np.mean([vectors[a] @ vectors[b] >= score for a, b in product(pictures[one], pictures[two])])
        for one, two in combinations(pictures, 2)
    }
    people = {
        person: np.mean([vectors[a] @ vectors[b] >= score for a, b in combinations(rows, 2)])
        for person, rows in pictures.items()
        if len(rows) > 1
    }
    return pairs, people


def test_rates_equal_a_loop_over_pairs():
    vectors, ids = draw_people(len(COUNTS), COUNTS, noise=1.2)
    curve = error_curve(vectors, ids)
    for place in range(0, len(curve.scores), 5):
        # A threshold is known to a step of 2e-6: asked between two scores, not at one.
        pairs, people = rates_by_loop(vectors, ids, curve.scores[place])
        assert curve.far[place] == pytest.approx(np.mean(list(pairs.values())), abs=1e-9)
        assert curve.tar[place] == pytest.approx(np.mean(list(people.values())), abs=1e-9)


def test_intervals_equal_the_jackknife_written_out():
    vectors, ids = draw_people(len(COUNTS), COUNTS, noise=1.2, seed=1)
    curve = error_curve(vectors, ids)
    place = int(np.argmin(np.abs(np.array(curve.far) - 0.3)))
    pairs, _ = rates_by_loop(vectors, ids, curve.scores[place])
    people = len(COUNTS)
    without = [np.mean([rate for pair, rate in pairs.items() if person not in pair]) for person in range(people)]
    variance = (people - 1) / people * np.sum((without - np.mean(without)) ** 2)
    rate = np.mean(list(pairs.values()))
    effective = min(rate * (1 - rate) / variance * (1.96 / t.ppf(0.975, people - 1)) ** 2, len(pairs)) / 2
    hits = rate * effective
    assert curve.far_low[place] == pytest.approx(beta.ppf(0.025, hits, effective - hits + 1), abs=1e-6)
    assert curve.far_high[place] == pytest.approx(beta.ppf(0.975, hits + 1, effective - hits), abs=1e-6)


def test_nothing_hangs_on_order_names_rotation_or_how_many_pictures_a_person_has():
    vectors, ids = draw_people(20, 3)
    curve = error_curve(vectors, ids)
    generator = np.random.default_rng(0)
    order = generator.permutation(len(ids))
    names = generator.permutation(1 << 26)[:20]
    turn = np.linalg.qr(generator.normal(size=(16, 16)))[0].astype(np.float32)
    turned = error_curve(7 * (vectors @ turn)[order], names[ids][order])
    np.testing.assert_allclose(turned.far, curve.far, atol=1e-9)
    np.testing.assert_allclose(turned.scores, curve.scores, atol=1e-5)
    # The first person's pictures ten times over: the same false accept rate at every threshold.
    again = np.concatenate([np.tile(np.flatnonzero(ids == 0), 10), np.flatnonzero(ids != 0)])
    many = error_curve(vectors[again], ids[again])
    np.testing.assert_allclose(np.interp(curve.scores, many.scores, many.far), curve.far, atol=2e-3)


def test_curves_fall_and_intervals_hold_the_rate():
    vectors, ids = draw_people(40, 3, noise=1.0)
    curve = error_curve(vectors, ids)
    assert (np.diff(curve.scores) > 0).all()
    for name in ("far", "tar"):
        rate, low, high = (np.array(getattr(curve, name + end)) for end in ("", "_low", "_high"))
        for column in (rate, low, high):
            assert (np.diff(column) <= 1e-12).all()
        assert (low <= rate).all()
        assert (rate <= high).all()
    assert (curve.far[0], curve.far[-1]) == (1.0, 0.0)
    assert 0 < curve.far_high[-1] < 0.1


def test_thresholds_hold_on_other_people():
    held = []
    for seed in range(8):
        vectors, ids = draw_people(60, 3, noise=1.0, seed=seed)
        limit = fit_calibration(vectors[ids < 30], ids[ids < 30], fingerprint="f", method="logistic").threshold(0.1)
        other = error_curve(vectors[ids >= 30], ids[ids >= 30])
        held.append(limit.far_low <= np.interp(limit.score, other.scores, other.far) <= limit.far_high)
        assert limit.low <= limit.score <= limit.high
    assert np.mean(held) > 0.85


def test_what_the_data_supports():
    vectors, ids = draw_people(46, 2)
    calibration = fit_calibration(vectors, ids, fingerprint="f")
    assert calibration.counts == {
        "pictures": 92, "classes": 46, "classes_with_two_pictures": 46, "pairs_of_classes": 1035,
    }  # fmt: skip
    assert calibration.fars == (0.1, 0.01)
    rate = calibration.false_accept_rate(calibration.threshold(0.01).score)[0, 0]
    assert rate == pytest.approx(0.01, rel=0.2)


def test_rows_without_a_label_take_no_part():
    vectors, ids = draw_people(20, 3)
    more = np.concatenate([vectors, vectors[:5] + 1])
    with_others = error_curve(more, np.append(ids, [-1] * 5))
    assert with_others == error_curve(vectors, ids)


def test_separated_people_have_no_false_accepts():
    ids = np.repeat(np.arange(20), 2)
    calibration = fit_calibration(np.eye(20)[ids], ids, fingerprint="f")
    verdict = calibration.verdicts(1.0)[0]
    assert (verdict.decision, verdict.far, verdict.threshold.tar) == ("same", 0.0, 1.0)
    assert 0.01 < verdict.far_high < 0.1
    assert verdict.probability > 0.99


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v, i: (v[:12], i[:12]), "needs at least 100 different pairs of people .*; you have 6, from 4"),
        (lambda v, i: (v[i == 0], i[i == 0]), "you have 0, from 1"),
        (lambda v, i: (v[::3], i[::3]), "at least 10 people .* with two pictures or more; you have 0"),
        (lambda v, i: (np.ones_like(v), i), "all scores are equal"),
        (lambda v, i: (np.where(i[:, None] == 3, np.nan, v), i), "3 of 60 rows hold NaN"),
        (lambda v, i: (v, i[:-1]), "labels: 59 given for 60"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(InvalidInput, match=message):
        fit_calibration(*change(*draw_people(20, 3)), fingerprint="f")


def test_error_curve_wants_three_people():
    with pytest.raises(InvalidInput, match="at least 3 people"):
        error_curve(np.eye(4), np.array([0, 0, 1, 1]))
