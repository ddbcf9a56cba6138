import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearkin.data.items import Items, Picture
from nearkin.data.splits import Split, split_items
from nearkin.errors import InvalidInput, SourceError, UnknownName


def items_of(
    labels: list[str | None] | None = None,
    captions: list[str | None] | None = None,
    splits: list[str | None] | None = None,
    **metadata: list[object],
) -> Items:
    count = len(next(column for column in (labels, captions, splits) if column is not None))
    return Items.build(
        [Picture(f"/{row}.png") for row in range(count)],
        labels=labels,
        captions=None if captions is None else [[text] if text else [] for text in captions],
        splits=splits,
        metadata=metadata,
    )


def parts(split: Split) -> list[list[int]]:
    return [part.tolist() for part in (split.train, split.val, split.test, split.left_out)]


def assert_each_row_once(split: Split, count: int) -> None:
    assert sorted(row for part in parts(split) for row in part) == list(range(count))
    assert all(part == sorted(part) for part in parts(split))


names = st.one_of(st.none(), st.sampled_from("abcdefgh"))
tables = st.lists(st.tuples(names, st.one_of(st.none(), st.just("text")), names), min_size=1, max_size=30)


@settings(max_examples=100, deadline=None)
@given(rows=tables, seed=st.integers(0, 5), fraction=st.floats(0.05, 0.95), by=st.sampled_from([None, "base"]))
def test_every_split_holds_its_promises(
    rows: list[tuple[str | None, str | None, str | None]], seed: int, fraction: float, by: str | None
) -> None:
    labels, captions, base = (list(column) for column in zip(*rows, strict=True))
    items = items_of(labels, captions, base=base)
    try:
        split = split_items(items, val_fraction=fraction, seed=seed, by=by)
    except SourceError:
        assert by is not None or (len(set(labels) - {None}) < 2 and not any(captions))
        return
    assert_each_row_once(split, len(rows))
    assert parts(split) == parts(split_items(items, val_fraction=fraction, seed=seed, by=by))
    assert len(split.test) == 0
    column = items.column(by or "label")
    train, val = ({column[row] for row in part} - {None} for part in (split.train, split.val))
    if by is not None or len({label for label in labels if label}) >= 4:
        assert not train & val
        assert all(column[row] is not None for row in split.val)
    for row in split.left_out:
        assert captions[row] is None
        assert column[row] is None or labels[row] is None or len(set(labels) - {None}) == 1


@given(seed=st.integers(0, 1000))
def test_whole_classes_go_to_val(seed: int) -> None:
    labels = [name for name in "abcdefghij" for _ in range(3)]
    split = split_items(items_of(labels), seed=seed)
    assert len({labels[row] for row in split.val}) == 2
    assert len({labels[row] for row in split.train}) == 8
    assert len(split.left_out) == 0


def test_the_seed_chooses_and_the_order_of_rows_does_not() -> None:
    labels = [name for name in "abcdefghij" for _ in range(2)]
    chosen = {frozenset(labels[row] for row in split_items(items_of(labels), seed=seed).val) for seed in range(10)}
    assert len(chosen) > 3
    mixed = [labels[row] for row in np.random.default_rng(0).permutation(len(labels))]
    assert {mixed[row] for row in split_items(items_of(mixed)).val} == {
        labels[row] for row in split_items(items_of(labels)).val
    }


def test_classes_of_a_column_stay_together() -> None:
    labels = [f"{alphabet}{letter}" for alphabet in range(30) for letter in range(4)]
    alphabets = [alphabet for alphabet in range(30) for _ in range(4)]
    split = split_items(items_of(labels, group=alphabets), by="group")
    train, val = ({alphabets[row] for row in part} for part in (split.train, split.val))
    assert (len(train), len(val), train & val) == (24, 6, set())


def test_two_classes_are_both_seen() -> None:
    labels = ["cat"] * 10 + ["dog"] * 20
    split = split_items(items_of(labels))
    assert sorted(labels[row] for row in split.val) == ["cat"] * 2 + ["dog"] * 4


def test_captions_alone_are_split_by_picture() -> None:
    split = split_items(items_of(captions=["text"] * 10 + [None] * 2))
    assert [len(part) for part in parts(split)] == [8, 2, 0, 2]


def test_one_class_with_captions_is_split_by_picture() -> None:
    split = split_items(items_of(["cat"] * 10, captions=["text"] * 10))
    assert [len(part) for part in parts(split)] == [8, 2, 0, 0]


def test_pictures_without_a_class_are_trained_on_if_they_have_captions() -> None:
    labels = [*"aabbccdd", None, None]
    split = split_items(items_of(labels, captions=[None] * 8 + ["text", None]))
    assert 8 in split.train
    assert split.left_out.tolist() == [9]


def test_the_sources_own_splits_are_kept() -> None:
    split = split_items(items_of([*"aabbcc"], splits=["train", "val", "test", "train", None, "dev"]))
    assert parts(split) == [[0, 3, 4], [1, 5], [2], []]


def test_val_is_taken_from_train_where_the_source_states_none() -> None:
    labels = [name for name in "abcdefghij" for _ in range(2)]
    splits = ["train"] * 16 + ["test"] * 4
    split = split_items(items_of(labels, splits=splits))
    assert split.test.tolist() == [16, 17, 18, 19]
    assert len({labels[row] for row in split.val}) == 2
    assert not {labels[row] for row in split.val} & {labels[row] for row in split.train}


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (
            items_of(["cat"] * 5),
            "all 5 pictures to train on are of one class, 'cat', expected two or more",
        ),
        (items_of([None] * 3), "none of the 3 pictures has a label or a caption: expected a folder per class"),
        (items_of([*"aabb"], splits=["test"] * 4), "no picture is of the split 'train', all are of others"),
        (items_of([*"aabb"], splits=["train", "train", "val", "val"]), "2 pictures to train on are of one class, 'a'"),
    ],
)
def test_what_nothing_can_be_learnt_from_is_refused(items: Items, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        split_items(items)


def test_bad_arguments() -> None:
    items = items_of([*"aabbccdd"], group=["x"] * 8)
    with pytest.raises(SourceError, match="column 'group' holds 1 values"):
        split_items(items, by="group")
    with pytest.raises(UnknownName, match="unknown column 'grup'"):
        split_items(items, by="grup")
    for fraction in (-0.1, 1.0, float("nan")):
        with pytest.raises(InvalidInput, match="val_fraction"):
            split_items(items, val_fraction=fraction)
