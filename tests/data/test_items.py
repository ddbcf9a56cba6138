from pathlib import Path

import numpy as np
import pytest

from nearkin.data.items import Broken, Items, Picture, split_name
from nearkin.errors import InvalidInput, PictureError, UnknownName


def some() -> Items:
    return Items.build(
        [Picture("/a.png"), Picture("/b.png"), Picture("/c.png")],
        labels=["dog", None, "cat"],
        captions=["a dog", ["grass", "трава"], []],
        splits=["Training", "dev", None],
        is_query=[True, False, False],
        metadata={"weight": [3, None, 4]},
    )


def test_every_spelling_of_a_split() -> None:
    words = ["train", "TRAINING", "val", "valid", "Validation", "dev", "test", "testing", "holdout", ""]
    assert list(map(split_name, words)) == ["train"] * 2 + ["val"] * 4 + ["test"] * 2 + [None] * 2


def test_build_fills_what_is_not_given() -> None:
    items = Items.build([Picture("/a.png")])
    assert (items.labels, items.captions, items.splits, items.is_query) == ((None,), ((),), (None,), None)
    assert not items.has_labels
    assert not items.has_captions


def test_build_brings_splits_and_captions_to_one_form() -> None:
    assert some().splits == ("train", "val", None)
    assert some().captions == (("a dog",), ("grass", "трава"), ())


def test_build_refuses_a_column_of_another_length() -> None:
    with pytest.raises(InvalidInput, match="column 'weight' has 1 entries for 2 pictures"):
        Items.build([Picture("/a.png"), Picture("/b.png")], metadata={"weight": [3]})


def test_build_refuses_an_unknown_split() -> None:
    with pytest.raises(UnknownName, match="unknown split 'tran'"):
        Items.build([Picture("/a.png")], splits=["tran"])


def test_label_ids_are_in_the_order_of_names() -> None:
    ids, names = some().label_ids()
    assert ids.tolist() == [1, -1, 0]
    assert names == ("cat", "dog")


def test_select_takes_every_column_along() -> None:
    chosen = some().select(np.array([2, 0]))
    assert chosen.uris == ("/c.png", "/a.png")
    assert chosen.labels == ("cat", "dog")
    assert chosen.captions == ((), ("a dog",))
    assert chosen.splits == (None, "train")
    assert chosen.is_query is not None
    assert chosen.is_query.tolist() == [False, True]
    assert chosen.metadata == {"weight": (4, 3)}
    assert len(some().select([])) == 0


def test_column() -> None:
    assert some().column("weight") == (3, None, 4)
    assert some().column("split") == ("train", "val", None)
    with pytest.raises(UnknownName, match="unknown column 'wight'"):
        some().column("wight")


def test_picture_reads_a_file_or_calls(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"bytes")
    assert Picture(str(tmp_path / "a")).read() == b"bytes"
    assert Picture("hf://x#1", lambda: b"row").read() == b"row"


def test_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    def fail() -> bytes:
        raise OSError("the disk is gone")

    with pytest.raises(PictureError, match=r"/none.png: No such file"):
        Picture(str(tmp_path / "none.png")).read()
    with pytest.raises(PictureError, match="hf://x#1: the disk is gone"):
        Picture("hf://x#1", fail).read()


def test_broken_says_which_and_why() -> None:
    assert str(Broken("/a.png", "the file is empty")) == "/a.png: the file is empty"
