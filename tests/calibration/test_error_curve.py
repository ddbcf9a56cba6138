from itertools import combinations, product

import numpy as np
import pytest

from nearkin.arrays import unit
from nearkin.calibration.error_curve import error_curve
from nearkin.calibration.pair_scores import STEPS
from nearkin.errors import InvalidInput, UnknownName
from nearkin.intervals.binomial import effective_trials
from nearkin.intervals.class_rates import spread_of_class_means
from nearkin.intervals.dyadic import Spread, rate_limits
from nearkin.intervals.pair_rates import spread_of_pair_rates
from tests.drawn_classes import draw_classes, draw_unbalanced

COUNTS = [1, 2, 3, 1, 4, 2, 2, 5, 1, 2]


def comparisons_by_loop(vectors, ids, *, raised=2.0):
    """Scores of all comparisons, by the pair of classes; a little raised, as the matrix product rounds otherwise."""
    vectors = unit(vectors)
    pictures = {one: np.flatnonzero(ids == one) for one in np.unique(ids)}

    def score(a, b):
        return float(vectors[a] @ vectors[b]) + raised / STEPS

    different = {
        (one, two): np.array([score(a, b) for a, b in product(pictures[one], pictures[two])])
        for one, two in combinations(pictures, 2)
    }
    repeated = {one: rows for one, rows in pictures.items() if len(rows) > 1}
    same = {one: np.array([score(a, b) for a, b in combinations(rows, 2)]) for one, rows in repeated.items()}
    return different, same


@pytest.mark.parametrize("block", [1 << 22, 40])
@pytest.mark.parametrize("weighting", ["comparisons", "classes"])
def test_rates_equal_a_loop_over_comparisons(weighting, block, monkeypatch):
    monkeypatch.setattr("nearkin.calibration.pair_scores._BLOCK", block)
    vectors, ids = draw_classes(len(COUNTS), COUNTS, noise=1.2)
    curve = error_curve(vectors, ids, weighting=weighting)
    kinds = comparisons_by_loop(vectors, ids)
    for index in range(0, len(curve.scores), 5):
        for kind, name in zip(kinds, ("far", "tar"), strict=True):
            accepted = [scores >= curve.scores[index] for scores in kind.values()]
            rate = (
                np.mean(np.concatenate(accepted))
                if weighting == "comparisons"
                else np.mean([one.mean() for one in accepted])
            )
            assert getattr(curve, name)[index] == pytest.approx(rate, abs=1e-9)


def slow_rates(scores, groups, weighting):
    """At each score the rate, and what each group of comparisons adds to its error, with the group's share of all."""
    weights = [1.0 if weighting == "comparisons" else 1 / len(group) for group in groups]
    whole = sum(weight * len(group) for weight, group in zip(weights, groups, strict=True))
    rates, errors = [], []
    for score in scores:
        accepted = [weight * np.sum(group >= score) for weight, group in zip(weights, groups, strict=True)]
        rates.append(sum(accepted) / whole)
        errors.append([
            (hits - rates[-1] * weight * len(group)) / whole
            for hits, weight, group in zip(accepted, weights, groups, strict=True)
        ])  # fmt: skip
    shares = [weight * len(group) / whole for weight, group in zip(weights, groups, strict=True)]
    return np.array(rates), np.array(errors).T, np.array(shares)


def slow_limits(rate, spread, comparisons, independent, interval):
    """Ends of the intervals, one threshold after the other; few accepted comparisons borrow the nearest variance."""
    known = [t for t, one in enumerate(rate) if min(one, 1 - one) * comparisons >= 10 - 1e-6]
    ends = []
    for t, one in enumerate(rate):
        near = min(known, key=lambda other: abs(other - t))
        effect = spread.variance[near] / (rate[near] * (1 - rate[near]))
        borrowed = Spread(
            effect * one * (1 - one),
            spread.freedom[near],
            spread.of_classes[t] if t in known else 0.0,
            np.broadcast_to(spread.effective, rate.shape)[near],
            spread.of_one[t] if t in known else 0.0,
        )
        trials = effective_trials(rate[near], spread.variance[near], spread.freedom[near])
        low, high = rate_limits(one, borrowed, independent=trials, interval=interval)
        ends.append((min(low, one), max(high, one)))
    return [(min(low for low, _ in ends[: t + 1]), max(high for _, high in ends[t:])) for t in range(len(rate))]


@pytest.mark.parametrize(("weighting", "interval"), [("comparisons", "another group"), ("classes", "rate")])
def test_intervals_are_the_slow_twins(weighting, interval):
    vectors, ids = draw_unbalanced(large=20, small=3, classes=12)
    curve = error_curve(vectors, ids, weighting=weighting, interval=interval)
    different, same = comparisons_by_loop(vectors, ids, raised=0.25)
    sizes = np.bincount(ids)

    rate, errors, _ = slow_rates(curve.scores, list(different.values()), weighting)
    of_class = [sum(error for pair, error in zip(different, errors, strict=True) if one in pair) for one in range(12)]
    cells = [max(1, sum(np.any(group >= score) for group in different.values())) for score in curve.scores]
    spread = spread_of_pair_rates(
        rate,
        np.array(of_class),
        (errors**2).sum(axis=0),
        weights=sizes if weighting == "comparisons" else np.ones(12),
        pictures=sizes,
        cells=np.array(cells, dtype=float),
    )
    count = sum(map(len, different.values()))
    np.testing.assert_allclose(curve.far, rate, atol=1e-12)
    limits = slow_limits(rate, spread, count, len(different), interval)
    np.testing.assert_allclose(np.stack([curve.far_low, curve.far_high], axis=1), limits, rtol=1e-6, atol=1e-12)

    rate, errors, shares = slow_rates(curve.scores, list(same.values()), weighting)
    spread = spread_of_class_means(errors, shares, np.array([len(group) for group in same.values()]), rate * (1 - rate))
    np.testing.assert_allclose(curve.tar, rate, atol=1e-12)
    limits = slow_limits(rate, spread, sum(map(len, same.values())), len(same), interval)
    np.testing.assert_allclose(np.stack([curve.tar_low, curve.tar_high], axis=1), limits, rtol=1e-6, atol=1e-12)


def test_the_curve_goes_on_until_nothing_is_accepted():
    """Down to one false accept, and to the least score above the highest, if that is of two classes."""
    vectors, ids = draw_classes(20, 3)
    curve = error_curve(vectors, ids)
    assert curve.far[-2] == pytest.approx(1 / (60 * 57 / 2))
    vectors[ids == 1] = vectors[ids == 0]
    curve = error_curve(vectors, ids)
    assert (curve.far[-1], curve.tar[-1]) == (0.0, 0.0)
    assert curve.scores[-1] - 1 == pytest.approx(0.5 / STEPS, abs=0.3 / STEPS)


def test_thresholds_are_the_lowest_that_keep_each_rate():
    vectors, ids = draw_classes(20, 3)
    curve = error_curve(vectors, ids)
    scores = np.sort(np.concatenate(list(comparisons_by_loop(vectors, ids)[0].values())))
    for far in (0.5, 0.1, 0.07, 0.012):
        score = curve.threshold(far)
        assert np.mean(scores >= score) <= far
        lower = np.unique(scores)[np.searchsorted(np.unique(scores), score) - 1]
        assert np.mean(scores >= lower) > far


def test_nothing_depends_on_order_names_or_rotation():
    vectors, ids = draw_classes(20, 3)
    curve = error_curve(vectors, ids)
    generator = np.random.default_rng(0)
    order = generator.permutation(len(ids))
    names = generator.permutation(1 << 26)[:20]
    turn = np.linalg.qr(generator.normal(size=(16, 16)))[0].astype(np.float32)
    turned = error_curve(7 * (vectors @ turn)[order], names[ids][order])
    np.testing.assert_allclose(turned.far, curve.far, atol=1e-9)
    np.testing.assert_allclose(turned.scores, curve.scores, atol=1e-5)


def test_a_class_of_more_pictures_counts_for_more_unless_classes_weigh_alike():
    vectors, ids = draw_unbalanced()
    by_comparisons, by_classes = (error_curve(vectors, ids, weighting=one) for one in ("comparisons", "classes"))
    # Two large and alike classes make nearly a quarter of the comparisons, and 1 of 1,770 pairs of classes.
    assert by_comparisons.threshold(0.1) > by_classes.threshold(0.1) + 0.2
    # The first class's pictures ten times over: the same false accept rate where classes weigh alike.
    vectors, ids = draw_classes(20, 3)
    again = np.concatenate([np.tile(np.flatnonzero(ids == 0), 10), np.flatnonzero(ids != 0)])
    before, many = (error_curve(vectors[rows], ids[rows], weighting="classes") for rows in (slice(None), again))
    np.testing.assert_allclose(np.interp(before.scores, many.scores, many.far), before.far, atol=2e-3)


@pytest.mark.parametrize("weighting", ["comparisons", "classes"])
def test_curves_fall_and_intervals_hold_the_rate(weighting):
    vectors, ids = draw_classes(40, 3, noise=1.0)
    curve = error_curve(vectors, ids, weighting=weighting)
    assert (np.diff(curve.scores) > 0).all()
    for name in ("far", "tar"):
        rate, low, high = (np.array(getattr(curve, name + end)) for end in ("", "_low", "_high"))
        for column in (rate, low, high):
            assert (np.diff(column) <= 1e-12).all()
        assert (low <= rate).all()
        assert (rate <= high).all()
    assert (curve.far[0], curve.far[-1]) == (1.0, 0.0)
    assert 0 < curve.far_high[-1] < 0.1


@pytest.mark.parametrize("interval", ["rate", "another group"])
def test_where_few_are_accepted_the_design_effect_of_ten_holds(interval):
    """The limit at no false accept was once that of as many trials as pairs of classes, and all lower ones above it."""
    vectors, ids = draw_classes(15, 5)
    curve = error_curve(vectors, ids, interval=interval)
    far, high = np.array(curve.far), np.array(curve.far_high)
    different = 75 * 74 / 2 - 15 * 10
    ten = int(np.flatnonzero(far * different >= 10 * (1 - 1e-9))[-1])
    assert high[-1] < high[ten]
    assert (np.diff(high[: ten + 1]) < 0).mean() > 0.9
    # Of 150 comparisons within 15 classes all are accepted at the lowest thresholds.
    assert 0.85 < curve.tar_low[0] < 1


def test_too_few_comparisons_for_a_design_effect_count_classes():
    curve = error_curve(np.eye(3)[[0, 0, 1, 1, 2]], np.array([0, 0, 1, 1, 2]))
    assert curve.far_high[-1] == pytest.approx(1 - 0.025 ** (1 / 3))
    assert curve.tar_low[0] == pytest.approx(0.025 ** (1 / 2))


def test_equal_vectors_are_accepted_at_the_highest_threshold_that_accepts_any():
    """Rounding leaves the score of equal vectors a little below or above 1; a threshold must not lie between."""
    vectors, ids = draw_classes(20, 2)
    vectors[1::2] = vectors[::2]
    curve = error_curve(vectors, ids)
    scores = np.einsum("nd,nd->n", unit(vectors[::2]), unit(vectors[1::2]))
    assert curve.tar[-2] == 1.0
    assert (scores >= curve.scores[-2]).all()


def test_rows_without_a_label_take_no_part():
    vectors, ids = draw_classes(20, 3)
    more = np.concatenate([vectors, vectors[:5] + 1])
    assert error_curve(more, np.append(ids, [-1] * 5)) == error_curve(vectors, ids)


def test_progress_ends_at_its_total():
    vectors, ids = draw_classes(20, 3)
    seen = []
    error_curve(vectors, ids, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (120, 120)
    assert seen == sorted(seen)


def test_bad_input():
    with pytest.raises(InvalidInput, match="at least 3 classes"):
        error_curve(np.eye(4), np.array([0, 0, 1, 1]))
    with pytest.raises(InvalidInput, match="labels: 5 given for 6"):
        error_curve(np.eye(6), np.array([0, 0, 1, 1, 2]))
    with pytest.raises(UnknownName, match="known: classes"):
        error_curve(*draw_classes(20, 3), weighting="clases")
