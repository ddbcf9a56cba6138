"""Baselines of words, in closed form."""

import numpy as np

from nearkin.training.caption_baselines import bags_of_words, regressed


def test_ridge_regression_against_its_formula() -> None:
    random = np.random.default_rng(0)
    x, y, z = (random.normal(size=shape).astype(np.float32) for shape in ((20, 5), (20, 3), (4, 5)))
    centred = x - x.mean(0)
    gram = centred.T @ centred
    expected = (z - x.mean(0)) @ np.linalg.inv(gram + np.trace(gram) / 5 * np.eye(5)) @ centred.T @ y
    np.testing.assert_allclose(regressed(x, y, z), expected, atol=1e-5)


def test_a_word_of_every_text_says_nothing_and_new_words_are_left_out() -> None:
    fitted, asked = bags_of_words(["красный мяч", "Красный круг"], ["МЯЧ!", "красный", "зелёный", "☃"])
    assert fitted.shape == (2, 3)
    np.testing.assert_allclose(asked.sum(1), [np.log(2), 0, 0, 0], atol=1e-6)


def test_no_words_at_all() -> None:
    fitted, asked = bags_of_words(["☃", "!"], ["?"])
    assert fitted.tolist() == [[0.0], [0.0]]
    assert asked.tolist() == [[0.0]]
