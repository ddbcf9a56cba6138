import numpy as np
import pytest

from nearkin.calibration import accepted as module
from nearkin.calibration.accepted import count_accepted, from_each_on
from nearkin.calibration.pair_scores import STEPS, Classes
from tests.drawn_classes import draw_classes

COUNTS = [1, 2, 3, 1, 4, 2, 2, 15, 1, 2]


def slow_accepted(vectors, classes, weights, at):
    """The sums as their definition says, over a table of all pairs of classes."""
    count = len(classes.starts)
    steps = np.rint((vectors @ vectors.T).astype(np.float64) * STEPS) + STEPS + 2
    cells = np.zeros((count, count, len(at)))
    for c in range(count):
        for d in range(count):
            block = steps[classes.starts[c] : classes.ends[c], classes.starts[d] : classes.ends[d]]
            some = block[np.triu_indices(len(block), 1)] if c == d else block.ravel()
            cells[c, d] = (some[:, None] >= at).sum(axis=0)
    i, j = np.triu_indices(count, 1)
    weight = weights.between[i] * weights.between[j]
    pairs, sizes = weight[:, None] * cells[i, j], weight * classes.sizes[i] * classes.sizes[j]
    between = np.zeros((count, len(at)))
    np.add.at(between, i, pairs)
    np.add.at(between, j, pairs)
    within = weights.within[:, None] * cells[np.arange(count), np.arange(count)]
    return between, within, (pairs**2).sum(axis=0), sizes @ pairs, (pairs > 0).sum(axis=0)


@pytest.mark.parametrize("weighting", ["comparisons", "classes"])
@pytest.mark.parametrize("block", [1 << 22, 200])
@pytest.mark.parametrize("few", [True, False], ids=["sorted", "tables"])
def test_sums_equal_their_definition(weighting, block, few, monkeypatch):
    """A class of 15 pictures goes over several small blocks; pairs of classes are sorted or counted in tables."""
    monkeypatch.setattr("nearkin.calibration.pair_scores._BLOCK", block)
    if not few:
        monkeypatch.setattr(module._PairSums, "_sort", None)
        monkeypatch.setattr(module, "_LARGE", 0)
    vectors, ids = draw_classes(len(COUNTS), COUNTS, noise=1.2)
    classes = Classes.of(ids)
    vectors, weights = classes.sorted(vectors), classes.weights(weighting)
    at = np.append(0, (STEPS * np.array([0.3, 0.62, 0.9, 1.17, 1.5, 1.8])).astype(np.int64)) + 1
    done = []
    found = count_accepted(vectors, classes, weights, at, done.append)
    for ours, theirs in zip(found, slow_accepted(vectors, classes, weights, at), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
    assert done[-1] == len(ids)


def test_a_score_that_is_the_threshold_is_accepted():
    vectors = np.eye(3, dtype=np.float32)[[0, 0, 1, 1, 2, 0]]
    classes = Classes.of(np.array([0, 0, 1, 1, 1, 2]))
    weights = classes.weights("comparisons")
    at = np.array([1, STEPS + 1, STEPS + 2, STEPS + 3, 2 * STEPS + 2])
    found = count_accepted(vectors, classes, weights, at, lambda _: None)
    for ours, theirs in zip(found, slow_accepted(vectors, classes, weights, at), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # Of 11 comparisons of different classes two score 1 and nine 0.
    assert (found.between.sum(axis=0) / 2).tolist() == [11, 11, 11, 2, 2]
    assert found.within.sum(axis=0).tolist() == [4, 4, 4, 2, 2]


def test_from_each_on():
    assert from_each_on(np.array([[7.0, 1.0, 2.0, 3.0]])).tolist() == [[6.0, 5.0, 3.0]]
    assert from_each_on(np.array([7.0, 1.0, 2.0, 3.0])).tolist() == [6.0, 5.0, 3.0]
