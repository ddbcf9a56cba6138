"""The cache of a gallery: vectors and an index, so that the next process need not make them again.

Files in the cache are never trusted further than they can be checked. A folder of them holds a stamp that is written
last: which version of which items they were made from, and the length and checksum of each file. What does not match
is made again. Items that changed since are compared one by one: deleted ones are masked, new ones are searched exactly
beside the index, until a tenth has changed.
"""

import json
import shutil
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from nearkin.errors import ArtefactError
from nearkin.gallery.index import ExactIndex, Index, build, load
from nearkin.gallery.index.base import HEADER
from nearkin.gallery.index.index_with_changes import IndexWithChanges, match_items
from nearkin.gallery.index.info import IndexInfo
from nearkin.intervals.figure import Figure

FORMAT = 2
STAMP, VECTORS = "stamp.json", "vectors.npy"
# The share of items changed since an index was built, above which it is built again.
STALE_SHARE = 0.1
# What a killed process left is removed after so many seconds.
_NEW, _ABANDONED = ".new-", 3600.0
_PAGES, _PAGE = 64, 4096


@runtime_checkable
class ItemVersion(Protocol):
    """One version of the items, which the files are checked against."""

    @property
    def identity(self) -> str:
        """Identity of the dataset and its version: items of one identity are the same, in the same order."""

    def ids(self) -> Int[np.ndarray, " n"]:
        """Of all items, in the order of their rows."""

    def marks(self) -> Int[np.ndarray, " n"]:
        """A number for each item that changes when its vector does, such as the beginning of the content's hash."""

    def vectors(self, rows: Int[np.ndarray, " m"] | None = None) -> Float[np.ndarray, "m dim"]:
        """Of some rows, or of all."""


def open_index(
    folder: Path, items: ItemVersion, kind: str = "exact", *, recall: float = 0.99, seed: int = 0
) -> IndexWithChanges:
    """The index over a gallery's items: from its files, as far as they fit, else built and written.

    An approximate index of which more than a tenth has changed is still used, for building one takes minutes:
    `changed` tells, and `build_index` makes a new one. An exact index is then built at once.

    Args:
        folder: of these files and no others; where it cannot be written, the index stays in memory.
        items: the items.
        kind, recall, seed: see `nearkin.gallery.index.build`.

    Returns:
        The index over exactly these items.
    """
    return find_index(folder, items, kind) or build_index(folder, items, kind, recall=recall, seed=seed)


def find_index(folder: Path, items: ItemVersion, kind: str = "exact") -> IndexWithChanges | None:
    """The index from its files, None if none of them fits. Arguments as `open_index`."""
    for path in _folders(folder, kind):
        # Another process may remove files while they are opened.
        with suppress(ArtefactError, OSError, ValueError):
            return _opened(path, items)
    return None


def describe_index(folder: Path, items: ItemVersion, kind: str = "exact") -> IndexInfo | None:
    """What the files say of the index, which is neither loaded nor built; None if none of them fits.

    Arguments as `open_index`.
    """
    for path in _folders(folder, kind):
        with suppress(ArtefactError, OSError, ValueError, KeyError, TypeError):
            if not _is_whole(path, _sample):
                continue
            rows, new_rows = _matched(path, items)
            header = json.loads((path / HEADER).read_text(encoding="utf-8"))
            if "setting" not in header:  # written by version 0.1.0
                index = _loaded(path)
                header |= {"setting": index.setting, "bytes_per_vector": index.bytes_per_vector}
            changed = (np.count_nonzero(rows < 0) + len(new_rows)) / max(1, len(rows))
            recall = header["recall"] and Figure(**header["recall"])
            seconds = round(header["build_seconds"], 3)
            return IndexInfo(
                header["kind"],
                header["setting"],
                recall,
                header["n"],
                float(changed),
                header["bytes_per_vector"],
                seconds,
            )
    return None


def build_index(
    folder: Path, items: ItemVersion, kind: str = "exact", *, recall: float = 0.99, seed: int = 0
) -> IndexWithChanges:
    """Build an index over all items, write its files, and remove those of older ones. Arguments as `open_index`."""
    ids, marks, vectors = items.ids(), items.marks(), items.vectors()
    # In the order of the ids, so that of equal scores the lower id comes first.
    rows = np.argsort(ids, kind="stable")
    if (rows[1:] < rows[:-1]).any():
        vectors = vectors[rows]
    index = build(vectors, kind, recall=recall, seed=seed)
    # What cannot be written stays in memory: a read-only folder, a full disk.
    with suppress(OSError):
        _write(folder, kind, items.identity, index, {"ids": ids[rows], "marks": marks[rows], "rows": rows})
    return IndexWithChanges.of(index, rows, ids)


def find_invalid(folder: Path, items: ItemVersion) -> list[Path]:
    """Folders of index files that are not what was written, or not of these items; every byte is read. They can be
    removed."""
    return [path for path in _folders(folder) if not _is_whole(path, _checksum) or _is_of_other_items(path, items)]


def _folders(folder: Path, kind: str = "*") -> list[Path]:
    """The folders of index files of a kind. Anything else that lies beside them is never touched."""
    return sorted(path for path in folder.glob(f"{kind}-{'[0-9a-f]' * 16}") if not path.is_symlink())


def _write(folder: Path, kind: str, identity: str, index: Index, arrays: dict[str, np.ndarray]) -> None:
    """Write a folder of files under another name and rename it; then remove those that it replaces."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{kind}-{blake2b(identity.encode(), digest_size=8).hexdigest()}"
    with TemporaryDirectory(prefix=_NEW, dir=folder, ignore_cleanup_errors=True) as beside:
        new = Path(beside, name)
        new.mkdir()
        index.save(new)
        np.save(new / VECTORS, index.vectors)
        for array, values in arrays.items():
            np.save(new / f"{array}.npy", values)
        files = {file.name: [file.stat().st_size, _sample(file), _checksum(file)] for file in new.iterdir()}
        stamp = {"format": FORMAT, "identity": identity, "files": files}
        (new / STAMP).write_text(json.dumps(stamp, indent=2), encoding="utf-8")
        _remove(folder / name)
        with suppress(OSError):  # another process was faster
            new.rename(folder / name)
    abandoned = (new for new in folder.glob(f"{_NEW}*") if new.stat().st_mtime < time.time() - _ABANDONED)
    for path in (*_folders(folder), *abandoned):
        if path.name != name:
            _remove(path)


def _remove(path: Path) -> None:
    # A process that has them mapped keeps them on Linux and macOS; Windows refuses, and a later build removes them.
    shutil.rmtree(path, ignore_errors=True)


def _opened(path: Path, items: ItemVersion) -> IndexWithChanges:
    """The index in a folder, brought up to the items.

    Raises:
        ArtefactError: the files are damaged or of other items, or too much has changed for an exact index.
    """
    if not _is_whole(path, _sample):
        raise ArtefactError(f"'{path}' is not what was written")
    index = _loaded(path)
    rows, new_rows = _matched(path, items)
    if _stamp(path)["identity"] == items.identity:
        by_row = np.empty(len(rows), dtype=np.int64)
        by_row[rows] = np.load(path / "ids.npy")
        return IndexWithChanges.of(index, rows, by_row)
    if index.kind == "exact" and np.count_nonzero(rows < 0) + len(new_rows) > STALE_SHARE * len(rows):
        raise ArtefactError(f"too much has changed since '{path}' was written")
    return IndexWithChanges(index, rows, items.ids(), new_rows, ExactIndex(items.vectors(new_rows), index.metric))


def _loaded(path: Path) -> Index:
    # "c": torch wants arrays that it might write to.
    return load(path, np.asarray(np.load(path / VECTORS, mmap_mode="c")))


def _matched(path: Path, items: ItemVersion) -> tuple[Int[np.ndarray, " old"], Int[np.ndarray, " new"]]:
    """For each item of the files its row now, -1 where there is none; and the rows of the items that are new.

    Raises:
        ArtefactError: the files are of other items.
    """
    if _stamp(path)["identity"] == items.identity:
        return np.load(path / "rows.npy"), np.empty(0, dtype=np.int64)
    ids, marks = (np.load(path / f"{name}.npy") for name in ("ids", "marks"))
    rows, new_rows = match_items(ids, marks, items.ids(), items.marks())
    if (rows < 0).all():
        raise ArtefactError(f"'{path}' is of other items, or of another encoder")
    return rows, new_rows


def _stamp(path: Path) -> dict[str, Any]:
    stamp = json.loads((path / STAMP).read_text(encoding="utf-8"))
    return stamp if stamp["format"] == FORMAT else {}


def _is_whole(path: Path, checksum: Callable[[Path], int]) -> bool:
    """Whether all files are there, as long as they were written, and with the checksum that they had."""
    try:
        files = _stamp(path)["files"]
        column = (_sample, _checksum).index(checksum) + 1
        return all(
            (path / name).stat().st_size == facts[0] and checksum(path / name) == facts[column]
            for name, facts in files.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _is_of_other_items(path: Path, items: ItemVersion) -> bool:
    """Whether none of the vectors is an item's: another gallery's files, or those before a change of encoder."""
    if _stamp(path)["identity"] == items.identity:
        return False
    ids, marks = (np.load(path / f"{name}.npy") for name in ("ids", "marks"))
    return bool((match_items(ids, marks, items.ids(), items.marks())[0] < 0).all())


def _sample(path: Path) -> int:
    """A checksum of some pages: enough to tell another file, and fast for a great one."""
    size, checksum = path.stat().st_size, 0
    with path.open("rb") as file:
        for page in range(_PAGES):
            file.seek(page * max(0, size - _PAGE) // (_PAGES - 1))
            checksum = zlib.crc32(file.read(_PAGE), checksum)
    return checksum


def _checksum(path: Path) -> int:
    """A checksum of all bytes."""
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            checksum = zlib.crc32(block, checksum)
    return checksum
