"""Folds: whole classes, whole groups, every one held out once, and refusals."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearkin.data.folds import class_folds, hold_out
from nearkin.data.items import Items, Picture
from nearkin.errors import InvalidInput, SourceError, UnknownName


def items_of(labels: list[str], **columns: list[str | None]) -> Items:
    return Items.build([Picture(f"{row}.png") for row in range(len(labels))], labels=labels, metadata=columns)


@given(classes=st.integers(10, 40), folds=st.integers(3, 5), seed=st.integers(0, 9))
def test_no_class_is_torn_and_folds_are_even(classes: int, folds: int, seed: int) -> None:
    items = items_of([f"c{row % classes}" for row in range(3 * classes)])
    fold = class_folds(items, folds, seed=seed)
    fold_of = dict(zip(items.labels, fold.tolist(), strict=True))
    assert [fold_of[label] for label in items.labels] == fold.tolist()
    sizes = Counter(fold_of.values()).values()
    assert len(sizes) == folds
    assert max(sizes) - min(sizes) <= 1
    np.testing.assert_array_equal(fold, class_folds(items, folds, seed=seed))


def test_another_seed_gives_other_folds() -> None:
    items = items_of([f"c{row % 20}" for row in range(40)])
    assert (class_folds(items, seed=0) != class_folds(items, seed=1)).any()


def test_groups_stay_whole() -> None:
    labels = [f"{group}{letter}" for group in "ABCDEF" for letter in "xyz" for _ in range(2)]
    items = items_of(labels, alphabet=[label[0] for label in labels])
    fold = class_folds(items, 3, by="alphabet")
    assert len({(label[0], number) for label, number in zip(labels, fold.tolist(), strict=True)}) == 6


def test_every_fold_is_test_once_and_val_once() -> None:
    items = items_of([f"c{row % 12}" for row in range(24)])
    fold = class_folds(items, 4)
    sides = [hold_out(items, fold, number).splits for number in range(4)]
    for row in range(24):
        assert Counter(side[row] for side in sides) == {"train": 2, "val": 1, "test": 1}


@pytest.mark.parametrize(
    ("labels", "folds", "by", "error", "message"),
    [
        (list("aabbcc"), 2, None, InvalidInput, "2 folds, expected 3 or more"),
        (list("aabbcc"), 4, None, SourceError, "3 classes for 4 folds: ask for 3 folds or fewer"),
        (list("aabbcc"), 3, None, SourceError, "one of 3 folds has 1, expected 2 or more in each: add classes"),
        (list("abcdefg"), 3, None, SourceError, "0 classes with two pictures or more"),
        (list("aabbccddeeff"), 3, "row", SourceError, "class 'a' has several values of 'row'"),
        (list("aabbccddeeff"), 3, "none", SourceError, "class 'a' has a picture without 'none'"),
        (list("aabbccddeeff"), 3, "alphabt", UnknownName, "unknown column 'alphabt'"),
    ],
)
def test_refusals(labels: list[str], folds: int, by: str | None, error: type[Exception], message: str) -> None:
    items = items_of(labels, row=[str(row) for row in range(len(labels))], none=[None] * len(labels))
    with pytest.raises(error, match=message):
        class_folds(items, folds, by=by)
