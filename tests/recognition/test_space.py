"""How pictures of classes lie in a space, and where texts lie beside them."""

import numpy as np
import pytest

from nearkin.recognition.examples import Examples, Kind
from nearkin.recognition.recognizer import Recognizer
from nearkin.recognition.space import measure_space
from tests.recognition.drawn import drawn


def with_texts(classes: int, *, noise: float, gap: float, seed: int = 0) -> tuple[Examples, np.ndarray]:
    """A picture and a text of each class; the texts lie elsewhere, and scatter more."""
    vectors, labels, centres = drawn(classes, 1, seed=seed, dim=64)
    texts = drawn(classes, 1, seed=seed + 1, dim=64, noise=noise, centres=centres)[0]
    texts = texts + gap * np.eye(64)[0]
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    kinds = np.repeat([Kind.PICTURE, Kind.TEXT], classes)
    return Examples.of(np.concatenate([vectors, texts]), np.tile(labels, 2), kinds=kinds), centres


def test_same_and_dimension_are_those_that_were_drawn() -> None:
    # Centres and noise of equal variance: two pictures of a class share half of it, over 32 directions.
    vectors, labels, _ = drawn(500, 3)
    space = measure_space(Examples.of(vectors, labels))
    assert space.same == pytest.approx(0.5, abs=0.03)
    assert space.dim == pytest.approx(32, rel=0.1)
    assert np.linalg.norm(space.centre) < 0.05


def test_without_some_pictures_the_centre_is_as_if_they_had_not_been_there() -> None:
    vectors, labels, _ = drawn(20, 3)
    left = labels != 4
    whole, without = (measure_space(Examples.of(vectors[rows], labels[rows])) for rows in (labels >= 0, left))
    np.testing.assert_allclose(whole.without(vectors[~left]).centre, without.centre, atol=1e-6)


def test_the_gap_between_texts_and_pictures_is_removed() -> None:
    examples, _ = with_texts(200, noise=1.0, gap=1.0)
    space = measure_space(examples)
    seen = space.examples(examples)
    apart = seen[200:].mean(axis=0) - seen[:200].mean(axis=0)
    assert np.linalg.norm(apart) < 0.1
    assert np.linalg.norm(examples.vectors[200:].mean(axis=0) - examples.vectors[:200].mean(axis=0)) > 0.5


@pytest.mark.parametrize(("noise", "low", "high"), [(1.0, 0.5, 1.0), (2.0, 0.15, 0.45), (5.0, 0.0, 0.15)])
def test_a_text_counts_as_what_it_is_worth(noise: float, low: float, high: float) -> None:
    # Noise of n standard deviations is worth 1 / n^2 pictures.
    assert low <= measure_space(with_texts(200, noise=noise, gap=0.5)[0]).weights[Kind.TEXT] <= high


def test_a_picture_and_a_text_are_better_than_either() -> None:
    examples, centres = with_texts(200, noise=1.5, gap=1.0)
    asked, labels, _ = drawn(200, 3, seed=7, dim=64, centres=centres)
    names = [str(one) for one in range(200)]

    def accuracy(rows: np.ndarray) -> float:
        scores = Recognizer.of(names, examples.select(rows)).scores(asked)
        return float(np.mean(scores.argmax(axis=1) == labels))

    picture, text = examples.kinds == Kind.PICTURE, examples.kinds == Kind.TEXT
    assert accuracy(picture | text) > max(accuracy(picture), accuracy(text)) + 0.03


def test_few_texts_have_a_usual_weight_and_no_gap() -> None:
    examples, _ = with_texts(4, noise=1.0, gap=1.0)
    space = measure_space(examples)
    assert not space.gaps[Kind.TEXT].any()
    assert space.weights[Kind.TEXT] == 0.25
