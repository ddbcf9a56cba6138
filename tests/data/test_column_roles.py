from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearkin.data.column_roles import build_items
from nearkin.data.items import Items, Picture
from nearkin.data.picture_column import find_pictures
from nearkin.data.tables import Table
from nearkin.errors import SourceError, UnknownName


def table_of(*, typed: bool = True, **columns: list[Any]) -> Table:
    count = len(next(iter(columns.values())))
    return Table("t.csv", columns, range(2, count + 2), typed=typed)


def items_of(table: Table, uris: str, **options: Any) -> Items:
    return build_items(table, [Picture(uri) for uri in uris], **options)


def found(folder: Path, **columns: list[Any]) -> tuple[str, list[str]]:
    name, pictures = find_pictures(table_of(**columns), folder)
    return name, [picture.uri for picture in pictures]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for name in ("a.png", "images/b.png", "images/c.png"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("column", ["path", "file_name", "file", "image", "filename", "Image"])
def test_columns_that_name_pictures(folder: Path, column: str) -> None:
    assert found(folder, other=[1], **{column: ["a.png"]}) == (column, [f"{folder}/a.png"])


def test_pictures_lie_beside_the_table_or_in_images_or_anywhere(folder: Path) -> None:
    names = ["a.png", "./a.png", "b.png", "images/b.png", "images\\b.png", str(folder / "images/c.png")]
    assert [Path(uri).relative_to(folder).as_posix() for uri in found(folder, path=names)[1]] == [
        "a.png",
        "a.png",
        "images/b.png",
        "images/b.png",
        "images/b.png",
        "images/c.png",
    ]


def test_a_column_without_files_is_not_it(folder: Path) -> None:
    assert found(folder, path=["animals/a"], file=["a.png"])[0] == "file"
    assert found(folder, path=["a long text " * 1000], file=["a.png"])[0] == "file"
    assert found(folder, path=[7], file=["a.png"])[0] == "file"


def test_single_missing_files_are_left_to_the_decoder(folder: Path) -> None:
    assert found(folder, path=["gone.png", "a.png"])[1] == [f"{folder}/gone.png", f"{folder}/a.png"]


def test_tables_that_do_not_name_pictures(folder: Path) -> None:
    with pytest.raises(SourceError, match=r"no column names .*: found id, label; expected one of path, file_name"):
        found(folder, id=[1], label=["cat"])
    with pytest.raises(
        SourceError, match=r"none of the files in column 'path' exists; row 3: 'x.png' is neither in .*"
    ):
        found(folder, path=[None, "x.png", "y.png"])
    with pytest.raises(SourceError, match="row 3: 'path' is empty"):
        found(folder, path=["a.png", None])


def test_default_columns() -> None:
    table = table_of(
        Label=["cat", 7],
        caption=["a cat", None],
        text_ru=["кот", " собака "],
        split=["Train", "dev"],
        is_query=["yes", None],
        is_gallery=[True, False],
        weight=[1, 2],
    )
    items = items_of(table, "ab")
    assert items.labels == ("cat", "7")
    assert items.captions == (("a cat", "кот"), ("собака",))
    assert items.splits == ("train", "val")
    assert items.is_gallery is not None
    assert items.is_gallery.tolist() == [True, False]
    assert items.metadata == {"weight": (1, 2)}


def test_named_columns() -> None:
    table = table_of(label=["x"], breed=["tabby"], caption=["a cat"], title=["Tom"], path=["a.png"])
    items = items_of(table, "a", label="breed", captions=["title"], taken=["path"])
    assert (items.labels, items.captions) == (("tabby",), (("Tom",),))
    assert items.metadata == {"label": ("x",), "caption": ("a cat",)}


@pytest.mark.parametrize("options", [{"label": "bred"}, {"captions": ["bred"]}, {"label": "path"}])
def test_unknown_columns(options: dict[str, Any]) -> None:
    with pytest.raises(UnknownName, match="unknown column"):
        items_of(table_of(breed=["x"], path=["a"]), "a", taken=["path"], **options)


def test_rows_of_one_picture_become_one_item() -> None:
    table = table_of(
        label=["cat", "dog", None, "cat"],
        caption=["one", "two", "three", "one"],
        split=[None, "test", "train", "train"],
        by=[None, "x", "y", "z"],
    )
    items = items_of(table, "abaa")
    assert items.uris == ("a", "b")
    assert items.labels == ("cat", "dog")
    assert items.captions == (("one", "three"), ("two",))
    assert items.splits == ("train", "test")
    assert items.metadata == {"by": ("y", "x")}


def test_a_cell_may_hold_several_captions() -> None:
    assert items_of(table_of(captions=[["one", "", "two", None, "one"], None]), "ab").captions == (("one", "two"), ())


def test_rows_that_disagree() -> None:
    with pytest.raises(SourceError, match=r"row 4: 'label' is 'dog', but 'cat' for the same picture in row 3"):
        items_of(table_of(label=[None, "cat", "dog"]), "aaa")
    with pytest.raises(SourceError, match=r"row 3: 'split' is 'test', but 'train' .* in row 2"):
        items_of(table_of(split=["train", "test"]), "aa")


def test_values_that_are_not_allowed() -> None:
    with pytest.raises(SourceError, match=r"row 3: 'split' is 'holdout', expected train, val or test"):
        items_of(table_of(split=["train", "holdout"]), "ab")
    with pytest.raises(SourceError, match=r"row 2: 'is_query' is 'perhaps', expected true or false"):
        items_of(table_of(is_query=["perhaps"]), "a")


@pytest.mark.parametrize("word", ["true", "TRUE", "t", "Yes", "y", "1", 1, 1.0, True])
def test_yes(word: object) -> None:
    assert items_of(table_of(is_query=[word]), "a").is_query == [True]


@pytest.mark.parametrize("word", ["false", "FALSE", "f", "No", "n", "0", 0, 0.0, False, None])
def test_no(word: object) -> None:
    assert items_of(table_of(is_query=[word]), "a").is_query == [False]


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "-20", None], (1, -20, None)),
        (["1.50", "2"], (1.5, 2.0)),
        (["007", "1"], ("007", "1")),
        (["1e3", "1"], ("1e3", "1")),
        (["1_000", "1"], ("1_000", "1")),
        (["nan", "1"], (None, 1)),
        (["NA", "N/A", "1.5"], (None, None, 1.5)),
        (["NA", "cat"], ("NA", "cat")),
        (["NA", None], ("NA", None)),
    ],
)
def test_metadata_of_text_tables_are_numbers_where_all_cells_are(cells: list[Any], values: tuple[Any, ...]) -> None:
    assert items_of(table_of(typed=False, code=cells), "abc"[: len(cells)]).metadata["code"] == values
    assert items_of(table_of(code=cells), "abc"[: len(cells)]).metadata["code"] == tuple(cells)


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from(["", " ", "x", "x ", "y", "кот"])), min_size=1, max_size=20
    )
)
def test_no_caption_is_lost_or_given_to_another_picture(rows: list[tuple[str, str]]) -> None:
    uris, texts = zip(*rows, strict=True)
    items = items_of(table_of(caption=list(texts)), "".join(uris))
    given_pairs = {(uri, text.strip()) for uri, text in rows if text.strip()}
    kept = [(uri, text) for uri, captions in zip(items.uris, items.captions, strict=True) for text in captions]
    assert set(kept) == given_pairs
    assert len(kept) == len(given_pairs)
    assert list(items.uris) == list(dict.fromkeys(uris))


def test_columns_of_captions_name_their_language() -> None:
    table = table_of(caption_en=["heart", "taxi", None], caption_ru=["сердце", "taxi", None], text=["love", None, None])
    items = items_of(table, "abc")
    assert items.captions == (("heart", "сердце", "love"), ("taxi",), ())
    # A word of both languages is taken for one of the first column.
    assert items.languages == {"heart": "en", "taxi": "en", "сердце": "ru"}
    assert items.select([0]).languages == items.languages
    named = items_of(table_of(name_ru=["сердце"], title=["heart"]), "a", captions=["title", "name_ru"])
    assert named.languages == {"сердце": "ru"}
