import numpy as np
import pytest

from nearkin.arrays import unit
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
