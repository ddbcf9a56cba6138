"""Parquet files and frames of every type, with pictures in them or beside them."""

import datetime
import gc
import json
import pickle
import tracemalloc
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from nearkin.data.images import stream_pixels
from nearkin.data.pixel_cache import PixelCache
from nearkin.data.sources import read_items
from nearkin.errors import PictureError, SourceError
from tests.data.tables.drawn import SMALL, encoded, greys


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


def test_columns_of_one_name_in_parquet(folder: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["0.png"]), pa.array([1]), pa.array([2])], names=["path", "x", "x"])
    pq.write_table(table, folder / "t.parquet")
    with pytest.raises(SourceError, match="two columns have the same name: x"):
        read_items(folder / "t.parquet")


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
