from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from nearkin.data.items import Items, Picture
from nearkin.errors import InvalidInput
from nearkin.gallery.items.columns import item_schema, metadata_names, stated_by

OWN = item_schema("fake", 4)


def items(**metadata: list[Any]) -> Items:
    count = len(next(iter(metadata.values()), [0]))
    return Items.build([Picture(f"/{i}.png") for i in range(count)], metadata=metadata, source="table.csv")


def test_only_what_the_source_fills_is_stated() -> None:
    assert stated_by(items(), OWN).column_names == ["uri"]
    full = Items.build([Picture("/a"), Picture("/b")], labels=["x", None], captions=[[], ["y"]], splits=["train", None])
    table = stated_by(full, OWN)
    assert table.column_names == ["uri", "label", "captions", "split"]
    assert table.to_pylist()[1] == {"uri": "/b", "label": None, "captions": ["y"], "split": None}


def test_types_follow_the_values() -> None:
    table = stated_by(
        items(
            whole=[1, None],
            half=[1, 2.5],
            nan=[1.0, float("nan")],
            flag=[True, False],
            day=[date(2024, 5, 1), None],
            tags=[["a"], []],
            numpy=[np.int16(3), np.int16(4)],
            empty=[None, None],
        ),
        OWN,
    )
    assert [str(field.type) for field in table.schema][1:] == [
        "int64", "double", "double", "bool", "date32[day]", "list<item: string>", "int16",
    ]  # fmt: skip
    assert table["nan"].to_pylist() == [1.0, None]
    assert metadata_names(table.schema) == ["whole", "half", "nan", "flag", "day", "tags", "numpy"]


@pytest.mark.parametrize(
    ("stored", "values", "expected"),
    [
        (pa.float64(), [1, 2], [1.0, 2.0]),
        (pa.int64(), [1.0, None], [1, None]),
        (pa.string(), [1, 2], ["1", "2"]),
    ],
)
def test_values_fit_into_the_stored_type_if_none_changes(stored: pa.DataType, values: list, expected: list) -> None:
    assert stated_by(items(price=values), OWN.append(pa.field("price", stored)))["price"].to_pylist() == expected


@pytest.mark.parametrize(
    ("stored", "values"), [(pa.int64(), [1.5]), (pa.int64(), ["007"]), (pa.bool_(), [date(2024, 5, 1)])]
)
def test_values_of_another_type_are_refused(stored: pa.DataType, values: list) -> None:
    with pytest.raises(InvalidInput, match=r"table\.csv: column 'price' holds .*: convert or rename it"):
        stated_by(items(price=values), OWN.append(pa.field("price", stored)))


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([1, "a"], ["1", "a"]),
        ([1 << 70, 1], [str(1 << 70), "1"]),
        ([[1], 2], ["[1]", "2"]),
        ([True, 3], ["True", "3"]),
        ([{"a": 1}, "é"], ['{"a": 1}', "é"]),
    ],
)
def test_values_of_mixed_kinds_are_held_as_text(values: list, texts: list[str]) -> None:
    assert stated_by(items(price=values), OWN)["price"].to_pylist() == texts


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("vector", "vector_"),
        ("item_id", "item_id_"),
        ("uri", "uri_"),
        ("", "column"),
        ("_rowid", "rowid"),
        ("__index_level_0__", "index_level_0__"),
        ("a.b", "a_b"),
        ("a`b", "a_b"),
        ("*", "column"),
    ],
)
def test_names_that_are_taken_or_cannot_be_stored_are_changed(
    name: str, held: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert stated_by(items(**{name: [1]}), OWN).column_names == ["uri", held]
    assert f"a column named '{name}': held as '{held}'" in caplog.text


def test_two_names_that_become_one_stay_two_columns() -> None:
    assert stated_by(items(**{"a.b": [1], "a_b": [2]}), OWN).column_names == ["uri", "a_b", "a_b_"]


def test_a_picture_that_occurs_twice_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"'/a\.png' occurs 2 times"):
        stated_by(Items.build([Picture("/a.png"), Picture("/b.png"), Picture("/a.png")]), OWN)
