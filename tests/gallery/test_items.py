"""Items are added, changed, deleted, read and checked."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from nearkin.data.items import Items, Picture
from nearkin.errors import ArtefactError, InvalidInput, UnknownName
from nearkin.gallery.gallery import AddSummary, Gallery, Item
from tests.fakes import FakeEncoder, draw_noise


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    """Ten items at known vectors, without pictures."""
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder(dim=10))
    items = Items.build(
        [Picture(f"/{i}.png") for i in range(10)],
        labels=["even" if i % 2 == 0 else "odd" for i in range(10)],
        metadata={"price": [i / 2 for i in range(10)]},
    )
    assert gallery.add_vectors(items, 5 * np.eye(10)) == AddSummary(added=10)
    return gallery


def test_vectors_are_added_once_and_replaced_where_they_differ(gallery: Gallery) -> None:
    vectors = np.eye(10)
    uris = [f"/{i}.png" for i in range(10)]
    assert gallery.add_vectors(uris, vectors) == AddSummary(unchanged=10)
    vectors[3] = vectors[4]
    steps: list[tuple[int, int]] = []
    changed = Items.build([Picture(uri) for uri in (*uris, "/new.png")], metadata={"price": [0.0] * 11})
    summary = gallery.add_vectors(changed, [*vectors, np.ones(10)], progress=lambda *step: steps.append(step))
    assert summary == AddSummary(added=1, replaced=1, updated=8, unchanged=1)
    assert steps == [(11, 11)]
    assert gallery.search(vectors[4], k=2).ids.tolist() == [3, 4]
    assert gallery.get([3])[0] == Item(3, "/3.png", "odd", (), {"price": 0.0})
    np.testing.assert_allclose(gallery.vectors([10, 0])[1], np.eye(10)[0])
    with pytest.raises(InvalidInput, match="added as a vector, without its picture"):
        gallery.thumbnail(3)


@pytest.mark.parametrize(
    ("uris", "vectors", "reason"),
    [
        (["/a"], np.ones((2, 10)), "2 vectors for 1 items"),
        (["/a"], np.ones((1, 9)), "the dimension is 9, expected 10"),
        (["/a", "/b"], [np.ones(10), np.full(10, np.nan)], "the first is row 1"),
        (["/a", "/b"], np.eye(2, 10, 1)[::-1] * [[1], [0]], "row 1 is the zero vector"),
        (["/a", "/a"], np.ones((2, 10)), "'/a' occurs 2 times"),
    ],
)
def test_vectors_that_cannot_be_added(gallery: Gallery, uris: list[str], vectors: object, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        gallery.add_vectors(uris, vectors)
    assert len(gallery) == 10


def test_ids_are_never_given_twice(gallery: Gallery) -> None:
    other = Gallery.open(gallery.path)
    assert other.search(np.eye(10)[9], k=1)[0].id == 9
    assert gallery.delete([9, 3]) == 2
    assert other.search(np.eye(10)[9], k=10).ids.tolist() == [0, 1, 2, 4, 5, 6, 7, 8]
    assert gallery.delete(where="price >= 3") == 3
    other.add_vectors(["/9.png"], np.eye(10)[9:])
    assert gallery.get([10])[0].uri == "/9.png"
    with pytest.raises(InvalidInput, match=r"no item has the id 9: take"):
        gallery.get([9])
    assert gallery.delete(where="true") == 6
    gallery.add_vectors(["/x.png"], np.eye(1, 10))
    assert gallery.search(np.ones(10))[0].id == 11


@pytest.mark.parametrize(
    ("ids", "where", "reason"),
    [
        (None, None, "which items"),
        ([1], "true", "which items"),
        ([1, 77, 78], None, r"no item has the id 77 .2 ids are unknown"),
        (None, "price >", "syntax error at position 8"),
        (None, "prize > 1", "did you mean price"),
    ],
)
def test_unclear_orders_delete_nothing(gallery: Gallery, ids: list | None, where: str | None, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        gallery.delete(ids, where=where)
    with pytest.raises(InvalidInput, match=reason):
        gallery.update({"label": "x"}, ids, where=where)
    assert len(gallery) == 10
    assert gallery.delete([]) == 0


def test_values_are_set_and_typed(gallery: Gallery) -> None:
    assert gallery.update({"label": "it's", "captions": "a 'mug'", "price": 7}, [2, 3]) == 2
    assert gallery.get([3, 2, 4]) == [
        Item(3, "/3.png", "it's", ("a 'mug'",), {"price": 7.0}),
        Item(2, "/2.png", "it's", ("a 'mug'",), {"price": 7.0}),
        Item(4, "/4.png", "even", (), {"price": 2.0}),
    ]
    moment = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
    new = {
        "day": date(2024, 5, 1), "sold": True, "much": 1 << 40, "ratio": 0.1, "tags": ["a", "b"], "moment": moment,
        "пол": "ж",
    }  # fmt: skip
    with pytest.raises(UnknownName, match=r"unknown column 'day'.*create=True"):
        gallery.update(new, where="true")
    assert gallery.update(new, where="label = 'odd'", create=True) == 4
    assert gallery.get([1])[0].metadata == {"price": 0.5, **new}
    assert gallery.get([2])[0].metadata == {"price": 7.0, **dict.fromkeys(new)}
    assert gallery.update(dict.fromkeys(new) | {"label": None, "captions": []}, [1]) == 1
    assert gallery.get([1]) == [Item(1, "/1.png", None, (), {"price": 0.5, **dict.fromkeys(new)})]
    assert gallery.search(np.eye(10)[1], k=1).ids.tolist() == [1]


@pytest.mark.parametrize(
    ("values", "create", "reason"),
    [
        ({}, False, "no values to set"),
        ({"pric": 3}, False, "did you mean price"),
        ({"uri": "/x"}, False, "unknown column 'uri'"),
        ({"price": "cheap"}, False, "'price' holds string, the gallery's column holds double"),
        ({"a.b": 1}, True, "cannot hold a column named 'a.b'"),
        ({"new": None}, True, "has no value: its type is unknown"),
    ],
)
def test_values_that_cannot_be_set(gallery: Gallery, values: dict, create: bool, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        gallery.update(values, [1], create=create)


def test_texts_are_set_in_the_form_in_which_sources_bring_them(gallery: Gallery) -> None:
    for given, held in {" mug ": "mug", "": None, 7: "7", 1.0: "1", "e\u0301": "\u00e9", "\udcff": "\\xff"}.items():
        gallery.update({"label": given, "captions": [given, " a "]}, [1])
        (item,) = gallery.get([1])
        assert (item.label, item.captions) == (held, ("a",) if held is None else (held, "a"))
    gallery.update({"sold": True}, [1], create=True)
    gallery.update({"sold": 0}, [1])
    assert gallery.get([1])[0].metadata["sold"] is False
    for label in (["a"], {"a": 1}, b"a"):
        with pytest.raises(InvalidInput, match=r"label is .*: expected text"):
            gallery.update({"label": label}, [1])
    with pytest.raises(InvalidInput, match="neither true nor false"):
        gallery.update({"sold": 2}, [1])


def test_export(gallery: Gallery, tmp_path: Path) -> None:
    done: list[tuple[int, int]] = []
    out = tmp_path / "items.parquet"
    assert gallery.export(out, where="label = 'odd'", progress=lambda *step: done.append(step)) == 5
    table = pq.read_table(out)
    assert table.column_names == ["item_id", "uri", "label", "captions", "price", "vector"]
    assert table["item_id"].to_pylist() == [1, 3, 5, 7, 9]
    np.testing.assert_allclose(np.array(table["vector"].to_pylist()), np.eye(10)[1::2])
    assert done[-1] == (10, 10)
    assert gallery.export(out, vectors=False, thumbnails=True) == 10
    assert pq.read_table(out).column_names[-1] == "thumbnail"
    assert gallery.export(out, where="false") == 0
    assert len(pq.read_table(out)) == 0
    with pytest.raises(InvalidInput, match="cannot write"):
        gallery.export(tmp_path / "no" / "folder.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gallery", "items.parquet"]


def test_check_lists_missing_and_changed_pictures(tmp_path: Path) -> None:
    paths = draw_noise(tmp_path / "pictures", range(4))
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder())
    gallery.add(tmp_path / "pictures")
    assert gallery.check() == gallery.check(read_pictures=True)
    assert gallery.check().sound
    paths[0].unlink()
    content = bytearray(paths[1].read_bytes())
    facts = paths[1].stat()
    content[-1] ^= 1
    paths[1].write_bytes(content)
    paths[2].touch()
    report = gallery.check()
    assert (report.missing, report.changed) == ((str(paths[0]),), (str(paths[1]),))
    import os

    os.utime(paths[1], ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert gallery.check().changed == ()
    assert gallery.check(read_pictures=True).changed == (str(paths[1]),)


def test_check_repairs_what_is_derived(gallery: Gallery) -> None:
    expected = gallery.search(np.ones(10), k=10)
    assert expected[0].uri.endswith(".png")
    files = [path for path in (gallery.path / "derived").rglob("*") if path.suffix in (".npy", ".arrow")]
    assert len(files) > 2
    for path in files:
        content = bytearray(path.read_bytes())
        content[-9:] = b"\xff" * 9
        path.write_bytes(content)
    opened = Gallery.open(gallery.path)
    report = opened.check()
    assert report.sound
    assert len(report.repaired) == 2
    assert opened.search(np.ones(10), k=10) == expected
    assert Gallery.open(gallery.path).check().repaired == ()


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(path.read_bytes()[:40]), Path.unlink])
def test_damaged_derived_files_are_made_anew(gallery: Gallery, damage: object) -> None:
    expected = gallery.search(np.ones(10), k=10)
    assert expected[0].id == 0
    for path in list((gallery.path / "derived").rglob("*")):
        if path.is_file():
            damage(path)
    assert Gallery.open(gallery.path).search(np.ones(10), k=10) == expected


def test_index_files_of_another_gallery_are_not_believed(gallery: Gallery, tmp_path: Path) -> None:
    import shutil

    other = Gallery.create(tmp_path / "other", FakeEncoder(dim=10))
    other.add_vectors([f"/{i}.png" for i in range(10)], np.eye(10)[::-1])
    assert other.search(np.eye(10)[0], k=1)[0].id == 9
    assert gallery.search(np.eye(10)[0], k=1)[0].id == 0
    shutil.rmtree(gallery.path / "derived")
    shutil.copytree(other.path / "derived", gallery.path / "derived")
    assert Gallery.open(gallery.path).search(np.eye(10)[0], k=1)[0].id == 0


def test_check_finds_faults_of_the_record(gallery: Gallery) -> None:
    import lance
    import pyarrow as pa

    dataset = lance.dataset(str(gallery.path / "items.lance"))
    row = dataset.take([0]).to_pylist()[0]
    lance.write_dataset(
        pa.Table.from_pylist([{**row, "vector": 3 * np.ones(10)}], schema=dataset.schema), dataset, mode="append"
    )
    dataset = lance.dataset(str(gallery.path / "items.lance"))
    dataset.update_config({"nearkin.next_id": "5"})
    faults = gallery.check().faults
    assert [fault.partition(":")[0] for fault in faults] == ["item_id", "uri", "item_id", "vector"]
    assert not gallery.check().sound


def test_items_that_lance_cannot_read(gallery: Gallery) -> None:
    for path in (gallery.path / "items.lance" / "data").iterdir():
        path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ArtefactError, match="the gallery's items cannot be read"):
        Gallery.open(gallery.path).export(gallery.path / "out.parquet")
