"""Cells as class names, numbers and texts; what is no value; rows of mixed kinds."""

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearkin.data.cells import class_name, is_missing, numbers_of_text, texts
from nearkin.errors import SourceError
from tests.data.tables.drawn import items_of


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        (1, "1"),
        (1.0, "1"),
        (1.5, "1.5"),
        (-0.0, "0"),
        (1e20, "100000000000000000000"),
        (np.int64(7), "7"),
        (np.float32(2.0), "2"),
        (np.bool_(True), "True"),
        (np.str_("x"), "x"),
        (True, "True"),
        (Decimal("3.00"), "3"),
        (Decimal("3.10"), "3.10"),
        (datetime.date(2024, 5, 1), "2024-05-01"),
        (" cat\t", "cat"),
        ("007", "007"),
        ("1.0", "1.0"),
        ("", None),
        (" \n", None),
        (None, None),
        (float("nan"), None),
        (np.float64("nan"), None),
        (Decimal("NaN"), None),
    ],
)
def test_cells_as_names_of_classes(cell: Any, name: str | None) -> None:
    assert class_name(cell) == name


@pytest.mark.parametrize("cell", [["a"], ("a",), {"a": 1}, b"a", float("inf"), np.array([1]), object()])
def test_cells_that_are_no_names(cell: Any) -> None:
    with pytest.raises(ValueError, match="no name"):
        class_name(cell)


def test_missing_values_of_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    assert is_missing(pandas.NA)
    assert is_missing(pandas.NaT)


def test_texts_of_a_cell() -> None:
    assert texts(["a", None, " ", 3]) == ["a", "3"]
    assert texts(np.array(["a", "b"])) == ["a", "b"]
    for cell in ({"en": "a"}, [["a"]], b"a"):
        with pytest.raises(ValueError, match="no name"):
            texts(cell)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"label": ["a", "b"]}, r"row 1: 'label' is a list: \['a', 'b'\], expected a class"),
        ({"label": {"id": 1}}, "row 1: 'label' is a mapping: {'id': 1}, expected a class"),
        ({"caption": {"en": "a"}}, "row 1: 'caption' is a mapping: {'en': 'a'}, expected a text"),
        ({"caption": [["a"]]}, r"row 1: 'caption' is a list: \[\['a'\]\], expected a text"),
        ({"split": ["train"]}, r"row 1: 'split' is a list: \['train'\], expected train"),
        ({"is_query": [1]}, r"row 1: 'is_query' is a list: \[1\], expected true or false"),
        ({"label": ["x" * 5000]}, r"row 1: 'label' is a list: .{60,70}\.\.\., expected a class"),
    ],
)
def test_lists_and_mappings_are_refused_with_row_and_column(folder: Path, record: dict, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        items_of(folder, json.dumps({"path": "0.png", **record}), "t.jsonl")
    assert len(str(caught.value)) < 500


def test_labels_of_a_csv_that_pandas_wrote_with_gaps(folder: Path) -> None:
    assert items_of(folder, "path,label\n0.png,1.0\n1.png,\n2.png,2.0\n").labels == ("1", None, "2")
    assert items_of(folder, "path,label\n0.png,1.0\n1.png,2.0\n").labels == ("1.0", "2.0")
    assert items_of(folder, "path,label\n0.png,007\n1.png,\n2.png,7\n").labels == ("007", None, "7")


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "-20", None], [1, -20, None]),
        ([str(2**63 - 1), "1"], [2**63 - 1, 1]),
        ([str(2**63), "1"], [str(2**63), "1"]),
        (["99340123450000000018"], ["99340123450000000018"]),
        (["-" + "9" * 25], ["-" + "9" * 25]),
        (["9" * 5000], ["9" * 5000]),
        (["9007199254740993", "0.5"], ["9007199254740993", "0.5"]),
        (["1.5", "2"], [1.5, 2.0]),
        (["0.1234567890123456789012"], ["0.1234567890123456789012"]),
        (["9" * 400 + ".5"], ["9" * 400 + ".5"]),
        ([" 1 ", "2"], [1, 2]),
        (["inf", "1"], ["inf", "1"]),
        (["1e5"], ["1e5"]),
        (["٣"], ["٣"]),
        ([None, None], [None, None]),
    ],
)
def test_numbers_of_text(cells: list, values: list) -> None:
    assert list(numbers_of_text(cells)) == values


@given(st.lists(st.one_of(st.none(), st.integers(-(10**22), 10**22).map(str), st.floats().map(str)), max_size=5))
def test_numbers_of_text_lose_nothing(cells: list[str | None]) -> None:
    for cell, value in zip(cells, numbers_of_text(cells), strict=True):
        if isinstance(value, int):
            assert str(value) == cell or cell == "-0"
        elif isinstance(value, float):
            assert cell is not None
            assert float(cell) == value
        else:
            assert value == cell or cell == "nan"


def test_json_lines_of_mixed_kinds(folder: Path) -> None:
    lines = [
        {"path": "0.png", "label": 1, "extra": 7, "deep": {"a": [1]}},
        {"path": "1.png", "label": "x", "extra": "seven", "caption": ["one", "two"]},
        {"path": "2.png", "label": True, "extra": None, "caption": "three", "deep": 3},
        {"path": "3.png", "label": None, "extra": [1, 2]},
    ]
    items = items_of(folder, "\n\n".join(map(json.dumps, lines)) + "\n\n", "t.jsonl")
    assert items.labels == ("1", "x", "True", None)
    assert items.captions == ((), ("one", "two"), ("three",), ())
    assert items.metadata["extra"] == (7, "seven", None, [1, 2])
    assert items_of(folder, json.dumps(lines), "t.json").labels == items.labels
    assert items_of(folder, json.dumps(lines, indent=2), "t.jsonl").labels == items.labels
    assert items_of(folder, "\n".join(map(json.dumps, lines)), "t.ndjson").labels == items.labels


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        # One number written in two ways.
        (("1.0", "1", "2"), ("1", "1", "2")),
        (("1", "2.0", "NA"), ("1", "2", None)),
        (("1.0", "2.0", "NaN"), ("1", "2", None)),
        (("1", "NA", "null"), ("1", None, None)),
        # As texts that pandas made of missing values.
        (("cat", "nan", "<NA>"), ("cat", None, None)),
        (("cat", "NaT", "#N/A"), ("cat", None, None)),
        # Words may be classes: Namibia, and one that is none of the others.
        (("DE", "NA", "FR"), ("DE", "NA", "FR")),
        (("None", "null", "cat"), ("None", "null", "cat")),
        # Versions, and names that only look like numbers.
        (("1.50", "1.5", "1"), ("1.50", "1.5", "1")),
        (("1.0", "2.0", "3.0"), ("1.0", "2.0", "3.0")),
        (("01", "1", "1.0"), ("01", "1", "1.0")),
        # Signs that have no width.
        (("cat\u200b", "\ufeffcat", "\u00a0cat"), ("cat", "cat", "cat")),
    ],
)
def test_labels_of_text_tables(folder: Path, cells: tuple[str, ...], labels: tuple[str | None, ...]) -> None:
    rows = "".join(f'{i}.png,"{cell}"\n' for i, cell in enumerate(cells))
    assert items_of(folder, "path,label\n" + rows).labels == labels


@pytest.mark.parametrize(
    "text", ['{"path": {"0": "0.png"}}', '{"path": ["0.png"], "label": ["x"]}', '{"data": [{"path": "0.png"}]}']
)
def test_json_of_columns_is_refused_with_a_way_out(folder: Path, text: str) -> None:
    with pytest.raises(SourceError, match=r"expected an object per row; pandas writes them with to_json\(orient"):
        items_of(folder, text, "t.json")
