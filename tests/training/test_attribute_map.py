"""The map from attributes to pictures in closed form."""

import numpy as np
import pytest

from nearkin.arrays import unit
from nearkin.training.attribute_map import attribute_map


def drawn(classes: int, k: int, dim: int, noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures of classes that lie where a linear map of their attributes says, off the origin, and the attributes."""
    random = np.random.default_rng(0)
    attributes = random.normal(size=(classes, k)).astype(np.float32)
    labels = np.arange(classes).repeat(3)
    vectors = attributes @ random.normal(size=(k, dim)) + 5
    return (
        unit((vectors[labels] + noise * random.normal(size=(len(labels), dim))).astype(np.float32)),
        labels,
        attributes,
    )


@pytest.mark.parametrize(("classes", "k"), [(40, 6), (12, 60)], ids=["more classes", "more attributes"])
def test_it_is_the_formula_of_the_paper(classes: int, k: int) -> None:
    """ESZSL with one row a class, both sides centred: V = (X'X + g)^-1 X'S (S'S + l)^-1, here by inverses.

    Then at right angles to the centre.
    """
    vectors, labels, attributes = drawn(classes, k, 8, 0.1)
    means = np.stack([vectors[labels == one].mean(axis=0) for one in range(classes)]).astype(np.float64)
    centre, usual = means.mean(axis=0), attributes.astype(np.float64).mean(axis=0)
    s, spread = attributes - usual, vectors - centre
    scatter = spread.T @ spread / len(spread)
    g, ridge = np.trace(scatter) / 8, (s**2).sum() / classes
    expected = (
        np.linalg.inv(scatter + g * np.eye(8)) @ (means - centre).T @ s @ np.linalg.inv(s.T @ s + ridge * np.eye(k))
    )
    expected -= np.outer(centre, centre @ expected) / (centre @ centre)
    weight, bias = attribute_map(vectors, labels, attributes)
    np.testing.assert_allclose(weight, expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(bias, -expected @ usual, rtol=1e-3, atol=1e-4)


def test_classes_left_out_are_named_by_their_attributes() -> None:
    vectors, labels, attributes = drawn(60, 6, 16, 0.3)
    seen = labels < 40
    weight, bias = attribute_map(vectors[seen], labels[seen], attributes)
    described = unit(attributes[40:] @ weight.T + bias)
    right = (vectors[~seen] @ described.T).argmax(axis=1) == labels[~seen] - 40
    assert right.mean() > 0.8, "of 20 classes"


def test_classes_without_pictures_and_the_order_of_pictures_do_not_count() -> None:
    vectors, labels, attributes = drawn(20, 5, 8, 0.1)
    mixed = np.random.default_rng(1).permutation(len(labels))
    more = np.concatenate([attributes, 100 * np.ones((3, 5), np.float32)])
    expected, found = attribute_map(vectors, labels, attributes), attribute_map(vectors[mixed], labels[mixed], more)
    for one, two in zip(expected, found, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)


def test_the_scale_of_the_attributes_changes_nothing() -> None:
    vectors, labels, attributes = drawn(20, 5, 8, 0.1)
    (weight, bias), (scaled, same) = (
        attribute_map(vectors, labels, attributes),
        attribute_map(vectors, labels, 7 * attributes),
    )
    np.testing.assert_allclose(scaled * 7, weight, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(same, bias, rtol=1e-4, atol=1e-5)


def test_all_classes_described_alike_or_all_pictures_the_same_give_finite_numbers() -> None:
    vectors, labels, attributes = drawn(6, 5, 8, 0.1)
    for pictures, described in ((vectors, np.ones_like(attributes)), (np.ones_like(vectors), attributes)):
        weight, bias = attribute_map(pictures, labels, described)
        assert np.isfinite(weight).all()
        assert np.isfinite(bias).all()
