import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from nearkin.calibration.error_rates import ScoreCounts, accepted_shares, count_scores, thresholds
from nearkin.errors import InvalidInput

# Ten comparisons of different classes and eight of the same.
COUNTS = ScoreCounts(
    np.array([0.1, 0.3, 0.5, 0.7, 0.9]), same=np.array([0, 1, 2, 2, 3]), different=np.array([4, 3, 2, 1, 0])
)


def test_shares_from_each_score_on():
    assert accepted_shares(COUNTS.different) == pytest.approx([1.0, 0.6, 0.3, 0.1, 0.0, 0.0])
    assert [COUNTS.far(index) for index in range(6)] == pytest.approx([1.0, 0.6, 0.3, 0.1, 0.0, 0.0])
    assert [COUNTS.tar(index) for index in range(6)] == pytest.approx([1.0, 1.0, 0.875, 0.625, 0.375, 0.0])


def test_thresholds_are_the_lowest_that_keep_a_rate():
    fars = np.array([1.0, 0.99, 0.6, 0.3, 0.29, 0.1, 0.05, 0.0])
    assert thresholds(COUNTS.different, fars).tolist() == [0, 1, 1, 2, 3, 3, 4, 4]
    assert COUNTS.threshold(0.3) == 2
    # Weights whose sum rounds to a little more than the rate.
    assert thresholds(np.array([0.7, 0.1 + 1e-17, 0.2]), np.array([0.3])).tolist() == [1]
    # Where even the highest score is that of different classes, no threshold that occurs accepts none.
    assert thresholds(np.array([1, 1]), np.array([0.0])).tolist() == [2]


def test_roc_auc_and_eer():
    far, tar, threshold = COUNTS.roc()
    assert threshold.tolist() == [np.inf, 0.9, 0.7, 0.5, 0.3, 0.1]
    assert far == pytest.approx([0.0, 0.0, 0.1, 0.3, 0.6, 1.0])
    assert tar == pytest.approx([0.0, 0.375, 0.625, 0.875, 1.0, 1.0])
    scores = np.repeat(np.tile(COUNTS.scores, 2), np.concatenate([COUNTS.same, COUNTS.different]))
    same = np.arange(len(scores)) < 8
    assert COUNTS.auc() == pytest.approx(roc_auc_score(same, scores))
    theirs = roc_curve(same, scores, drop_intermediate=False)
    assert np.allclose(far, theirs[0])
    assert np.allclose(tar, theirs[1])
    # frr is 0.125 where far is 0.3, and 0.375 where it is 0.1: they meet 7/18 of the way.
    assert COUNTS.crossing() == (2, pytest.approx(0.175 / 0.45))
    assert COUNTS.eer() == pytest.approx(0.3 - 0.2 * 0.175 / 0.45)
    assert COUNTS.below("different") == pytest.approx([0.2, 0.55, 0.8, 0.95, 1.0])
    assert COUNTS.below("same") == pytest.approx([0.0, 0.0625, 0.25, 0.5, 0.8125])


def test_rates_that_are_equal_at_a_threshold():
    counts = ScoreCounts(np.array([0.2, 0.5, 0.8]), same=np.array([1, 1, 2]), different=np.array([3, 1, 0]))
    assert counts.crossing() == (0, 1.0)
    assert counts.eer() == 0.25


def test_scores_are_counted():
    counts = count_scores([0.5, 0.1, 0.5, 0.5], [True, False, False, True])
    assert (counts.scores.tolist(), counts.same.tolist(), counts.different.tolist()) == ([0.1, 0.5], [0, 2], [1, 1])
    weighed = count_scores([0.5, 0.1, 0.5, 0.5], [True, False, False, True], weights=[0.25, 1, 3, 0.5])
    assert (weighed.same.tolist(), weighed.different.tolist()) == ([0.0, 0.75], [1.0, 3.0])


@pytest.mark.parametrize(
    ("scores", "same", "message"),
    [
        ([[0.1, 0.2]], [[True, False]], r"scores of shape \(1, 2\)"),
        ([0.1, 0.2], [True], "as many of True or False"),
        ([0.1, 0.2], [1, 0], "same: int64"),
        ([0.1, np.nan, np.inf], [True, False, True], "2 of 3 scores are NaN or infinite, the first is that of pair 1"),
        ([0.1, 0.2], [False, False], "none of the 2 pairs is same"),
        ([0.1, 0.2], [True, True], "none of the 2 pairs is different"),
        ([], [], "none of the 0 pairs is same"),
    ],
)
def test_bad_comparisons_are_named(scores, same, message):
    with pytest.raises(InvalidInput, match=message):
        count_scores(scores, same)
