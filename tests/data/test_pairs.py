import pytest

from nearkin.data.pairs import Pairs
from nearkin.errors import SourceError


def write(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pairs.csv", "a,b,same\nx.png,y.png,1\nx.png,z.png,0\ny.png,z.png,\n"),
        ("pairs.csv", "same;path_A;note;path_B\ntrue;x.png;;y.png\nFALSE;x.png;;z.png\n;y.png;;z.png\n"),
        ("pairs.tsv", "left\tright\tsame\nx.png\ty.png\tsame\nx.png\tz.png\tdifferent\n\ny.png\tz.png\t\n"),
    ],
)
def test_tables(tmp_path, name, text):
    pairs = list(Pairs(write(tmp_path, name, text)))
    assert [(pair.a, pair.b, pair.same) for pair in pairs] == [
        ("x.png", "y.png", True), ("x.png", "z.png", False), ("y.png", "z.png", None),
    ]  # fmt: skip
    assert pairs[0].pictures[1].uri == str(tmp_path / "y.png")
    assert [pair.row for pair in pairs] == ([2, 3, 5] if name.endswith("tsv") else [2, 3, 4])


def test_lfw(tmp_path):
    file = write(tmp_path, "pairs.txt", "5\t300\nAnn_Lee\t1\t12\nAnn_Lee 3 Bo_Ek 1\n")
    pairs = list(Pairs(file))
    assert [(pair.row, pair.a, pair.b, pair.same) for pair in pairs] == [
        (2, "Ann_Lee/Ann_Lee_0001.jpg", "Ann_Lee/Ann_Lee_0012.jpg", True),
        (3, "Ann_Lee/Ann_Lee_0003.jpg", "Bo_Ek/Bo_Ek_0001.jpg", False),
    ]
    (tmp_path / "lfw").mkdir()
    assert next(iter(Pairs(file))).pictures[0].uri == str(tmp_path / "lfw/Ann_Lee/Ann_Lee_0001.jpg")
    assert next(iter(Pairs(file, tmp_path / "other"))).pictures[0].uri.startswith(str(tmp_path / "other"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("pairs.csv", "x,y\n1,2\n", "found columns x, y; expected a and b or path_a"),
        ("pairs.csv", "", "found columns none"),
        ("pairs.csv", "a,b\nx.png\n", "row 2: expected 2 cells"),
        ("pairs.csv", "a,b\nx.png,y.png\n,y.png\n", "row 3: expected 2 cells with two pictures"),
        ("pairs.csv", "a,b,same\nx.png,y.png,perhaps\n", "row 2: same is 'perhaps'"),
        ("pairs.txt", "5 300\nAnn 1 2\nAnn one 2\n", "row 3: 'Ann one 2', expected"),
        ("pairs.txt", "a,b\nx.png,y.png\n", "row 1: .* or a table that ends in .csv"),
    ],
)
def test_faults_are_named(tmp_path, name, text, message):
    with pytest.raises(SourceError, match=message):
        list(Pairs(write(tmp_path, name, text)))


def test_check_names_rows_of_missing_pictures(tmp_path):
    (tmp_path / "x.png").touch()
    file = write(tmp_path, "pairs.csv", "a,b\nx.png,x.png\nx.png,y.png\n")
    with pytest.raises(SourceError, match=r"row 3: no picture '.*y\.png'"):
        Pairs(file).check()
    with pytest.raises(SourceError, match="holds no pairs"):
        Pairs(write(tmp_path, "empty.csv", "a,b\n")).check()
    with pytest.raises(SourceError, match="cannot be read"):
        Pairs(tmp_path / "missing.csv").check()
    assert Pairs(write(tmp_path, "good.csv", "a,b\nx.png,x.png\n")).check() == 1
