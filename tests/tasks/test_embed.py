import json
import os
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from nearkin.data.vector_files import read_vectors
from nearkin.errors import EncoderMismatch, InvalidInput, PictureError, SourceError
from nearkin.gallery.gallery import Gallery
from nearkin.tasks import embed as module
from nearkin.tasks.embed import embed, embed_rows
from tests.fakes import FakeEncoder, draw_noise


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Ten pictures in three classes, one of them broken, with a caption or two and a price."""
    draw_noise(tmp_path / "photos", range(10))
    (tmp_path / "photos" / "4.png").write_bytes(b"no picture")
    lines = ["path,label,title,name,price"]
    lines += [f"photos/{n}.png,class {n % 3},a red cup,{'красный' if n % 2 else ''},{n}" for n in range(10)]
    path = tmp_path / "shop.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def in_chunks_of_three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 3)


def test_parquet_has_every_column_and_the_vectors_of_the_encoder(table: Path, tmp_path: Path) -> None:
    encoder = FakeEncoder()
    summary = embed(encoder, table, tmp_path / "out.parquet", caption_column=["title", "name"])
    assert (summary.embedded, summary.dim, summary.resumed) == (9, 16, 0)
    assert [Path(broken.uri).name for broken in summary.skipped] == ["4.png"]
    rows = pq.read_table(tmp_path / "out.parquet")
    assert rows.column_names == ["path", "label", "captions", "price", "content_hash", "vector"]
    assert str(rows.schema.field("vector").type) in (
        "fixed_size_list<element: float>[16]",
        "fixed_size_list<item: float>[16]",
    )
    assert rows["price"].to_pylist() == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert rows["captions"].to_pylist()[:2] == [["a red cup"], ["a red cup", "красный"]]
    expected = encoder.embed_images([tmp_path / "photos" / f"{n}.png" for n in range(10) if n != 4])
    np.testing.assert_array_equal(np.stack(rows["vector"].to_pylist()).astype(np.float32), expected)
    stated = {key.decode(): value.decode() for key, value in rows.schema.metadata.items()}
    assert stated["nearkin.fingerprint"] == "fake-16"
    assert json.loads(stated["nearkin.preprocessing"])["height"] == 8


def test_readers_of_other_libraries_agree(table: Path, tmp_path: Path) -> None:
    duckdb, pandas, polars = (pytest.importorskip(name) for name in ("duckdb", "pandas", "polars"))
    file = str(tmp_path / "out.parquet")
    embed(FakeEncoder(), table, file)
    expected = read_vectors(file).vectors
    np.testing.assert_array_equal(np.stack(pandas.read_parquet(file)["vector"].to_list()), expected)
    np.testing.assert_array_equal(polars.read_parquet(file)["vector"].to_numpy(), expected)
    found = duckdb.sql(
        f"SELECT array_cosine_similarity(vector::FLOAT[16], vector::FLOAT[16]), price FROM '{file}' ORDER BY price"
    ).fetchall()
    np.testing.assert_allclose([row[0] for row in found], 1, atol=1e-6)
    assert [row[1] for row in found] == [0, 1, 2, 3, 5, 6, 7, 8, 9]


def test_npy_and_csv_hold_the_same_vectors_row_by_row(table: Path, tmp_path: Path) -> None:
    returned = embed(FakeEncoder(), table)
    embed(FakeEncoder(), table, tmp_path / "out.npy")
    embed(FakeEncoder(), table, tmp_path / "wide.csv")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), returned.vectors)
    header, *lines = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
    assert header == "path,label,title,name,price,content_hash"
    assert [Path(line.split(",")[0]).name for line in lines] == [f"{n}.png" for n in range(10) if n != 4]
    header, *lines = (tmp_path / "wide.csv").read_text(encoding="utf-8").splitlines()
    assert header.split(",")[-16:] == [f"vector_{n}" for n in range(16)]
    wide = np.array([[float(cell) for cell in line.split(",")[-16:]] for line in lines], np.float32)
    np.testing.assert_array_equal(wide, returned.vectors)


def test_captions_and_texts_have_vectors_of_words(table: Path, tmp_path: Path) -> None:
    encoder = FakeEncoder()
    embed(encoder, table, tmp_path / "words.parquet", captions=True, caption_column=["title", "name"])
    rows = pq.read_table(tmp_path / "words.parquet")
    assert rows["caption"].to_pylist()[:3] == ["a red cup", "a red cup", "красный"]
    assert rows["price"].to_pylist()[:3] == [0, 1, 1]
    assert "captions" not in rows.column_names
    of_texts = embed(encoder, texts=["red", "green"])
    assert of_texts.table is not None
    assert of_texts.table.column_names == ["text", "vector"]
    np.testing.assert_array_equal(of_texts.vectors, encoder.embed_texts(["red", "green"]))


@pytest.mark.usefixtures("in_chunks_of_three")
def test_an_interrupted_call_goes_on(table: Path, tmp_path: Path) -> None:
    class Interrupted(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done > 6:
            raise Interrupted

    with pytest.raises(Interrupted):
        embed(FakeEncoder(), table, tmp_path / "out.parquet", progress=stop)
    assert not (tmp_path / "out.parquet").exists()
    encoder = FakeEncoder()
    summary = embed(encoder, table, tmp_path / "out.parquet")
    assert (summary.embedded, summary.resumed, encoder.embedded) == (9, 5, 4)
    assert [Path(broken.uri).name for broken in summary.skipped] == ["4.png"]
    embed(FakeEncoder(), table, tmp_path / "at_once.parquet")
    assert pq.read_table(tmp_path / "out.parquet").equals(pq.read_table(tmp_path / "at_once.parquet"))
    assert not list(tmp_path.glob(".*"))


@pytest.mark.usefixtures("in_chunks_of_three")
@pytest.mark.parametrize("changed", ["encoder", "picture", "label"])
def test_what_changed_since_the_interruption_is_embedded_again(changed: str, table: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done > 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed(FakeEncoder(), table, tmp_path / "out.parquet", progress=stop)
    encoder = FakeEncoder(name="other") if changed == "encoder" else FakeEncoder()
    if changed == "picture":
        (path,) = draw_noise(tmp_path / "new", [77])
        path.replace(tmp_path / "photos" / "1.png")
        later = time.time_ns() + 10**9
        os.utime(tmp_path / "photos" / "1.png", ns=(later, later))
    if changed == "label":
        table.write_text(table.read_text(encoding="utf-8").replace("class 0", "class X"), encoding="utf-8")
    summary = embed(encoder, table, tmp_path / "out.parquet")
    assert summary.resumed == (2 if changed == "picture" else 0)
    embed(encoder, table, tmp_path / "at_once.parquet")
    assert pq.read_table(tmp_path / "out.parquet").equals(pq.read_table(tmp_path / "at_once.parquet"))


def test_rows_are_what_a_file_would_have(table: Path) -> None:
    from nearkin.data.sources import read_items

    rows = [row for row in embed_rows(FakeEncoder(), read_items(table)) if isinstance(row, dict)]
    returned = embed(FakeEncoder(), table)
    assert returned.table is not None
    assert rows == returned.table.to_pylist()


def test_a_gallery_takes_the_file_and_knows_the_pictures_again(table: Path, tmp_path: Path) -> None:
    encoder = FakeEncoder()
    for name in ("out.parquet", "out.npy"):
        embed(encoder, table, tmp_path / name)
        file = read_vectors(tmp_path / name)
        gallery = Gallery.create(tmp_path / f"{name}.gallery", encoder)
        summary = gallery.add_vectors(file.items, file.vectors, fingerprint=file.fingerprint, hashes=file.hashes)
        assert summary.added == 9
        before = encoder.embedded
        again = gallery.add(table)
        assert (again.added, again.replaced, encoder.embedded) == (0, 0, before)
        assert gallery.search(tmp_path / "photos" / "3.png", k=1)[0].label == "class 0"


def test_vectors_of_another_encoder_are_refused(table: Path, tmp_path: Path) -> None:
    embed(FakeEncoder(name="other"), table, tmp_path / "out.parquet")
    file = read_vectors(tmp_path / "out.parquet")
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder())
    with pytest.raises(EncoderMismatch, match="encoder other-16, expected fake-16"):
        gallery.add_vectors(file.items, file.vectors, fingerprint=file.fingerprint)
    with pytest.raises(EncoderMismatch, match="dimension 16, the model's have 8"):
        file.check("other-16", 8)
    assert len(gallery) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "expected data or texts"),
        ({"data": "photos", "texts": ["red"]}, "expected data or texts"),
        ({"texts": "red"}, "expected a list of texts"),
        ({"texts": []}, "no texts"),
        ({"texts": ["red", "  "]}, "text 2 is empty"),
        ({"data": "photos", "captions": True}, "there are no captions"),
        ({"data": "photos", "out": "out.txt"}, "expected a name that ends in .parquet"),
        ({"data": "photos", "out": "photos"}, "is a folder"),
    ],
)
def test_a_mistake_is_named(
    arguments: dict[str, object], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    draw_noise(tmp_path / "photos", range(2))
    with pytest.raises(InvalidInput, match=message):
        embed(FakeEncoder(), **arguments)  # type: ignore[arg-type]


def test_pictures_that_cannot_be_read(tmp_path: Path) -> None:
    (path,) = draw_noise(tmp_path, [0])
    path.write_bytes(b"")
    with pytest.raises(SourceError, match=r"none of 1 pictures can be decoded; the first: .*0.png"):
        embed(FakeEncoder(), tmp_path, tmp_path / "out.parquet")
    with pytest.raises(PictureError, match=r"0\.png"):
        embed(FakeEncoder(), tmp_path, strict=True)
    with pytest.raises(InvalidInput, match="pictures only"):
        embed(FakeEncoder(has_text=False), texts=["red"])
