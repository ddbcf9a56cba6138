"""Splits into training, validation and test: by whole classes, so that figures hold for classes never seen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Int

from nearkin.arrays import check_number
from nearkin.data.items import Items
from nearkin.errors import InvalidInput, SourceError, UnknownName

_Thing = TypeVar("_Thing")

SPLITS = ("train", "val", "test")
ALL = "all"

# Training and validation need at least two classes each, or there is nothing to tell apart.
MIN_CLASSES = 2


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers, rising. Each row of the items is in exactly one part.

    Args:
        train, val, test: rows to train on, to choose the epoch by, and to test on at the end.
        left_out: rows that cannot be used here: no caption, and no label or no entry in the column split by.
    """

    train: Int[np.ndarray, " train"]
    val: Int[np.ndarray, " val"]
    test: Int[np.ndarray, " test"]
    left_out: Int[np.ndarray, " left_out"]


def split_items(items: Items, *, val_fraction: float = 0.2, seed: int = 0, by: str | None = None) -> Split:
    """Rows to train, validate and test on.

    The source's own splits are kept; rows without one are trained on. Where it states no val, part of train becomes
    val: whole classes of the column `by`, or of the labels, so that val shows how unseen classes fare. Fewer than
    four labels leave none to spare; then, and where there are captions only, part of the pictures of each class does.
    Rows without a class cannot be kept apart from val: they are trained on if they have captions, else left out.

    Args:
        items: labelled, captioned, or both.
        val_fraction: share of the classes (or pictures) in val, 0 <= val_fraction < 1; with 0 there is no val,
            and what the source states as val is trained on.
        seed: the same seed gives the same split.
        by: a column whose values must not be in both training and validation, such as "group".

    Raises:
        SourceError: nothing to train on: no labels and no captions, or one class only.
        UnknownName: no column `by`.
        InvalidInput: val_fraction out of range.

    Example:
        >>> from nearkin.data.items import Picture
        >>> items = Items.build([Picture(name) for name in "abcdefgh"], labels=list("ccddeeff"))
        >>> split = split_items(items, val_fraction=0.5)
        >>> sorted({items.labels[row] for row in split.train} & {items.labels[row] for row in split.val})
        []
    """
    if not 0 <= check_number(val_fraction, "val_fraction", "0 or more and less than 1") < 1:
        raise InvalidInput(f"val_fraction is {val_fraction}, expected 0 or more and less than 1")
    trained = (None, "train") if val_fraction else (None, "train", "val")
    to_train = [row for row, split in enumerate(items.splits) if split in trained]
    _check_train(items, to_train)
    # A single class has nothing to be told apart from: as if there were none.
    labels = items.labels if len(_classes(items, to_train)) >= MIN_CLASSES else (None,) * len(items)
    parts: dict[str, list[int]] = {"train": [], "val": [], "test": []}
    for row, split in enumerate(items.splits):
        if labels[row] is not None or items.captions[row]:
            parts["train" if split in trained else str(split)].append(row)
    if not parts["val"] and val_fraction:
        column = labels if by is None else items.column(by)
        spared = _spare(items, column, parts["train"], val_fraction, np.random.default_rng(seed), by)
        usable = {row for row in parts["train"] if column[row] is not None or items.captions[row]}
        parts["train"], parts["val"] = sorted(usable - spared), sorted(spared)
        _check_train(items, parts["train"])
    train, val, test = (np.array(parts[name], dtype=np.int64) for name in ("train", "val", "test"))
    used = np.concatenate([train, val, test])
    return Split(train, val, test, left_out=np.setdiff1d(np.arange(len(items)), used))


def choose_split(items: Items, split: str | None, *, prefer: Sequence[str]) -> str:
    """The split to work on: the one asked for, else the first preferred one that is there, else "all".

    Args:
        items: with or without splits.
        split: "train", "val", "test" or "all"; None for the usual one.
        prefer: the usual ones, best first.

    Raises:
        UnknownName: no such split.
        SourceError: no picture is of the split asked for.

    Example:
        >>> from nearkin.data.items import Picture
        >>> items = Items.build([Picture(name) for name in "ab"], splits=["train", "val"])
        >>> choose_split(items, None, prefer=("test", "val")), choose_split(items, "all", prefer=())
        ('val', 'all')
    """
    if split is not None and split not in (*SPLITS, ALL):
        raise UnknownName("split", split, (*SPLITS, ALL))
    present = [name for name in SPLITS if name in items.splits]
    if split is None:
        return next((name for name in prefer if name in present), ALL)
    if split != ALL and split not in present:
        found = f"only {', '.join(present)}" if present else "no column or folders of splits"
        raise SourceError(f"{items.source}: no pictures of split '{split}', {found}: choose another, or 'all'")
    return split


def of_split(items: Items, split: str) -> Items:
    """The items of this split, or of all."""
    if split == ALL:
        return items
    chosen = items.select([row for row, name in enumerate(items.splits) if name == split])
    return replace(chosen, skipped=items.skipped)


def _spare(
    items: Items,
    column: Sequence[Any],
    rows: Sequence[int],
    fraction: float,
    random: "np.random.Generator",
    by: str | None,
) -> set[int]:
    """The rows to validate on."""
    classes = _rows_by_class(column, rows)
    if by is None and len(classes) < 2 * MIN_CLASSES:
        strata: list[Sequence[int]] = [*classes.values()] or [rows]
        # A picture can be found only if another of its class, or another caption's, is there too.
        return {row for stratum in strata for row in _sample(stratum, fraction, 2, random)}
    if len(classes) < 2:
        raise SourceError(
            f"{items.source}: column '{by}' holds {len(classes)} values, expected at least two to split by"
        )
    spared = _sample(sorted(classes), fraction, MIN_CLASSES if by is None else 1, random)
    return {row for name in spared for row in classes[name]}


def _rows_by_class(column: Sequence[Any], rows: Sequence[int]) -> dict[str, list[int]]:
    classes: dict[str, list[int]] = {}
    for row in rows:
        if column[row] is not None:
            classes.setdefault(str(column[row]), []).append(row)
    return classes


def _sample(things: Sequence[_Thing], fraction: float, least: int, random: "np.random.Generator") -> list[_Thing]:
    """This fraction of the things by chance; at least `least`, and at least as many are left, if they suffice."""
    count = min(max(round(fraction * len(things)), least), len(things) - least)
    return [things[position] for position in random.permutation(len(things))[: max(count, 0)]]


def _classes(items: Items, rows: Sequence[int]) -> set[str | None]:
    return {items.labels[row] for row in rows} - {None}


def _check_train(items: Items, rows: Sequence[int]) -> None:
    """Refuses rows that nothing can be learned from."""
    classes = _classes(items, rows)
    if len(classes) >= MIN_CLASSES or any(items.captions[row] for row in rows):
        return
    if not rows and any(items.splits):
        raise SourceError(f"{items.source}: no picture is of the split 'train', all are of others")
    if not classes:
        raise SourceError(
            f"{items.source}: none of the {len(rows)} pictures has a label or a caption: expected a folder per class, "
            "or a table with a column 'label' or 'caption'"
        )
    raise SourceError(
        f"{items.source}: all {len(rows)} pictures to train on are of one class, '{classes.pop()}', expected two or "
        "more to tell apart: add a class (a folder per class, or another value in the column 'label')"
    )
