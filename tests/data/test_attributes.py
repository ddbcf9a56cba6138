"""Attributes of classes: kinds of columns, their numbers and scale; tables with a row per class, and their faults."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nearkin.data.attributes import Attributes, read_class_table
from nearkin.errors import InvalidInput, SourceError, UnknownName

ROWS: list[dict[str, Any]] = [
    {"legs": 4, "wings": 0, "colour": "Red", "words": "fur | four-legged"},
    {"legs": 2, "wings": 1, "colour": "blue", "words": "feathers | egg"},
    {"legs": 6, "wings": 1, "colour": "red", "words": "egg|small"},
]


def test_kinds_and_numbers_by_hand() -> None:
    attributes = Attributes.fit(ROWS)
    assert [column.kind for column in attributes.columns] == ["number", "flag", "category", "words"]
    # Of the words only "egg" is of two classes; the others could teach nothing of further classes.
    assert attributes.names == ("legs", "wings", "colour=blue", "colour=red", "words=egg")
    numbers = attributes.numbers([{"legs": 8, "wings": True, "colour": "RED", "words": ["Egg", "never seen"]}])
    assert numbers.tolist() == [[8, 1, 0, 1, 1]]
    assert attributes.scaled(numbers).tolist() == [[pytest.approx(4 / np.std([4, 2, 6])), 1, 0, 1, 1]]
    assert attributes.numbers(numbers).tolist() == attributes.numbers(numbers[0]).tolist() == numbers.tolist()
    assert Attributes.from_dict(json.loads(json.dumps(attributes.to_dict()))) == attributes


def test_a_set_of_words_has_length_one_at_most() -> None:
    attributes = Attributes.fit([{"words": "a|b|c|d"}, {"words": "a|b|c|d"}, {"words": "a"}])
    scaled = attributes.scaled(attributes.numbers([{"words": "a|b|c|d"}, {"words": "a"}]))
    assert scaled.tolist() == [[0.5, 0.5, 0.5, 0.5], [1, 0, 0, 0]]


def test_a_number_that_never_varies_is_no_division_by_zero() -> None:
    attributes = Attributes.fit([{"size": 7.0}, {"size": 7.0}])
    assert attributes.scaled(attributes.numbers([{"size": 9}])).tolist() == [[2.0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"legs": float("nan")}, "attributes of row 0: 'legs' is nan: expected a number"),
        ({"legs": "many"}, "'legs' is 'many': expected a number"),
        ({"legs": None}, "'legs' is empty: expected a number"),
        ({"wings": 2}, "'wings' is 2: expected 0 or 1"),
        ({"colour": "rde"}, "unknown value of 'colour' 'rde': did you mean red"),
        ({"colour": ""}, "'colour' is '': expected one of blue, red"),
        ({"words": {"a": 1}}, "'words' is a mapping: .*expected words"),
        ({"lgs": 4}, "unknown attribute 'lgs': did you mean legs"),
    ],
)
def test_bad_values_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Attributes.fit(ROWS).numbers([{**ROWS[0], **change}])


def test_bad_shapes_are_named() -> None:
    attributes = Attributes.fit(ROWS)
    with pytest.raises(InvalidInput, match=r"attributes of row 0: 'wings', 'words' missing: expected legs, wings"):
        attributes.numbers([{"legs": 4, "colour": "red"}])
    with pytest.raises(InvalidInput, match=r"shape \(1, 3\): expected 5 numbers a row \(legs, wings, colour=blue"):
        attributes.numbers([1, 2, 3])
    with pytest.raises(InvalidInput, match="row 1: 'wings' is nan"):
        attributes.numbers([[1, 0, 0, 1, 0], [1, np.nan, 0, 1, 0]])
    with pytest.raises(InvalidInput, match="expected 5 numbers a row"):
        attributes.numbers("legs")


def test_words_of_which_none_is_known() -> None:
    attributes = Attributes.fit([{"words": "egg|a"}, {"words": "egg|b"}])
    with pytest.raises(InvalidInput, match="'cat': 'fur': none of these words was trained on, expected some of egg"):
        attributes.numbers([{"words": "fur"}], classes=["cat"])
    assert not attributes.numbers([{"words": "fur"}], unknown_words=True).any()
    colours = Attributes.fit([{"colour": "red"}, {"colour": "blue"}])
    assert colours.numbers([{"colour": "green"}], unknown_words=True).tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([None, ""], "'x' is empty for all"),
        ([1, None], "'x' is empty or not finite for some"),
        ([1.5, float("inf")], "'x' is empty or not finite for some"),
        (["a|b", "c|d"], "'x': no word is of two classes"),
        (["a", {"b": 1}], "'x' is a mapping"),
    ],
)
def test_columns_that_teach_nothing(cells: list[Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Attributes.fit([{"x": cell} for cell in cells])


@pytest.mark.parametrize(("suffix", "head"), [(".csv", "Class,legs,words"), (".tsv", "Class\tlegs\twords")])
def test_a_table_of_classes(tmp_path: Path, suffix: str, head: str) -> None:
    sign = head[5]
    path = tmp_path / f"classes{suffix}"
    path.write_text("\n".join([head, *(sign.join(row) for row in (("cat", "4", "fur|egg"), ("1.0", "2", "egg")))]))
    table = read_class_table(path)
    assert table.of(["1.0", "cat"]) == [{"legs": 2, "words": "egg"}, {"legs": 4, "words": "fur|egg"}]
    assert table.of(["cat"], ["legs"]) == [{"legs": 4}]
    with pytest.raises(InvalidInput, match=r"no row for 2 of 3 classes \('cow', 'dog'\): add a row"):
        table.of(["dog", "cat", "cow"])
    with pytest.raises(UnknownName, match="unknown column 'leg': did you mean legs"):
        table.of(["cat"], ["leg"])


def test_lists_of_words_in_typed_tables(tmp_path: Path) -> None:
    path = tmp_path / "classes.jsonl"
    path.write_text('{"name": "cat", "words": ["fur", "pet"]}\n{"name": "dog", "words": ["pet"]}\n')
    assert Attributes.fit(read_class_table(path).of(["cat", "dog"])).names == ("words=pet",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("animal,legs\ncat,4\n", "no column of class names among animal, legs"),
        ("label,legs\ncat,4\ncat,5\n", "two rows for 'cat'"),
        ("label,legs\ncat,4\n,5\n", "row 3: no class in column 'label'"),
        ("label\ncat\n", "no column besides 'label'"),
    ],
)
def test_tables_at_fault(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "classes.csv"
    path.write_text(text)
    with pytest.raises(SourceError, match=message):
        read_class_table(path)
    if "animal" in text:
        assert read_class_table(path, label="Animal").of(["cat"]) == [{"legs": 4}]


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nothing\.csv: no such file"):
        read_class_table(tmp_path / "nothing.csv")
