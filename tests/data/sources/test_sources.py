from pathlib import Path

import pytest

from nearkin.data.items import Items, Picture
from nearkin.data.sources import check_source, read_items
from nearkin.errors import InvalidInput, SourceError


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for name in ("cat/1.png", "cat/2.png", "dog/1.png"):
        file = tmp_path / "pets" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path / "pets"


def test_a_tree(pets: Path) -> None:
    assert read_items(pets).labels == ("cat", "cat", "dog")
    assert read_items(str(pets), label="path").metadata["group"] == ("cat", "cat", "dog")


def test_a_table(pets: Path) -> None:
    (pets / "list.csv").write_text("path,label,caption\ncat/1.png,tabby,a cat\ncat/1.png,tabby,my cat\n")
    items = read_items(pets / "list.csv")
    assert (items.labels, items.captions) == (("tabby",), (("a cat", "my cat"),))
    by_name = read_items(pets / "list.csv", captions="label")
    assert (by_name.labels, by_name.captions) == (("tabby",), (("tabby",),))


def test_a_folder_with_a_table_is_read_by_its_table(pets: Path) -> None:
    (pets / "captions.tsv").write_text("image\ttitle\ncat/2.png\tTom\n")
    items = read_items(pets, captions="title")
    assert (items.uris, items.captions) == ((str(pets.resolve() / "cat/2.png"),), (("Tom",),))
    (pets / "metadata.jsonl").write_text('{"file_name": "dog/1.png"}\n')
    with pytest.raises(SourceError, match=r"several tables: name one of .*metadata\.jsonl, .*captions\.tsv"):
        read_items(pets)


def test_a_table_that_names_no_pictures_does_not_change_a_tree(pets: Path) -> None:
    (pets / "labels.csv").write_text("id,name\ncat,Cat\n")
    assert read_items(pets).labels == ("cat", "cat", "dog")


def test_items_pass_through() -> None:
    items = Items.build([Picture("/a.png")])
    assert read_items(items) is items
    with pytest.raises(InvalidInput, match="items have theirs already"):
        read_items(items, label="x")


def test_columns_of_a_tree(pets: Path) -> None:
    with pytest.raises(SourceError, match="no column 'breed'"):
        read_items(pets, label="breed")
    with pytest.raises(SourceError, match="no columns of captions: name a table"):
        read_items(pets, captions=["title"])


def test_a_missing_path_suggests_near_ones(pets: Path) -> None:
    with pytest.raises(SourceError, match=r"no such file or folder: did you mean .*/pets\?"):
        read_items(pets.parent / "petz")
    with pytest.raises(SourceError, match=r"did you mean .*/pets\?"):
        read_items(pets.parent / "petz" / "cat" / "old")
    with pytest.raises(SourceError, match=r"no such file or folder: .*/pets holds cat, dog$"):
        read_items(pets / "xyzzy")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.zip", "is an archive: unpack it"),
        ("a.tar.gz", "is an archive: unpack it"),
        ("a.xlsx", "is a workbook: save the sheet as CSV"),
        ("a.txt", r"is no table that can be read: expected one of \.csv, \.tsv, \.jsonl, \.ndjson, \.json, \.parquet"),
        ("a", "is no table that can be read"),
    ],
)
def test_other_files_are_refused_with_a_way_out(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(SourceError, match=message):
        read_items(tmp_path / name)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="found nothing; expected pictures"):
        read_items(tmp_path)


def test_the_home_folder(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(pets.parent))
    assert len(read_items("~/pets")) == 3


def test_a_folder_without_pictures_is_refused_by_its_names(tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "a.mp4").touch()
    with pytest.raises(SourceError, match=r"found only 1 other file, such as a\.mp4"):
        check_source(tmp_path)
    (tmp_path / "holiday" / "b.JPG").touch()
    check_source(tmp_path)
    loop = tmp_path / "linked"
    loop.mkdir()
    (loop / "again").symlink_to(loop)
    check_source(loop)
