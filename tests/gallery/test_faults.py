"""What goes wrong around a gallery: processes die, disks are full, folders cannot be written."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from benchmarks import faults

from nearkin.arrays import unit
from nearkin.errors import ArtefactError, InvalidInput
from nearkin.gallery.gallery import Gallery
from tests.fakes import FakeEncoder


@pytest.fixture(autouse=True)
def _path_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))


def test_killed_while_adding_deleting_and_building(tmp_path: Path) -> None:
    result = faults.kills(tmp_path / "gallery", 4, seed=1)
    assert result["acknowledged calls"]["add"] > 0
    wanted = ("acknowledged items lost", "deleted items back", "items doubled", "gallery not opened")
    assert {name: result[name] for name in wanted} == dict.fromkeys(wanted, 0)
    assert result["faults found by check"] == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB. Mounting is for root alone."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("cannot mount a disk")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def some(seed: int, count: int) -> np.ndarray:
    return unit(np.random.default_rng(seed).standard_normal((count, 64)).astype(np.float32))


def test_a_full_disk_loses_nothing_that_was_there(small_disk: Path) -> None:
    gallery = Gallery.create(small_disk / "gallery", FakeEncoder(dim=64))
    gallery.add_vectors([f"/{i}" for i in range(500)], some(0, 500))

    def fill() -> None:
        for part in range(100):
            gallery.add_vectors([f"/{part}-{i}" for i in range(2000)], some(part, 2000))

    with pytest.raises(ArtefactError, match="No space left on device"):
        fill()
    # Nor is there room for the index.
    opened = Gallery.open(gallery.path)
    count = len(opened)
    assert count % 2000 == 500
    assert opened.search(some(0, 1)[0], k=1)[0].uri == "/0"
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    assert gallery.add_vectors(["/after"], some(7, 1)).added == 1
    assert len(opened) == count + 1
    assert opened.check().sound


def test_a_folder_that_cannot_be_written_can_be_searched(small_disk: Path) -> None:
    gallery = Gallery.create(small_disk / "gallery", FakeEncoder(dim=64))
    gallery.add_vectors([f"/{i}" for i in range(300)], some(0, 300))
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    opened = Gallery.open(gallery.path)
    assert opened.search(some(0, 1)[0], k=1, where="item_id < 5")[0].uri == "/0"
    assert opened.check().sound
    for write in (
        lambda: opened.add_vectors(["/x"], some(1, 1)),
        lambda: opened.delete([1]),
        lambda: opened.update({"label": "x"}, [1]),
        lambda: opened.build("lsh"),
        lambda: opened.reindex(FakeEncoder(dim=64, name="new")),
    ):
        with pytest.raises(ArtefactError, match="cannot be written: Read-only file system"):
            write()
    with pytest.raises(InvalidInput, match=r"cannot write '.*out\.parquet'.*Read-only"):
        opened.export(small_disk / "out.parquet")


def test_two_writers_at_once_take_turns(tmp_path: Path) -> None:
    """Each deletes what the other adds; items of both at the end, each once."""
    path = tmp_path / "gallery"
    Gallery.create(path, FakeEncoder(dim=64))

    def write(name: str) -> None:
        gallery = Gallery.open(path)
        for i in range(6):
            gallery.add_vectors([f"/{name}-{i}", f"/both-{i}"], some(i, 2))
            gallery.update({"label": name}, where=f"uri = '/both-{i}'")
            gallery.delete(where=f"uri = '/{name}-{i - 1}'")

    writers = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    gallery = Gallery.open(path)
    uris = sorted(hit.uri for hit in gallery.search(np.ones(64), k=100))
    assert uris == ["/a-5", "/b-5", *(f"/both-{i}" for i in range(6))]
    assert gallery.check().sound
