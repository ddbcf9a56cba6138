"""Whitening within classes: the formula, its ends, and what it is for, unseen classes."""

import numpy as np
import pytest

from nearkin.arrays import unit
from nearkin.evaluation import retrieval
from nearkin.training.whitening import WithinClasses, whitened_projection


def pictures(classes: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features in which the first five numbers are the class, and the last five, larger ones, chance."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), 8)
    centres = random.normal(size=(classes, 5))
    own = centres[labels] + 0.2 * random.normal(size=(len(labels), 5))
    return np.hstack([own, 2 * random.normal(size=(len(labels), 5))]).astype(np.float32), labels


@pytest.mark.parametrize("strength", [0.0, 0.3, 0.9])
def test_the_whitening_is_its_formula(strength: float) -> None:
    features, labels = pictures(6, seed=0)
    spread = np.zeros((10, 10))
    for row, label in enumerate(labels):
        difference = features[row] - features[labels == label].mean(0)
        spread += np.outer(difference, difference) / len(labels)
    target = strength * spread + (1 - strength) * np.trace(spread) / 10 * np.eye(10)
    whitening = WithinClasses.of(features, labels).whitening(strength)
    np.testing.assert_allclose(whitening @ target @ whitening, np.eye(10), atol=1e-4)


def test_without_strength_cosines_are_those_of_the_centred_features() -> None:
    features, labels = pictures(6, seed=0)
    spread = WithinClasses.of(features, labels)
    weight, bias = whitened_projection(features, spread, strength=0.0, dim=10)
    vectors = features @ weight.T + bias
    centred = unit(features - features.mean(0))
    np.testing.assert_allclose(unit(vectors) @ unit(vectors).T, centred @ centred.T, atol=1e-4)
    assert np.square(vectors).sum(1).mean() == pytest.approx(1, rel=1e-4)


def test_unseen_classes_lie_apart_better() -> None:
    features, labels = pictures(30, seed=0)
    weight, bias = whitened_projection(features, WithinClasses.of(features, labels), strength=0.9, dim=6)
    unseen, their = pictures(30, seed=1)
    before, after = (
        retrieval(unit(vectors.astype(np.float32)), their)["recall@1"].value
        for vectors in (unseen, unseen @ weight.T + bias)
    )
    assert after > before + 0.3


def test_more_numbers_than_features_are_zero() -> None:
    features, labels = pictures(4, seed=0)
    weight, bias = whitened_projection(features, WithinClasses.of(features, labels), strength=0.5, dim=16)
    assert weight.shape == (16, 10)
    assert not weight[10:].any()
    assert not bias[10:].any()
