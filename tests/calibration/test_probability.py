import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from nearkin.arrays import unit
from nearkin.calibration import probability as module
from nearkin.calibration.drawn_pairs import ScoredPairs
from nearkin.calibration.probability import draw_pairs, fit_probability
from nearkin.errors import UnknownName
from tests.drawn_classes import draw_classes


@pytest.fixture(scope="module")
def people():
    vectors, ids = draw_classes(60, 3, noise=1.0)
    return unit(vectors), ids


@pytest.mark.parametrize("method", ["logistic", "isotonic"])
def test_the_map_rises_and_is_believed(people, method):
    found = fit_probability(*people, method=method)
    assert found.method == method
    assert (np.diff(found.log_odds) >= -1e-9).all()
    assert found.log_odds[0] < 0 < found.log_odds[-1]
    assert found.ece < 0.06
    assert sum(found.weight) == pytest.approx(1)
    expected = np.sum(np.array(found.weight) * np.abs(np.array(found.predicted) - found.observed))
    assert found.ece == pytest.approx(expected)


def test_drawn_pairs_lie_within_folds_and_weigh_alike(people):
    vectors, ids = people
    pairs = draw_pairs(vectors, ids, np.random.default_rng(0))
    assert pairs.weights[pairs.same].sum() == pytest.approx(0.5)
    assert pairs.weights[~pairs.same].sum() == pytest.approx(0.5)
    assert pairs.same.sum() == 60 * 3
    assert set(pairs.folds) == set(range(5))
    # No picture is its own pair.
    assert pairs.scores[pairs.same].max() < 0.9999


def test_the_same_seed_gives_the_same_map(people):
    assert fit_probability(*people, seed=3) == fit_probability(*people, seed=3)
    assert fit_probability(*people, seed=3) != fit_probability(*people, seed=4)


def test_a_logistic_truth_is_recovered():
    """Scores of one dimension: same pairs at +1 more often than different ones; the odds there are known."""
    generator = np.random.default_rng(0)
    ids = np.repeat(np.arange(200), 2)
    side = np.where(generator.random(200) < 0.5, 1.0, -1.0)[ids]
    side[1::2] *= np.where(generator.random(200) < 0.8, 1.0, -1.0)
    found = fit_probability(side[:, None], ids, method="logistic")
    # P(score 1 | same) = 0.8, P(score 1 | different) = 0.5: odds 1.6 at +1, 0.4 at -1.
    np.testing.assert_allclose(np.exp(found.log_odds), [0.4, 1.6], rtol=0.2)


def test_an_encoder_that_ranks_wrong_gets_a_level_map():
    ids = np.repeat(np.arange(20), 2)
    opposite = np.stack([np.cos(ids * np.pi / 20), np.sin(ids * np.pi / 20)], axis=1)
    opposite[1::2] *= -1
    found = fit_probability(opposite, ids, method="logistic")
    assert found.log_odds == (0.0, 0.0)


def test_unknown_method(people):
    with pytest.raises(UnknownName, match="did you mean isotonic"):
        fit_probability(*people, method="isotnic")


def pairs_of(probability, *, count=4000, seed=0):
    """Pairs of known probability at scores from 0.2 to 1, of five folds; some weigh twice as much."""
    generator = np.random.default_rng(seed)
    scores = generator.uniform(0.2, 1, size=count)
    weights = generator.integers(1, 3, size=count) / 10
    return ScoredPairs(scores, generator.random(count) < probability(scores), weights, np.arange(count) % 5)


def test_logistic_regression_is_the_best_of_all_lines():
    """The weighted log loss of a line, minimised as a function of two numbers."""
    pairs = pairs_of(lambda scores: expit(8 * scores - 5))
    signs = np.where(pairs.same, 1, -1)
    line = minimize(lambda ab: -np.sum(pairs.weights * log_expit(signs * (ab[0] * pairs.scores + ab[1]))), [1, 0]).x
    found = module._logistic(pairs.scores, pairs.same, pairs.weights)
    ends = [pairs.scores.min(), pairs.scores.max()]
    assert found.scores.tolist() == ends
    np.testing.assert_allclose(found.log_odds, line[0] * np.array(ends) + line[1], atol=0.01)


def test_isotonic_regression_goes_from_end_to_end_and_proves_neither_0_nor_1():
    scores = np.linspace(-1, 1, 41)
    found = module._isotonic(scores, scores > 0.2, np.ones(41))
    assert (found.scores[0], found.scores[-1]) == (-1, 1)
    least = 1 / (2 + np.sum(scores > 0.2))
    np.testing.assert_allclose(expit(found.log_odds[[0, -1]]), [least, 1 - least])


@pytest.mark.parametrize("method", ["logistic", "isotonic"])
def test_a_fold_is_predicted_by_the_others(method):
    pairs = pairs_of(lambda scores: expit(8 * scores - 5), count=500)
    before = module._cross_fitted(pairs, method)
    own = pairs.folds == 2
    after = module._cross_fitted(pairs._replace(same=pairs.same ^ (own & (pairs.scores > 0.5))), method)
    np.testing.assert_array_equal(after[own], before[own])
    assert (after[~own] != before[~own]).mean() > 0.5


def test_log_loss_by_hand():
    pairs = ScoredPairs(
        np.zeros(4), np.array([True, True, False, False]), np.array([1.0, 2.0, 3.0, 4.0]), np.zeros(4, int)
    )
    loss = module._log_loss(pairs, np.array([0.9, 0.5, 0.2, 0.7]))
    assert loss == pytest.approx(-(np.log(0.9) + 2 * np.log(0.5) + 3 * np.log(0.8) + 4 * np.log(0.3)) / 10)
    # What was held to be impossible costs much, but no infinity.
    loss = module._log_loss(pairs, np.array([0.9, 0.5, 1.0, 0.7]))
    assert loss == pytest.approx(-(np.log(0.9) + 2 * np.log(0.5) + 3 * np.log(1e-12) + 4 * np.log(0.3)) / 10)


def test_reliability_by_a_loop_over_bins():
    pairs = pairs_of(lambda scores: scores, count=300)
    predicted = np.append(np.random.default_rng(1).random(296) ** 3, [1.0, 0.0, 0.1, 0.999])
    rows = []
    for number in range(10):
        low, high = number / 10, (number + 1) / 10 if number < 9 else 1.1
        inside = (predicted >= low) & (predicted < high)
        weights = pairs.weights[inside]
        rows.append([
            np.average(predicted[inside], weights=weights),
            np.average(pairs.same[inside], weights=weights),
            weights.sum() / pairs.weights.sum(),
        ])  # fmt: skip
    np.testing.assert_allclose(np.array(module._reliability(pairs, predicted)).T, rows)
    few = module._reliability(pairs, np.full(300, 0.35))
    assert [len(column) for column in few] == [1, 1, 1]


@pytest.mark.parametrize(
    ("probability", "method"),
    [
        (lambda scores: expit(8 * scores - 5), "logistic"),
        (lambda scores: np.where(scores > 0.6, 0.7, 0.3), "isotonic"),
    ],
)
def test_auto_is_the_one_that_predicts_better(probability, method, monkeypatch, people):
    monkeypatch.setattr(module, "draw_pairs", lambda *_, **__: pairs_of(probability))
    found = fit_probability(*people)
    assert found.method == method
    assert found == fit_probability(*people, method=method)
    assert found.ece == pytest.approx(
        np.sum(np.array(found.weight) * np.abs(np.subtract(found.predicted, found.observed)))
    )
