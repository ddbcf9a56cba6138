from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nearkin.data.tables import Table, read_table
from nearkin.errors import SourceError


def table(folder: Path, name: str, content: str | bytes) -> Table:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path)


def test_csv(tmp_path: Path) -> None:
    read = table(tmp_path, "a.csv", "path,label\na.png,cat\nb.png,\n")
    assert read.columns == {"path": ["a.png", "b.png"], "label": ["cat", None]}
    assert list(read.rows) == [2, 3]
    assert not read.typed


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffpath,label\na.png,кот\n",
        "path,label\r\na.png,кот\r\n",
        "path,label\na.png,кот",
        "path;label\na.png;кот\n",
        "path\tlabel\na.png\tкот\n",
        '"path","label"\n"a.png","кот"\n',
        " path , label \na.png,кот\n",
        "path,label\n\n,\na.png,кот\n \n",
        "path,label\na.png,кот\n".encode("utf-16"),
    ],
)
def test_csv_as_programs_write_it(tmp_path: Path, content: str | bytes) -> None:
    assert table(tmp_path, "a.csv", content).columns == {"path": ["a.png"], "label": ["кот"]}


def test_quoted_texts_hold_anything(tmp_path: Path) -> None:
    read = table(tmp_path, "a.csv", 'path,text\na.png,"one, two\nand ""three"""\nb.png,four\n')
    assert read.columns["text"] == ['one, two\nand "three"', "four"]
    # A text over two lines is one row of a spreadsheet.
    assert list(read.rows) == [2, 3]


def test_tsv_with_quotes_and_tsv_without(tmp_path: Path) -> None:
    assert table(tmp_path, "a.tsv", 'path\ttext\na\t"says ""hi"""\n').columns["text"] == ['says "hi"']
    literal = 'path\ttext\na\t"Hi" he says\nb\t"what\nc\tso"\n'
    assert table(tmp_path, "b.tsv", literal).columns["text"] == ['"Hi" he says', '"what', 'so"']


def test_rows_are_numbered_as_editors_do(tmp_path: Path) -> None:
    assert list(table(tmp_path, "a.csv", "path\na\n\nb\n").rows) == [2, 4]
    assert list(table(tmp_path, "a.jsonl", '{"path": "a"}\n\n{"path": "b"}\n').rows) == [1, 3]


def test_json_lines(tmp_path: Path) -> None:
    read = table(tmp_path, "a.jsonl", '{"path": "a", "text": ["x", "y"]}\n{"path": "b", "weight": 3}\n')
    assert read.columns == {"path": ["a", "b"], "text": [["x", "y"], None], "weight": [None, 3]}


def test_parquet(tmp_path: Path) -> None:
    columns = {"path": ["a", "b"], "weight": [1.5, float("nan")], "texts": [["x"], None], "code": ["007", " "]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    read = read_table(tmp_path / "a.parquet")
    assert read.columns == {"path": ["a", "b"], "weight": [1.5, None], "texts": [["x"], None], "code": ["007", None]}
    assert list(read.rows) == [1, 2]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "row 1 is empty"),
        ("a.csv", "path,label\n", "holds no rows"),
        ("a.csv", "path,path\na,b\n", "two columns have the same name: path"),
        ("a.csv", "path,text\na,b\nc,d,e\n", r"row 3: 3 cells; expected 2 as in row 1 \(a text that holds ',' needs"),
        ("a.tsv", "path\ttext\na\n", "row 2: 1 cells; expected 2"),
        ("a.csv", 'path,text\na,"b" c\n', "row 2: .*correct its quotes"),
        ("a.csv", 'path,text\na,"b\n', "row 2: .*correct its quotes"),
        ("a.csv", "path,label\na,b\nc,这是一张图片\n".encode("gbk"), "row 3 is not in UTF-8: save the table as UTF-8"),
        ("a.jsonl", '{"path": "a"}\n{"path"}\n', "row 2: expected a JSON object"),
        ("a.jsonl", "[1, 2]\n", "row 1: expected a JSON object"),
        ("a.parquet", "no Parquet", "cannot be read"),
        ("a.csv", "path,text\n" + "a,b,c\n" * 8, "row 2: 3 cells; .*row 6: 3 cells; and 3 more faults; expected 2"),
    ],
)
def test_faults_are_named(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    with pytest.raises(SourceError, match=f"{name}: {message}"):
        table(tmp_path, name, content)
