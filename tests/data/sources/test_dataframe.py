"""Frames of pandas with odd columns, values and indices, and what comes out of a gallery of them."""

import pickle
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from nearkin.data.sources import read_items
from nearkin.errors import SourceError, UnknownName

pandas = pytest.importorskip("pandas")


def encoded(grey: int) -> bytes:
    file = BytesIO()
    Image.new("L", (2, 2), grey).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(encoded(number))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def paths(count: int = 4) -> list[str]:
    return [f"{number}.png" for number in range(count)]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["a", None, " b ", ""], ("a", None, "b", None)),
        ([1, 2, 3, 4], ("1", "2", "3", "4")),
        ([1, None, 2, 2], ("1", None, "2", "2")),
        (pandas.array([1, None, 2, 2], dtype="Int64"), ("1", None, "2", "2")),
        (pandas.array([True, None, False, True], dtype="boolean"), ("True", None, "False", "True")),
        (pandas.array(["x", None, "007", "y"], dtype="string"), ("x", None, "007", "y")),
        (pandas.Categorical(["a", None, "b", "a"]), ("a", None, "b", "a")),
        (pandas.Categorical([1.0, None, 2.0, 1.0]), ("1", None, "2", "1")),
        (pandas.to_datetime(["2024-05-01", None, "2024-05-02", "2024-05-01"]), None),
        ([2**64 - 1, 2**70, -(2**65), 7], (str(2**64 - 1), str(2**70), str(-(2**65)), "7")),
        ([1, "1", 1.0, "x"], ("1", "1", "1", "x")),
    ],
)
def test_labels_of_every_kind(folder: Path, labels: Any, names: tuple | None) -> None:
    found = read_items(pandas.DataFrame({"path": paths(), "label": labels})).labels
    if names is None:
        assert (found[0] == found[3], found[1], found[0] == found[2]) == (True, None, False)
    else:
        assert found == names


@pytest.mark.parametrize("label", [["a", "b"], {"a": 1}, ("a",), {1}])
def test_a_label_that_is_no_name_is_refused_by_row_and_column(folder: Path, label: Any) -> None:
    with pytest.raises(SourceError, match="row 2: 'label' is "):
        read_items(pandas.DataFrame({"path": paths(2), "label": ["x", label]}))


@pytest.mark.parametrize(
    "index",
    [
        pandas.Index([7, 7, 3, -1]),
        pandas.Index(["a", "b", "b", None]),
        pandas.MultiIndex.from_product([["a", "b"], [1, 2]]),
        pandas.date_range("2024-01-01", periods=4),
        pandas.CategoricalIndex(["x", "y", "x", "y"]),
        pandas.Index([0.5, float("nan"), 1, 2]),
    ],
)
def test_an_index_without_a_name_says_nothing(folder: Path, index: Any) -> None:
    frame = pandas.DataFrame({"path": paths(), "label": list("xyxy")}, index=index)
    items = read_items(frame)
    assert (items.labels, items.metadata) == (("x", "y", "x", "y"), {})
    assert read_items(frame[frame["label"] == "y"]).uris == (items.uris[1], items.uris[3])


def test_an_index_with_a_name_is_a_column(folder: Path) -> None:
    named = pandas.DataFrame({"label": list("xyxy")}, index=pandas.Index(paths(), name="path"))
    assert read_items(named).labels == ("x", "y", "x", "y")
    both = named.set_index(pandas.Index([5, 6, 7, 8]), append=True)
    assert read_items(both).metadata == {}
    assert read_items(named.reset_index().set_index("label")).labels == ("x", "y", "x", "y")
    same = pandas.DataFrame({"path": paths(1), "label": ["x"]}, index=pandas.Index([7], name="label"))
    assert read_items(same).labels == ("x",)


def test_names_of_columns(folder: Path) -> None:
    frame = pandas.DataFrame([["0.png", "x", 5, 6]], columns=["path", "label", 3, ("a", "b")])
    assert read_items(frame).metadata == {"3": (5,), "('a', 'b')": (6,)}
    with pytest.raises(SourceError, match="two columns have the same name: x"):
        read_items(pandas.DataFrame([["0.png", 1, 2]], columns=["path", "x", "x"]))
    assert read_items(frame.rename(columns={"path": "photo"}), path_column="photo").labels == ("x",)
    with pytest.raises(UnknownName, match="did you mean label"):
        read_items(frame, label="labl")


def test_paths_of_any_kind(folder: Path) -> None:
    frame = pandas.DataFrame({"path": [Path("0.png"), folder / "1.png", "./2.png"], "label": list("xyz")})
    assert [Path(uri).name for uri in read_items(frame).uris] == ["0.png", "1.png", "2.png"]
    with pytest.raises(SourceError, match="row 2: 'path' is empty"):
        read_items(pandas.DataFrame({"path": ["0.png", None], "label": ["x", "y"]}))


def test_captions_in_lists(folder: Path) -> None:
    frame = pandas.DataFrame({"path": paths(), "caption": [["one", "two"], "three", None, []]})
    assert read_items(frame).captions == (("one", "two"), ("three",), (), ())


def test_pictures_within_a_frame(folder: Path) -> None:
    frame = pandas.DataFrame({"image": [encoded(5), None, {"bytes": encoded(6), "path": None}], "label": list("xyz")})
    items = read_items(frame)
    assert items.pictures[0].read() == encoded(5)
    assert items.pictures[2].read() == encoded(6)
    assert len(set(items.uris)) == 3
    with pytest.raises(Exception, match="this row holds no picture"):
        items.pictures[1].read()
    assert pickle.loads(pickle.dumps(items.pictures[0])).read() == encoded(5)


@pytest.mark.parametrize("empty", [pandas.DataFrame({"path": []}), pandas.DataFrame(), pa.table({"path": []})])
def test_empty_frames(folder: Path, empty: Any) -> None:
    with pytest.raises(SourceError, match="holds no rows"):
        read_items(empty)


def test_an_arrow_table(folder: Path) -> None:
    table = pa.table({"path": paths(2), "label": pa.array([2**64 - 1, None], pa.uint64()), "__index_level_0__": [4, 5]})
    items = read_items(table)
    assert (items.labels, items.metadata) == ((str(2**64 - 1), None), {})
