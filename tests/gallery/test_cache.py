"""Files of an index: used when they match the items, rebuilt when they do not, never trusted."""

import json
import os
import shutil
import time
from dataclasses import dataclass, field

import numpy as np
import pytest

from nearkin.arrays import unit
from nearkin.gallery import cache
from nearkin.gallery.cache import build_index, find_index, find_invalid, open_index


@dataclass
class Items:
    """Items in memory; `read` counts the vectors that were asked for."""

    identity: str
    seed: int
    n: int = 500
    read: list = field(default_factory=list)

    def __post_init__(self):
        generator = np.random.default_rng(self.seed)
        self._ids, self._marks = generator.permutation(2000)[: self.n], np.zeros(self.n, np.int64)
        self.all = unit(generator.standard_normal((self.n, 8), dtype=np.float32))

    def ids(self):
        return self._ids

    def marks(self):
        return self._marks

    def vectors(self, rows=None):
        self.read.append(self.n if rows is None else len(rows))
        return self.all if rows is None else self.all[rows]

    def without(self, gone, identity):
        """The same items but for the first, at another version."""
        other = Items(identity, self.seed, self.n)
        other._ids, other._marks, other.all = self._ids[gone:], self._marks[gone:], self.all[gone:]
        other.n -= gone
        return other


def finds_all(current, items):
    scores, rows = current.search(items.all, 1)
    np.testing.assert_array_equal(rows[:, 0], np.arange(items.n))
    np.testing.assert_allclose(scores, 1, atol=1e-6)
    np.testing.assert_array_equal(current.ids, items.ids())


@pytest.mark.parametrize("kind", ["exact", "lsh", "ivf", "auto"])
def test_the_second_time_nothing_is_read_but_the_files(kind, tmp_path):
    finds_all(open_index(tmp_path, Items("v1", 0), kind), Items("v1", 0))
    items = Items("v1", 0)
    finds_all(open_index(tmp_path, items, kind), items)
    assert items.read == []
    assert find_invalid(tmp_path, items) == []


def test_a_few_changes_are_followed_many_are_not(tmp_path):
    items = Items("v1", 0)
    build_index(tmp_path, items)
    fewer = items.without(40, "v2")
    current = open_index(tmp_path, fewer)
    assert current.changed == 0.08
    assert fewer.read == [0]
    finds_all(current, fewer)
    few = items.without(60, "v3")
    current = open_index(tmp_path, few)
    assert current.changed == 0
    assert few.read == [440]
    finds_all(current, few)
    assert len(list(tmp_path.iterdir())) == 1, "files of the old version are removed"


def test_a_worn_approximate_index_is_used_until_another_is_built(tmp_path):
    items = Items("v1", 0)
    build_index(tmp_path, items, "lsh")
    few = items.without(100, "v2")
    current = open_index(tmp_path, few, "lsh")
    assert current.changed == 0.2
    finds_all(current, few)
    assert build_index(tmp_path, few, "lsh").changed == 0


def test_files_of_other_items_are_not_used(tmp_path):
    build_index(tmp_path / "one", Items("v1", 0))
    other = Items("w1", 7)
    other._marks = other._marks + 1
    shutil.copytree(tmp_path / "one", tmp_path / "other")
    assert len(find_invalid(tmp_path / "other", other)) == 1
    current = open_index(tmp_path / "other", other)
    assert other.read[-1] == 500
    finds_all(current, other)
    assert find_invalid(tmp_path / "other", other) == []


@pytest.mark.parametrize("kind", ["exact", "lsh"])
def test_files_of_another_encoder_are_not_used(kind, tmp_path):
    """The same ids, but vectors of another length."""
    before, after = Items("v1", 0), Items("v2", 0)
    build_index(tmp_path, before, kind)
    after._marks, after.all = after._marks + 1, unit(after.all[:, :4])
    assert find_index(tmp_path, after, kind) is None
    finds_all(open_index(tmp_path, after, kind), after)


def test_a_vector_that_changed_is_read_anew(tmp_path):
    items = Items("v1", 0)
    build_index(tmp_path, items)
    changed = Items("v2", 0)
    changed.all = items.all.copy()
    changed.all[3], changed._marks[3] = -items.all[3], 1
    current = open_index(tmp_path, changed)
    assert changed.read == [1]
    finds_all(current, changed)


def truncate(file):
    file.write_bytes(file.read_bytes()[:-1])


def overwrite(file):
    file.write_bytes(b"\0" * file.stat().st_size)


@pytest.mark.parametrize("harm", [truncate, overwrite, lambda file: file.unlink()], ids=["short", "zeros", "missing"])
def test_damaged_files_are_made_anew(harm, tmp_path):
    build_index(tmp_path, Items("v1", 0, 260), "lsh")
    (folder,) = tmp_path.iterdir()
    names = sorted(file.name for file in folder.iterdir())
    assert {"vectors.npy", "ids.npy", "index.faiss", "index.json", "stamp.json"} <= set(names)
    for name in names:
        harm(folder / name)
        assert find_invalid(tmp_path, Items("v1", 0, 260)) == [folder]
        items = Items("v1", 0, 260)
        finds_all(open_index(tmp_path, items, "lsh"), items)
        assert items.read == [260], name
        assert find_invalid(tmp_path, items) == []


def test_one_changed_byte_is_found_by_the_whole_check(tmp_path):
    build_index(tmp_path, Items("v1", 0, 2000), "exact")
    (folder,) = tmp_path.iterdir()
    content = bytearray((folder / "vectors.npy").read_bytes())
    content[20_001] ^= 1
    (folder / "vectors.npy").write_bytes(content)
    assert find_invalid(tmp_path, Items("v1", 0, 2000)) == [folder]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(tmp_path):
    tmp_path.chmod(0o500)
    finds_all(open_index(tmp_path, Items("v1", 0)), Items("v1", 0))
    assert not list(tmp_path.iterdir())


def test_where_no_folder_can_be_the_index_stays_in_memory(tmp_path):
    (tmp_path / "file").write_text("in the way")
    finds_all(open_index(tmp_path / "file" / "index", Items("v1", 0)), Items("v1", 0))


def test_what_a_killed_process_left_is_removed_in_time(tmp_path):
    (tmp_path / ".new-old").mkdir()
    (tmp_path / ".new-fresh").mkdir()
    long_ago = time.time() - 2 * cache._ABANDONED
    os.utime(tmp_path / ".new-old", (long_ago, long_ago))
    build_index(tmp_path, Items("v1", 0))
    assert {path.name for path in tmp_path.glob(".new-*")} == {".new-fresh"}


def test_files_that_another_process_removes_meanwhile(tmp_path):
    build_index(tmp_path, Items("v1", 0))
    (folder,) = tmp_path.iterdir()
    stamp = json.loads((folder / "stamp.json").read_text())
    del stamp["files"]["marks.npy"]
    (folder / "stamp.json").write_text(json.dumps(stamp))
    # Whole when it was looked at, and gone when it is read.
    (folder / "marks.npy").unlink()
    finds_all(open_index(tmp_path, Items("v1", 0)), Items("v1", 0))
