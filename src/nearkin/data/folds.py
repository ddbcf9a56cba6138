"""Folds of classes: each is held out once, so that every class is tested by a model that never saw it."""

from collections.abc import Hashable
from dataclasses import replace

import numpy as np
from jaxtyping import Int

from nearkin.arrays import check_count
from nearkin.data.items import Items
from nearkin.errors import InvalidInput, SourceError

# One to test on, one to choose the epoch by, one at least to train on.
MIN_FOLDS = 3

# With one class every neighbour is right.
MIN_CLASSES = 2


def class_folds(items: Items, folds: int = 5, *, by: str | None = None, seed: int = 0) -> Int[np.ndarray, " n"]:
    """The fold of each picture, 0 to folds - 1; all pictures of a class are in one fold.

    Args:
        items: every picture labelled.
        folds: how many, at least 3; they differ by one class at most, or by one value of `by`.
        by: a column whose values stay whole too, such as "group": a class must not have several.
        seed: the same seed gives the same folds.

    Raises:
        InvalidInput: fewer than three folds.
        SourceError: too few classes, or a class with several values of `by`.
        UnknownName: no column `by`.

    Example:
        >>> from nearkin.data.items import Picture
        >>> names = "aabbccddeeff"
        >>> items = Items.build([Picture(str(row)) for row in range(len(names))], labels=list(names))
        >>> fold = class_folds(items, 3)
        >>> np.bincount(fold).tolist(), bool((fold[::2] == fold[1::2]).all())
        ([4, 4, 4], True)
    """
    if check_count(folds, "folds") < MIN_FOLDS:
        raise InvalidInput(
            f"{folds} folds, expected {MIN_FOLDS} or more: for testing, for choosing the epoch, for training"
        )
    group_of_class = _group_of_class(items, by)
    groups = sorted(set(group_of_class.values()), key=str)
    if len(groups) < folds:
        raise SourceError(_too_few(items, len(groups), folds, by))
    parts = np.array_split(np.random.default_rng(seed).permutation(len(groups)), folds)
    fold_of_group = {groups[position]: number for number, part in enumerate(parts) for position in part}
    fold = np.array([fold_of_group[group_of_class[str(label)]] for label in items.labels], dtype=np.int64)
    _check_testable(items, fold, folds)
    return fold


def _too_few(items: Items, groups: int, folds: int, by: str | None) -> str:
    what = ("class" if groups == 1 else "classes") if by is None else f"values of '{by}'"
    least = MIN_FOLDS * MIN_CLASSES if by is None else MIN_FOLDS
    way_out = f"even {MIN_FOLDS} need {least} or more: add some"
    if groups >= MIN_FOLDS:
        way_out = f"ask for {groups} folds or fewer"
    return f"{items.source}: {groups} {what} for {folds} folds: {way_out}"


def hold_out(items: Items, fold: Int[np.ndarray, " n"], number: int) -> Items:
    """The items with splits: this fold is "test", the next one "val", all others are "train".

    Example:
        >>> from nearkin.data.items import Picture
        >>> items = Items.build([Picture(name) for name in "abcd"], labels=list("abcd"))
        >>> hold_out(items, np.array([0, 1, 2, 3]), 3).splits
        ('val', 'train', 'train', 'test')
    """
    split = {number: "test", (number + 1) % (int(fold.max()) + 1): "val"}
    return replace(items, splits=tuple(split.get(part, "train") for part in fold.tolist()))


def _group_of_class(items: Items, by: str | None) -> dict[str, Hashable]:
    """What keeps a class together with others: its value of `by`, or nothing but its own name."""
    values = items.labels if by is None else items.column(by)
    group: dict[str, Hashable] = {}
    for label, value in zip(items.labels, values, strict=True):
        assert label is not None
        if value is None:
            raise SourceError(f"{items.source}: class '{label}' has a picture without '{by}', which folds are made by")
        if group.setdefault(label, value) != value:
            raise SourceError(
                f"{items.source}: class '{label}' has several values of '{by}' ({group[label]}, {value}): "
                "make folds by a column that has one value for each class"
            )
    return group


def _check_testable(items: Items, fold: np.ndarray, folds: int) -> None:
    """Every fold is tested on or chosen by once: it needs classes to tell apart, with pictures to find."""
    pictures: dict[tuple[int, str], int] = {}
    for number, label in zip(fold.tolist(), items.labels, strict=True):
        pictures[number, str(label)] = pictures.get((number, str(label)), 0) + 1
    pairs = np.bincount([number for (number, _), count in pictures.items() if count > 1], minlength=folds)
    if pairs.min() < MIN_CLASSES:
        total, fewest = int(pairs.sum()), int(pairs.min())
        most = total // MIN_CLASSES
        way_out = "add classes, or pictures to classes of one"
        if MIN_FOLDS <= most < folds:
            way_out = f"ask for {most} folds or fewer"
        raise SourceError(
            f"{items.source}: of {total} classes with two pictures or more, one of {folds} folds has {fewest}, "
            f"expected {MIN_CLASSES} or more in each: {way_out}"
        )
