import os
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from nearkin.errors import ArtefactError
from nearkin.gallery.items.store import SMALL_FRAGMENTS, VERSIONS, Store


def rows(ids: list[int], schema: pa.Schema, **columns: object) -> pa.Table:
    full = [{"item_id": i, "uri": f"/{i}", "vector": np.full(4, i, np.float32), **columns} for i in ids]
    return pa.Table.from_pylist(full, schema=schema)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(str(tmp_path / "items.lance"), "fake", dim=4)


def test_vectors_come_back_by_id(store: Store) -> None:
    schema = store.snapshot().schema
    assert len(store.snapshot()) == 0
    assert store.snapshot().vectors().shape == (0, 4)
    store.append(rows([0, 1, 2], schema))
    store.upsert(rows([1, 3], schema, label="new"))
    snapshot = store.snapshot()
    ids, vectors = snapshot.ids(), snapshot.vectors()
    assert sorted(ids.tolist()) == [0, 1, 2, 3]
    np.testing.assert_array_equal(vectors, ids[:, None].repeat(4, 1).astype(np.float32))
    np.testing.assert_array_equal(snapshot.vectors(np.array([3, 0])), vectors[[3, 0]])
    assert snapshot.take([3, 0, 3], ["item_id"])["item_id"].to_pylist() == ids[[3, 0, 3]].tolist()
    labels = dict(
        zip(*(snapshot.read(["item_id", "label"])[name].to_pylist() for name in ("item_id", "label")), strict=True)
    )
    assert labels == {0: None, 1: "new", 2: None, 3: "new"}


def test_a_snapshot_stays_as_it_is(store: Store) -> None:
    store.append(rows([0], store.snapshot().schema))
    before, version = store.snapshot(), store.version
    other = Store(store.uri)
    other.append(rows([1], before.schema))
    assert store.version > version
    assert len(before) == 1
    assert len(store.snapshot()) == 2


@pytest.mark.parametrize("age", [0, 3600])
def test_a_new_version_is_noticed_by_who_knows_the_one_before(store: Store, age: int) -> None:
    """Even if the clock did not move between the two: the time of the folder is trusted only when it is old."""
    versions = Path(store.uri, VERSIONS)
    then = time.time_ns() - age * 10**9
    os.utime(versions, ns=(then, then))
    first = store.version
    assert store.version == first
    Store(store.uri).append(rows([1], store.snapshot().schema))
    if not age:
        os.utime(versions, ns=(then, then))
    assert store.version > first


def test_a_writer_sees_what_another_wrote(store: Store) -> None:
    schema, other = store.snapshot().schema, Store(store.uri)
    store.append(rows([0], schema))
    other.add_columns(schema.append(pa.field("price", pa.float64())))
    store.upsert(rows([0, 1], store.snapshot().schema, price=2.5))
    other.append(rows([2], store.snapshot().schema))
    assert sorted(store.snapshot().read(["price"])["price"].to_pylist(), key=str) == [2.5, 2.5, None]


def test_small_fragments_and_deleted_rows_are_merged_away(store: Store) -> None:
    schema = store.snapshot().schema
    for i in range(SMALL_FRAGMENTS + 10):
        store.append(rows([i], schema))
    for _ in range(3):
        store.upsert(rows(list(range(i + 1)), schema))
    store.clean_up(timedelta(0))
    assert len(list((Path(store.uri) / "data").iterdir())) <= 2
    np.testing.assert_array_equal(np.sort(store.snapshot().ids()), np.arange(i + 1))


def test_clean_up_leaves_young_versions_to_their_readers(store: Store) -> None:
    schema = store.snapshot().schema
    store.append(rows([0, 1], schema))
    reader = store.snapshot()
    store.upsert(rows([0, 1], schema, label="new"))
    store.clean_up()
    assert reader.read(["label"])["label"].to_pylist() == [None, None]
    store.clean_up(timedelta(0))
    assert len(list((Path(store.uri) / "_versions").glob("*.manifest"))) == 1
    assert store.snapshot().read(["label"])["label"].to_pylist() == ["new", "new"]


def test_clean_up_removes_what_a_killed_writer_left(store: Store) -> None:
    store.append(rows([0], store.snapshot().schema))
    leftover = Path(store.uri) / "data" / "leftover.lance"
    leftover.write_bytes(b"half a file")
    store.clean_up(timedelta(0))
    assert not leftover.exists()
    assert len(store.snapshot()) == 1


def test_missing_or_damaged(tmp_path: Path, store: Store) -> None:
    with pytest.raises(ArtefactError, match=r"nothing' is missing or damaged"):
        Store(str(tmp_path / "nothing"))
    for manifest in (Path(store.uri) / "_versions").iterdir():
        manifest.write_bytes(b"xx")
    with pytest.raises(ArtefactError, match="missing or damaged"):
        Store(store.uri)
