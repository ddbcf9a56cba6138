"""Tables as programs really write them: dialects, encodings, types, embedded pictures."""

import csv
import datetime
import gc
import json
import pickle
import tracemalloc
from decimal import Decimal
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from nearkin.data.cells import class_name, is_missing, numbers_of_text, texts
from nearkin.data.images import Preprocessing, stream_pixels
from nearkin.data.items import Items
from nearkin.data.pixel_cache import PixelCache
from nearkin.data.sources import read_items
from nearkin.data.tables import read_table
from nearkin.errors import NearkinError, PictureError, SourceError, UnknownName

SMALL = Preprocessing(height=1, width=1, channels=1)


def encoded(grey: int, side: int = 2) -> bytes:
    file = BytesIO()
    Image.new("L", (side, side), grey).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(encoded(number))
    return tmp_path


def items_of(folder: Path, content: str | bytes, name: str = "t.csv", **options: Any) -> Items:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_items(folder / name, **options)


def greys(items: Items) -> list[int]:
    batches = stream_pixels(items.pictures, SMALL, strict=True)
    return [int(grey) for batch in batches for grey in batch.pixels[:, 0, 0, 0]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends(folder: Path, delimiter: str, newline: str) -> None:
    rows = [["path", "label", "caption"], ["0.png", "x", f'one, two; {delimiter} "three"'], ["1.png", "y", "a|b"]]
    text = StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=newline).writerows(rows)
    items = items_of(folder, text.getvalue())
    assert (items.labels, items.captions) == (("x", "y"), ((rows[1][2],), (rows[2][2],)))


@pytest.mark.parametrize(
    "header",
    [
        'path,label,"a;b;c;d"',
        '"path","label","a,b,c"',
        'path;label;"x,y,z,w"',
        "path|label|a,b;c,d",
        "path\tlabel\tname, first; last",
        'path,label,"one\ntwo"',
    ],
)
def test_signs_within_a_header_do_not_choose_the_delimiter(folder: Path, header: str) -> None:
    delimiter = next(sign for sign in "\t|;," if header.replace('"', "").startswith(f"path{sign}label"))
    items = items_of(folder, f"{header}\n0.png{delimiter}x{delimiter}3\n")
    assert (items.labels, [*items.metadata.values()]) == (("x",), [(3,)])


def test_a_line_of_excel_that_names_the_delimiter(folder: Path) -> None:
    assert items_of(folder, "sep=;\r\npath;label\r\n0.png;x\r\n").labels == ("x",)
    with pytest.raises(SourceError, match="row 3: 'split' is 'odd'"):
        items_of(folder, "sep=;\npath;split\n0.png;odd\n")


def test_spaces_after_delimiters_and_around_cells(folder: Path) -> None:
    items = items_of(folder, 'path, label , caption\n0.png, "cat" , "a, b"\n1.png,cat , c \n')
    assert (items.labels, items.captions) == (("cat", "cat"), (("a, b",), ("c",)))
    items = items_of(folder, 'path;label;caption\n"0.png" ;"x" ;"a ""b"" ; c" \n')
    assert (items.labels, items.captions) == (("x",), (('a "b" ; c',),))


def test_empty_columns_at_the_end_of_a_spreadsheet(folder: Path) -> None:
    items = items_of(folder, "path,label,,\n0.png,x,,\n1.png,y\n,,,\n")
    assert (items.labels, items.metadata) == (("x", "y"), {})


def test_decimal_commas_where_semicolons_part_the_cells(folder: Path) -> None:
    assert items_of(folder, "path;label;price\n0.png;x;1,5\n1.png;y;2\n").metadata["price"] == (1.5, 2.0)
    assert items_of(folder, 'path,label,price\n0.png,x,"1,5"\n1.png,y,"2,0"\n').metadata["price"] == ("1,5", "2,0")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_encodings_of_unicode(folder: Path, encoding: str) -> None:
    assert items_of(folder, "path,label\n0.png,кот é 🐈\n".encode(encoding)).labels == ("кот é 🐈",)


@pytest.mark.parametrize(
    ("encoding", "label"),
    [
        ("cp1252", "café"),
        ("latin-1", "Größe"),
        ("latin-1", "Ägypten Öl"),
        ("cp1252", "it’s 20 °C – 5 €"),
        ("cp1252", "naïve – señor"),
        ("cp1251", "Красная машина"),
        ("cp1251", "кот"),
        ("cp866", "зелёное дерево"),
        ("koi8-r", "Кот сидит на стуле"),
    ],
)
def test_older_encodings(folder: Path, encoding: str, label: str, caplog: pytest.LogCaptureFixture) -> None:
    assert items_of(folder, f"path,label\n0.png,{label}\n".encode(encoding)).labels == (label,)
    assert "is not in UTF-8; read as" in caplog.text


@pytest.mark.parametrize("encoding", ["gbk", "shift_jis", "big5"])
def test_other_encodings_are_refused(folder: Path, encoding: str) -> None:
    with pytest.raises(SourceError, match="row 2 is not in UTF-8: save the table as UTF-8"):
        items_of(folder, "path,label\n0.png,漢字漢字漢字漢字漢字\n".encode(encoding))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"PK\x03\x04rest", "begins as a zip archive"),
        ("t.csv", b"PAR1rest", "begins as a Parquet file"),
        ("t.jsonl", b"\x1f\x8brest", "begins as a gzip archive"),
        ("t.csv.gz", b"\x1f\x8b", "is an archive: unpack it"),
        ("t.zip", b"PK", "is an archive: unpack it"),
        ("t.xlsx", b"PK", "is a workbook: save the sheet as CSV"),
        ("t.txt", b"path\n0.png\n", "is no table that can be read"),
        ("t", b"path\n0.png\n", "is no table that can be read"),
        ("t.parquet", b"path\n0.png\n", "cannot be read"),
        ("t.csv", b"0.png,x\n1.png,y\n", "row 1 names the file '0.png', expected the names of the columns"),
        ("t.csv", b"path,label\n", "holds no rows"),
        ("t.csv", b"name,label\n0.png,x\n", "'name' holds files: name it as the column of paths"),
        ("t.json", b"[1, 2]", "row 1: expected a JSON object, got 1"),
        ("t.json", b'[{"path": ', "expected a JSON array of objects"),
        ("t.jsonl", b'{"path": "0.png"}\n{"path": \n', "row 2: expected a JSON object"),
        ("t.jsonl", b'{"path": "0.png"}\n["path", "1.png"]\n', "row 2: expected a JSON object, got a list"),
        ("t.jsonl", b"[" * 100_000, "expected a JSON array of objects"),
        ("t.jsonl", b'{"a": ' * 100_000, "row 1: expected a JSON object"),
    ],
)
def test_what_is_no_table_is_refused_in_one_short_line(folder: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        items_of(folder, content, name)
    text = str(caught.value)
    assert message in text
    assert "\n" not in text
    assert len(text) < 600


def test_a_folder_named_like_a_table_and_a_table_where_a_folder_is_expected(folder: Path) -> None:
    (folder / "x.csv/cat").mkdir(parents=True)
    (folder / "x.csv/cat/1.png").write_bytes(encoded(5))
    assert read_items(folder / "x.csv").labels == ("cat",)
    with pytest.raises(SourceError, match="no such file or folder"):
        read_items(folder / "0.png/cat")


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


def test_labels_of_a_parquet_file_of_every_kind(folder: Path) -> None:
    paths = [f"{number}.png" for number in range(3)]
    columns: dict[str, tuple[pa.Array, tuple]] = {
        "gaps": (pa.array([1.0, None, 2.0]), ("1", None, "2")),
        "nan": (pa.array([1.0, float("nan"), 2.5]), ("1", None, "2.5")),
        "whole": (pa.array([1, 2, 3], pa.int8()), ("1", "2", "3")),
        "unsigned": (pa.array([1, 2, 2**64 - 1], pa.uint64()), ("1", "2", str(2**64 - 1))),
        "truth": (pa.array([True, None, False]), ("True", None, "False")),
        "dictionary": (pa.array(["x", "y", "x"]).dictionary_encode(), ("x", "y", "x")),
        "large": (pa.array(["x", " y ", ""], pa.large_string()), ("x", "y", None)),
        "view": (pa.array(["x", "y", None], pa.string_view()), ("x", "y", None)),
        "decimal": (pa.array([Decimal("1.00"), Decimal("2.50"), None]), ("1", "2.50", None)),
        "date": (pa.array([datetime.date(2024, 5, 1)] * 3), ("2024-05-01",) * 3),
        "nothing": (pa.nulls(3), (None,) * 3),
    }
    pq.write_table(
        pa.table({"path": paths, **{name: cells for name, (cells, _) in columns.items()}}), folder / "t.parquet"
    )
    for name, (_, labels) in columns.items():
        assert read_items(folder / "t.parquet", label=name).labels == labels, name


def test_times_of_nanoseconds_are_read(folder: Path) -> None:
    stamp = pa.array([1_700_000_000_123_456_789], pa.timestamp("ns"))
    span = pa.array([1_500], pa.duration("ns"))
    pq.write_table(pa.table({"path": ["0.png"], "when": stamp, "took": span}), folder / "t.parquet")
    metadata = read_items(folder / "t.parquet").metadata
    assert metadata["when"][0].year == 2023
    assert metadata["took"] == (datetime.timedelta(microseconds=1),)


def test_labels_of_a_csv_that_pandas_wrote_with_gaps(folder: Path) -> None:
    assert items_of(folder, "path,label\n0.png,1.0\n1.png,\n2.png,2.0\n").labels == ("1", None, "2")
    assert items_of(folder, "path,label\n0.png,1.0\n1.png,2.0\n").labels == ("1.0", "2.0")
    assert items_of(folder, "path,label\n0.png,007\n1.png,\n2.png,7\n").labels == ("007", None, "7")


@pytest.mark.parametrize("name", ["__index_level_0__", "__index_level_1__", "Unnamed: 0"])
def test_the_index_of_pandas_is_left_out(folder: Path, name: str) -> None:
    pq.write_table(pa.table({"path": ["0.png"], "label": ["x"], name: [7]}), folder / "t.parquet")
    assert read_items(folder / "t.parquet").metadata == {}
    assert items_of(folder, f"{name},path,label\n7,0.png,x\n").metadata == {}
    assert items_of(folder, json.dumps({"path": "0.png", name: 7}), "t.jsonl").metadata == {}


@pytest.mark.parametrize("write", ["parquet", "csv", "jsonl"])
def test_what_pandas_writes(folder: Path, write: str) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"path": ["0.png", "1.png", "2.png"], "label": ["x", "y", "z"], "n": [1, 2, 3]})
    frame = frame[frame["n"] > 1]
    path = folder / f"t.{write}"
    if write == "parquet":
        frame.to_parquet(path)
    elif write == "csv":
        frame.to_csv(path)
    else:
        frame.to_json(path, orient="records", lines=True)
    items = read_items(path)
    assert (items.labels, items.metadata["n"]) == (("y", "z"), (2, 3))


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


@pytest.mark.parametrize("kind", ["struct", "bytes", "large", "path"])
def test_pictures_within_a_parquet_file(folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cells: dict[str, pa.Array] = {
        "struct": pa.array([{"bytes": encoded(10 + n), "path": f"x{n}.png"} for n in range(3)]),
        "bytes": pa.array([encoded(10 + n) for n in range(3)]),
        "large": pa.array([encoded(10 + n) for n in range(3)], pa.large_binary()),
        "path": pa.array(
            [{"bytes": None, "path": f"{n}.png"} for n in range(3)],
            pa.struct({"bytes": pa.binary(), "path": pa.string()}),
        ),
    }
    table = pa.table({"image": cells[kind], "label": [0, 1, 0], "caption": ["a", "b", "c"]})
    pq.write_table(table, folder / "t.parquet")
    items = read_items(folder / "t.parquet")
    assert items.labels == ("0", "1", "0")
    assert items.captions == (("a",), ("b",), ("c",))
    assert items.metadata == {}
    assert len(set(items.uris)) == 3
    assert greys(items) == ([0, 1, 2] if kind == "path" else [10, 11, 12])
    assert pickle.loads(pickle.dumps(items.pictures[1])).read() == items.pictures[1].read()
    monkeypatch.chdir(folder)
    assert greys(read_items(table)) == greys(items)


def test_a_row_without_a_picture_is_broken_and_stops_nothing(folder: Path) -> None:
    cells = [{"bytes": encoded(3), "path": None}, None, {"bytes": None, "path": None}, {"bytes": b"no", "path": None}]
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    pq.write_table(pa.table({"image": pa.array(cells, kind)}), folder / "t.parquet")
    (batch,) = stream_pixels(read_items(folder / "t.parquet").pictures, SMALL)
    assert batch.rows.tolist() == [0]
    assert [broken.reason.split(" (")[0] for broken in batch.broken] == [
        "this row holds no picture",
        "this row holds no picture",
        "no picture in a known format",
    ]


def test_what_the_package_datasets_writes(folder: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    rows = {"image": [Image.new("L", (2, 2), grey) for grey in (5, 6, 7)], "label": [0, 1, -1]}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(str(folder / "t.parquet"))
    items = read_items(folder / "t.parquet")
    assert (items.labels, greys(items)) == (("cat", "dog", None), [5, 6, 7])


def test_files_win_over_embedded_pictures_and_a_column_can_be_named(folder: Path) -> None:
    table = pa.table({"path": ["0.png"], "thumbnail": [encoded(99)]})
    pq.write_table(table, folder / "t.parquet")
    assert greys(read_items(folder / "t.parquet")) == [0]
    assert greys(read_items(folder / "t.parquet", path_column="thumbnail")) == [99]


def test_embedded_pictures_are_read_in_any_order_by_many_threads(folder: Path) -> None:
    count = 700
    table = pa.table({"image": [encoded(number % 251) for number in range(count)]})
    pq.write_table(table, folder / "t.parquet", row_group_size=150)
    items = read_items(folder / "t.parquet")
    expected = [number % 251 for number in range(count)]
    batches = stream_pixels(items.pictures, SMALL, threads=4, batch_size=64)
    assert [int(grey) for batch in batches for grey in batch.pixels[:, 0, 0, 0]] == expected
    order = np.random.default_rng(0).permutation(count)[:40]
    assert greys(items.select(order)) == [expected[row] for row in order]
    cache = PixelCache.build(items.pictures, SMALL, folder / "cache")
    assert cache.batch(np.arange(count)).ravel().tolist() == expected


def test_embedded_pictures_are_not_all_in_memory(folder: Path) -> None:
    count, size = 400, 100_000
    noise = np.random.default_rng(0).bytes(size)
    table = pa.table({"image": [noise + bytes([n % 256]) for n in range(count)]})
    pq.write_table(table, folder / "t.parquet", compression="none", use_dictionary=False, row_group_size=50)
    del table
    gc.collect()
    before, start = pa.total_allocated_bytes(), tracemalloc.start()
    assert start is None
    items = read_items(folder / "t.parquet")
    most = 0
    for picture in items.pictures:
        assert len(picture.read()) == size + 1
        most = max(most, pa.total_allocated_bytes() - before)
    python = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most + python < 0.6 * count * size


def test_a_damaged_parquet_file_of_pictures_is_named(folder: Path) -> None:
    pq.write_table(pa.table({"image": [encoded(n, 50) for n in range(50)]}), folder / "t.parquet", compression="none")
    content = bytearray((folder / "t.parquet").read_bytes())
    content[8:400] = b"\xff" * 392
    (folder / "t.parquet").write_bytes(content)
    items = read_items(folder / "t.parquet")
    with pytest.raises(PictureError, match=r"t\.parquet#1: "):
        items.pictures[0].read()


@pytest.mark.parametrize("content", ["path,x,x\n0.png,1,2\n", "path;x;y;x\n0.png;1;2;3\n"])
def test_columns_of_one_name_are_refused_by_name(folder: Path, content: str) -> None:
    with pytest.raises(SourceError, match="two columns have the same name: x: rename one"):
        items_of(folder, content)


def test_columns_of_one_name_in_parquet(folder: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["0.png"]), pa.array([1]), pa.array([2])], names=["path", "x", "x"])
    pq.write_table(table, folder / "t.parquet")
    with pytest.raises(SourceError, match="two columns have the same name: x"):
        read_items(folder / "t.parquet")


def test_a_column_of_paths_can_be_named(folder: Path) -> None:
    items = items_of(folder, "photo,label,path\n0.png,x,lost/0.png\n", path_column="photo")
    assert (greys(items), items.metadata) == ([0], {"path": ("lost/0.png",)})
    with pytest.raises(UnknownName, match=r"unknown column 'foto': did you mean photo\?"):
        items_of(folder, "photo,label\n0.png,x\n", path_column="foto")
    (folder / "tree/cat").mkdir(parents=True)
    with pytest.raises(SourceError, match="tree of folders and has no columns of paths"):
        read_items(folder / "tree", path_column="photo")


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl", "metadata.parquet"])
def test_metadata_as_the_hub_has_it(folder: Path, name: str) -> None:
    def write(to: Path, files: list[str], labels: list[str]) -> None:
        to.mkdir(exist_ok=True)
        for file in files:
            (to / file).write_bytes(encoded(1))
        table = pa.table({"file_name": files, "text": labels})
        if name.endswith("parquet"):
            pq.write_table(table, to / name)
        elif name.endswith("csv"):
            (to / name).write_text(
                "file_name,text\n" + "".join(f"{f},{x}\n" for f, x in zip(files, labels, strict=True))
            )
        else:
            (to / name).write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))

    write(folder / "flat", ["a.png"], ["one"])
    assert read_items(folder / "flat").captions == (("one",),)
    (folder / "parted").mkdir()
    write(folder / "parted/train", ["a.png", "b.png"], ["one", "two"])
    write(folder / "parted/test", ["a.png"], ["three"])
    items = read_items(folder / "parted")
    assert items.splits == ("test", "train", "train")
    assert items.captions == (("three",), ("one",), ("two",))


cells = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12).filter(
    lambda text: text.strip()
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(cells, cells), min_size=1, max_size=6),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_a_csv_comes_back_as_it_was_written(
    tmp_path: Path, rows: list[tuple[str, str]], delimiter: str, encoding: str, quoting: int
) -> None:
    text = StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting)
    writer.writerows([["path", "note"], *rows])
    (tmp_path / "t.csv").write_bytes(text.getvalue().encode(encoding))
    table = read_table(tmp_path / "t.csv")
    found = list(zip(*table.columns.values(), strict=True))
    assert [[cell.strip() for cell in row] for row in found] == [[cell.strip() for cell in row] for row in rows]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=60), name=st.sampled_from(["t.csv", "t.tsv", "t.jsonl", "t.json", "t.parquet"]))
def test_any_bytes_are_a_table_or_a_named_fault(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    fault = name
    try:
        read_items(tmp_path / name)
    except NearkinError as error:
        fault = str(error)
    assert name in fault


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


@pytest.mark.parametrize("header", ["", "Unnamed: 0", "Unnamed: 0.1"])
def test_an_index_without_a_name_is_no_column(folder: Path, header: str) -> None:
    assert items_of(folder, f"{header},path,label\n5,0.png,x\n7,1.png,y\n").metadata == {}


def test_a_first_column_without_a_name_that_counts_nothing_is_kept(folder: Path) -> None:
    assert items_of(folder, ",path\nred,0.png\n5,1.png\n").metadata == {"column 1": ("red", "5")}


def test_blank_lines_and_marks_before_the_header(folder: Path) -> None:
    assert items_of(folder, "\ufeff\ufeffpath,label\n0.png,x\n").labels == ("x",)
    assert items_of(folder, "\n\n  \npath,label\n0.png,x\n").labels == ("x",)


@pytest.mark.parametrize(
    "text", ['{"path": {"0": "0.png"}}', '{"path": ["0.png"], "label": ["x"]}', '{"data": [{"path": "0.png"}]}']
)
def test_json_of_columns_is_refused_with_a_way_out(folder: Path, text: str) -> None:
    with pytest.raises(SourceError, match=r"expected an object per row; pandas writes them with to_json\(orient"):
        items_of(folder, text, "t.json")


def test_addresses_are_no_files(folder: Path) -> None:
    for address in ("https://example.org/0.png", "s3://bucket/0.png"):
        with pytest.raises(SourceError, match="is an address: download the pictures"):
            items_of(folder, f"path,label\n{address},x\n")


def test_bytes_that_are_text(folder: Path) -> None:
    table = pa.table({"path": [b"0.png", b"1.png"], "label": [b"caf\xc3\xa9", None], "note": [b"", b"x"]})
    pq.write_table(table, folder / "t.parquet")
    for source in (folder / "t.parquet", table.set_column(0, "path", pa.array([str(folder / "0.png").encode()] * 2))):
        items = read_items(source)
        assert items.labels[0] == "caf\u00e9"
        assert items.pictures[0].read()


def test_pictures_in_structs_of_more_and_in_lists(folder: Path) -> None:
    encoded = (folder / "0.png").read_bytes()
    more = pa.table({"image": [{"bytes": encoded, "path": None, "width": 2}], "label": ["x"]})
    pq.write_table(more, folder / "t.parquet")
    assert read_items(folder / "t.parquet").pictures[0].read() == encoded
    for name in ("images", "image"):
        for cell in ([encoded], [{"bytes": encoded, "path": None}]):
            pq.write_table(pa.table({name: [cell], "label": ["x"]}), folder / "t.parquet")
            with pytest.raises(SourceError, match=f"column '{name}' holds lists of pictures: expected one picture in"):
                read_items(folder / "t.parquet")
