"""Text tables as programs really write them: delimiters, encodings, headers, what is no table."""

import csv
import json
from io import StringIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearkin.data.sources import read_items
from nearkin.data.tables import read_table
from nearkin.errors import NearkinError, SourceError, UnknownName
from tests.data.tables.drawn import encoded, greys, items_of


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
        ("t.csv", b"<html><body>Sign in, please</body></html>", "holds a web page or XML, not a table"),
        ("t.tsv", b"\xef\xbb\xbf\n <?xml version='1.0'?>", "holds a web page or XML, not a table"),
        ("t.csv", b'{"path": "0.png"}', "holds JSON, not CSV: name it .jsonl"),
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


@pytest.mark.parametrize("content", ["path,x,x\n0.png,1,2\n", "path;x;y;x\n0.png;1;2;3\n"])
def test_columns_of_one_name_are_refused_by_name(folder: Path, content: str) -> None:
    with pytest.raises(SourceError, match="two columns have the same name: x: rename one"):
        items_of(folder, content)


def test_a_column_of_paths_can_be_named(folder: Path) -> None:
    items = items_of(folder, "photo,label,path\n0.png,x,lost/0.png\n", path_column="photo")
    assert (greys(items), items.metadata) == ([0], {"path": ("lost/0.png",)})
    with pytest.raises(UnknownName, match=r"unknown column 'foto': did you mean photo\?"):
        items_of(folder, "photo,label\n0.png,x\n", path_column="foto")
    (folder / "tree/cat").mkdir(parents=True)
    with pytest.raises(SourceError, match="tree of folders and has no columns of paths"):
        read_items(folder / "tree", path_column="photo")


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


@pytest.mark.parametrize("header", ["", "Unnamed: 0", "Unnamed: 0.1"])
def test_an_index_without_a_name_is_no_column(folder: Path, header: str) -> None:
    assert items_of(folder, f"{header},path,label\n5,0.png,x\n7,1.png,y\n").metadata == {}


def test_a_first_column_without_a_name_that_counts_nothing_is_kept(folder: Path) -> None:
    assert items_of(folder, ",path\nred,0.png\n5,1.png\n").metadata == {"column 1": ("red", "5")}


def test_blank_lines_and_marks_before_the_header(folder: Path) -> None:
    assert items_of(folder, "\ufeff\ufeffpath,label\n0.png,x\n").labels == ("x",)
    assert items_of(folder, "\n\n  \npath,label\n0.png,x\n").labels == ("x",)


def test_addresses_are_no_files(folder: Path) -> None:
    for address in ("https://example.org/0.png", "s3://bucket/0.png"):
        with pytest.raises(SourceError, match="is an address: download the pictures"):
            items_of(folder, f"path,label\n{address},x\n")
