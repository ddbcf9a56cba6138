"""How good the examples of classes are."""

import json

import numpy as np
import pytest

from nearkin.intervals.figure import Figure
from nearkin.recognition.examples import Examples
from nearkin.recognition.health import Gain, _enough, health
from nearkin.recognition.recognizer import Recognizer
from nearkin.recognition.scorer import SCORERS
from nearkin.serialise import json_text
from tests.recognition.drawn import drawn


def recognizer(vectors: np.ndarray, labels: np.ndarray, **given: str) -> Recognizer:
    return Recognizer.of(
        [f"class {one}" for one in range(int(labels.max()) + 1)], Examples.of(vectors, labels), **given
    )


@pytest.mark.parametrize("scorer", SCORERS.names)
def test_accuracy_is_that_of_each_example_left_out(scorer: str) -> None:
    vectors, labels, _ = drawn(15, 4, noise=1.6)
    found = health(recognizer(vectors, labels, scorer=scorer))
    right = []
    for row in range(len(labels)):
        left = np.arange(len(labels)) != row
        scores = recognizer(vectors[left], labels[left], scorer=scorer).scores(vectors[[row]])[0]
        right.append(scores.argmax() == labels[row])
    assert found.accuracy is not None
    assert found.accuracy.value == pytest.approx(np.mean(right), abs=0.05)
    assert found.accuracy.low < found.accuracy.value < found.accuracy.high
    assert found.named.value <= found.accuracy.value
    assert sum(one.recognized for one in found.classes) == round(found.accuracy.value * 60)


def test_siblings_and_misfits_are_found() -> None:
    vectors, labels, centres = drawn(30, 6, noise=0.4)
    same = drawn(1, 6, seed=9, noise=0.4, centres=centres[:1])[0]
    vectors[labels == 1] = same  # classes 0 and 1 are one
    vectors[30] = drawn(1, 1, seed=5, noise=0.4, centres=centres[20:21])[0]  # of class 5 by name, of 20 by look
    found = health(recognizer(vectors, labels))
    assert found.siblings[0].names == ("class 0", "class 1")
    assert found.siblings[0].confused >= 3
    assert found.siblings[0].asked == 12
    assert all(labels[row] in (0, 1) for row in found.siblings[0].rows)
    assert found.misfits[0].row == 30
    assert (found.misfits[0].name, found.misfits[0].nearest) == ("class 5", "class 20")
    assert found.misfits[0].score < 0 < found.misfits[0].nearest_score
    assert {one.class_id for one in found.classes[:2]} == {0, 1}


def test_one_more_picture_brings_much_to_few_and_little_to_many() -> None:
    vectors, labels, _ = drawn(40, 12, noise=2.0)
    found = health(recognizer(vectors, labels))
    assert [one.pictures for one in found.gains] == list(range(1, 11))
    assert found.gains[0].gain.low > 0.05
    assert found.gains[-1].gain.value < found.gains[0].gain.value / 2
    accuracies = [one.accuracy.value for one in found.gains]
    assert accuracies[0] < accuracies[4] < accuracies[-1] + 0.05
    assert not found.thin


def test_a_class_with_too_little_is_thin() -> None:
    vectors, labels, _ = drawn(40, 12, noise=2.0)
    kept = (labels > 2) | (np.arange(len(labels)) % 12 == 0)
    found = health(recognizer(vectors[kept], labels[kept]))
    assert {one.class_id for one in found.thin} == {0, 1, 2}
    assert all(one.asked == 0 and one.examples == 1 for one in found.thin)


def test_enough_is_one_more_than_what_still_gains() -> None:
    def gain(pictures: int, value: float, low: float) -> Gain:
        return Gain(pictures, Figure(0.5, 0.4, 0.6, 100), Figure(value, low, value + 0.02, 100))

    assert _enough([]) == 3
    assert _enough([gain(1, 0.1, 0.05), gain(2, 0.01, -0.01), gain(3, 0.03, 0.01), gain(4, 0.03, -0.01)]) == 4
    assert _enough([gain(1, 0.0, -0.01)]) == 1


@pytest.mark.parametrize("count", [0, 1, 5])
def test_classes_of_one_example_each_have_no_accuracy(count: int) -> None:
    examples = Examples.of(np.eye(8)[:count].reshape(count, 8), np.arange(count), count=count)
    found = health(Recognizer.of([str(one) for one in range(count)], examples))
    assert (found.accuracy, found.named, found.gains, found.misfits) == (None, None, (), ())
    assert len(found.classes) == len(found.thin) == count
    assert json.loads(json_text(found))["examples"] == count


def test_two_classes_of_the_same_picture_are_siblings() -> None:
    vectors = np.concatenate([drawn(30, 1)[0], drawn(30, 1)[0][:1]])
    found = health(recognizer(vectors, np.arange(31)))
    assert found.siblings[0].names == ("class 0", "class 30")
    assert found.siblings[0].confused == 2
