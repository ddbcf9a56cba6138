import itertools

import numpy as np
import pytest

from nearkin.calibration.pair_scores import (
    STEPS,
    TABLE,
    Classes,
    Passes,
    blocks,
    count_all_pairs,
    least_score_of,
    score_of,
)
from nearkin.errors import InvalidInput
from tests.drawn_classes import draw_classes

LABELS = [5, -1, 3, 9, 5, 3, 3, -7]
COUNTS = [1, 3, 2, 7, 1, 4]


def test_classes_are_sorted_and_counted():
    classes = Classes.of(LABELS)
    assert classes.order.tolist() == [2, 5, 6, 0, 4, 3]
    assert classes.ids.tolist() == [0, 0, 0, 1, 1, 2]
    assert (classes.starts.tolist(), classes.ends.tolist(), classes.rows) == ([0, 3, 5], [3, 5, 6], 8)
    assert (classes.sizes.tolist(), classes.same.tolist()) == ([3, 2, 1], [3, 1, 0])
    assert classes.same.dtype.kind == "i"
    assert (type(classes.pairs), type(classes.different)) == (int, int)
    assert (classes.repeated, classes.pairs, classes.different) == (2, 3, 3 * 2 + 3 * 1 + 2 * 1)


def test_class_0_takes_part():
    assert Classes.of([0, -1, 0]).order.tolist() == [0, 2]


def test_sorted_vectors_have_unit_length():
    vectors = Classes.of(LABELS).sorted(np.arange(1, 17).reshape(8, 2))
    assert vectors[0] == pytest.approx(np.array([5, 6]) / np.sqrt(61))
    assert vectors[5] == pytest.approx(np.array([7, 8]) / np.sqrt(113))
    with pytest.raises(InvalidInput, match="labels: 8 given for 3"):
        Classes.of(LABELS).sorted(np.ones((3, 2)))


def test_weights():
    classes = Classes.of(LABELS)
    alike = classes.weights("comparisons")
    assert alike.are_equal
    assert (alike.between.tolist(), alike.within.tolist()) == ([1, 1, 1], [1, 1, 1])
    # 11 comparisons of three pairs of classes; four comparisons within two classes.
    by_class = classes.weights("classes")
    assert not by_class.are_equal
    cells = np.multiply.outer(by_class.between * [3, 2, 1], by_class.between * [3, 2, 1])
    assert cells == pytest.approx(np.full((3, 3), 11 / 3))
    assert by_class.within == pytest.approx([2 / 3, 2, 0])
    two = Classes.of([4, 4, 5])
    assert two.weights("classes").between == pytest.approx(np.sqrt(2) / [2, 1])
    # No comparison of different classes, or within any, is no division by zero.
    assert Classes.of([4, 4]).weights("classes").between.tolist() == [0.0]
    assert Classes.of([4, 5]).weights("classes").within.tolist() == [0.0, 0.0]


def test_leverage():
    classes = Classes.of(LABELS)
    between, within = classes.weights("comparisons").leverage(classes)
    # Of 11 comparisons 9 have the first class, 8 the second and 5 the third.
    assert between == pytest.approx([9 / 11, 8 / 11, 5 / 11])
    assert within == pytest.approx([3 / 4, 1 / 4, 0])
    assert classes.weights("classes").leverage(classes)[0] == pytest.approx([2 / 3] * 3)
    single = Classes.of([4, 5])
    assert single.weights("comparisons").leverage(single)[1].tolist() == [0.0, 0.0]


def test_steps_and_scores():
    steps = np.array([2, STEPS + 2, 2 * STEPS + 2])
    assert score_of(steps).tolist() == [-1.0, 0.0, 1.0]
    assert least_score_of(steps).tolist() == [-1 - 0.5 / STEPS, -0.5 / STEPS, 1 - 0.5 / STEPS]
    assert TABLE > 2 * STEPS + 3


@pytest.mark.parametrize("block", [1 << 22, 18 * 7, 60, 1])
def test_blocks_hold_every_comparison_once(block, monkeypatch):
    monkeypatch.setattr("nearkin.calibration.pair_scores._BLOCK", block)
    vectors, ids = draw_classes(len(COUNTS), COUNTS)
    classes = Classes.of(ids)
    vectors, other = classes.sorted(vectors), classes.sorted(vectors[::-1])
    different, same, done = np.zeros((18, 18), dtype=int), [], 0
    for part in blocks([vectors, other], classes):
        assert part.start == done
        done, shape = part.stop, part.different[0].shape
        assert shape == (part.stop - part.start, 18 - part.start)
        assert shape[0] <= max(block // 18, 1)
        # Whole classes, or a part of one.
        some = classes.ids[part.start : part.stop]
        assert part.first == some[0]
        assert part.rows.tolist() == np.bincount(some - some[0]).tolist()
        assert part.row_starts.tolist() == np.searchsorted(some, np.unique(some)).tolist()
        rest = classes.ids[part.start :]
        assert part.column_starts.tolist() == np.searchsorted(rest, np.unique(rest)).tolist()
        assert part.is_last == (part.stop == 18 or classes.ids[part.stop] != some[-1])
        assert part.is_last or len(np.unique(some)) == 1
        different[part.start : part.stop, part.start :] += part.different[0]
        same += zip(part.same[0].tolist(), part.same[1].tolist(), part.same_classes.tolist(), strict=True)
    assert done == 18
    steps, others = (np.rint(one @ one.T * np.float64(STEPS)).astype(int) + STEPS + 2 for one in (vectors, other))
    apart = (classes.ids[:, None] != classes.ids) & np.triu(np.ones((18, 18), dtype=bool))
    assert np.abs(different - np.where(apart, steps, 0)).max() <= 1
    expected = [
        (steps[i, j], others[i, j], classes.ids[i])
        for i, j in itertools.combinations(range(18), 2)
        if classes.ids[i] == classes.ids[j]
    ]
    assert np.abs(np.array(same) - expected).max() <= 1


def test_equal_vectors_are_on_the_step_of_1():
    vectors = np.random.default_rng(0).normal(size=(40, 64))
    classes = Classes.of(np.arange(80) // 2)
    [part] = blocks([classes.sorted(np.repeat(vectors, 2, axis=0))], classes)
    assert set(part.same[0].tolist()) == {2 * STEPS + 2}


@pytest.mark.parametrize("block", [1 << 22, 60])
@pytest.mark.parametrize("weighting", ["comparisons", "classes"])
def test_counts_equal_a_loop(block, weighting, monkeypatch):
    monkeypatch.setattr("nearkin.calibration.pair_scores._BLOCK", block)
    # Scores are multiples of 1/4, and each of several comparisons.
    ids = np.repeat(np.arange(len(COUNTS)), COUNTS)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(2, 18, 4))
    classes, done = Classes.of(ids), []
    models, weights = [classes.sorted(one) for one in signs], classes.weights(weighting)
    steps, counts = count_all_pairs(models, classes, weights, done.append)
    assert done[-1] == 18
    for vectors, some, found in zip(models, steps, counts, strict=True):
        same, different = {}, {}
        for i, j in itertools.combinations(range(18), 2):
            kind, one, other = (same if ids[i] == ids[j] else different), ids[i], ids[j]
            weight = weights.within[one] if one == other else weights.between[one] * weights.between[other]
            score = float(np.rint(vectors[i] @ vectors[j] * 4) / 4)
            kind[score] = kind.get(score, 0) + weight
        scores = sorted({*same, *different})
        assert found.scores.tolist() == scores == score_of(some).tolist()
        assert found.same == pytest.approx([same.get(score, 0) for score in scores])
        assert found.different == pytest.approx([different.get(score, 0) for score in scores])
        assert found.same.dtype == (np.int64 if weighting == "comparisons" else np.float64)


def test_scores_that_a_single_comparison_has():
    classes = Classes.of([0, 0, 1])
    vectors = classes.sorted([[1.0, 0.0], [0.0, 1.0], [3.0, 4.0]])
    _, [counts] = count_all_pairs([vectors], classes, classes.weights("comparisons"), lambda rows: None)
    assert counts.scores == pytest.approx([0.0, 0.6, 0.8], abs=1 / STEPS)
    assert (counts.same.tolist(), counts.different.tolist()) == ([1, 0, 0], [0, 1, 1])


def test_progress_goes_on_from_pass_to_pass():
    seen = []
    passes = Passes(lambda done, total: seen.append((done, total)), 2, 10)
    for rows in (4, 10, 4, 10):
        passes.advance(rows)
    assert seen == [(4, 20), (10, 20), (14, 20), (20, 20)]
    Passes(None, 2, 10).advance(4)
