"""Examples of classes."""

import numpy as np
import pytest

from nearkin.errors import InvalidInput
from nearkin.recognition.examples import Examples, Kind, sums_of_classes


def test_examples_are_pictures_and_positive_unless_said() -> None:
    examples = Examples.of([[3.0, 4.0], [0.0, 2.0]], [1, -1])
    assert examples.vectors.tolist() == [[np.float32(0.6), np.float32(0.8)], [0.0, 1.0]]
    assert examples.kinds.tolist() == [Kind.PICTURE, Kind.PICTURE]
    assert examples.positive.all()
    assert examples.count == 2
    assert examples.sizes().tolist() == [0, 1]
    assert examples.member.tolist() == [True, False]


@pytest.mark.parametrize(
    ("vectors", "classes", "count", "message"),
    [
        ([[1.0, 0.0]], [0, 1], None, "1 vectors with classes of shape"),
        ([[1.0, 0.0]], [-2], None, "class ids -2 to -2"),
        ([[1.0, 0.0]], [5], 3, "expected -1 to 2"),
        ([[np.nan, 0.0]], [0], None, "NaN"),
    ],
)
def test_examples_that_are_none_are_refused(vectors: list, classes: list, count: int | None, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Examples.of(vectors, classes, count=count)


def test_joined_examples_leave_both_as_they_were_and_copy_once() -> None:
    first = Examples.of(np.eye(4), [0, 1, 2, 3])
    second = first.joined(Examples.of(np.eye(4)[:1], [1]))
    third = second.joined(Examples.of(np.eye(4)[1:2], [6], positive=[False]))
    other = second.joined(Examples.of(np.eye(4)[2:3], [2]))
    assert [len(one) for one in (first, second, third, other)] == [4, 5, 6, 6]
    assert third.classes.tolist() == [0, 1, 2, 3, 1, 6]
    assert other.classes.tolist() == [0, 1, 2, 3, 1, 2]
    assert third.positive.tolist() == [True] * 5 + [False]
    assert (third.count, other.count) == (7, 4)
    assert np.shares_memory(second.vectors, third.vectors)
    assert not np.shares_memory(third.vectors, other.vectors)


def test_sums_of_classes_are_those_of_a_loop() -> None:
    generator = np.random.default_rng(0)
    rows, classes = generator.normal(size=(50, 3)), generator.integers(7, size=50)
    expected = np.zeros((9, 3))
    for row, one in zip(rows, classes, strict=True):
        expected[one] += row
    np.testing.assert_allclose(sums_of_classes(rows, classes, 9), expected)
