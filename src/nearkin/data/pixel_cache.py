"""Decode once: pictures at training size in a memory-mapped file that all runs on a machine share.

A folder per preprocessing holds two files. `pixels` is row after row of uint8, only ever appended to. `index.sqlite`
says which row holds which content, and which content a file of some path, size and time had. Pixels are on the disk
before the index names them, so that a killed process leaves at most bytes which the next one overwrites; and they are
written under SQLite's write lock, so that processes append in turn.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from nearkin.data.images import PixelBatch, Preprocessing, stream_pixels
from nearkin.data.items import Broken, Picture
from nearkin.errors import InvalidInput
from nearkin.files import cache_root
from nearkin.progress import Progress

# Each commit waits for the disk, and holds back other processes: not too often, not too much at once.
_COMMIT_PICTURES = 512
_COMMIT_BYTES = 64 << 20

# Seconds to wait for another process to finish its commit.
_PATIENCE = 120

_TABLES = """
CREATE TABLE IF NOT EXISTS content (row INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS file (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, hash TEXT) WITHOUT ROWID;
"""


@dataclass(frozen=True, eq=False)
class PixelCache:
    """Decoded pictures, by their position in the sequence that `build` was given.

    Args:
        rows: where each picture's pixels are in the store; -1 for a broken one.
        broken: pictures that could not be decoded, in their order.
        decoded: how many had to be decoded; the others were in the store.
        store: memory-mapped; other sources' pictures lie between.
    """

    rows: Int[np.ndarray, " n"]
    broken: tuple[Broken, ...]
    decoded: int
    store: UInt8[np.ndarray, "stored height width channels"]

    @property
    def ok(self) -> Int[np.ndarray, " good"]:
        """Positions of the pictures that have pixels."""
        return np.flatnonzero(self.rows >= 0)

    def batch(self, indices: Sequence[int] | Int[np.ndarray, " b"]) -> UInt8[np.ndarray, "b height width channels"]:
        """Pixels of these pictures, copied.

        Raises:
            InvalidInput: one of them is broken.
        """
        rows = self.rows[indices]
        if rows.min(initial=0) < 0:
            raise InvalidInput(f"picture {np.asarray(indices)[rows < 0][0]} is broken and has no pixels: see `ok`")
        return np.asarray(self.store[rows])

    @staticmethod
    def build(
        pictures: Sequence[Picture],
        preprocessing: Preprocessing,
        folder: Path | None = None,
        *,
        strict: bool = False,
        progress: Progress | None = None,
    ) -> "PixelCache":
        """Decodes what the store lacks.

        A file with the path, size and time that it had is not read again; content that is known under another name
        is read, but not decoded. Killed at any moment, it goes on where it was at the next call.

        Args:
            pictures: what to decode.
            preprocessing: size, channels and fit.
            folder: of the store; `pictures/` in $NEARKIN_CACHE by default, or in ~/.cache/nearkin.
            strict: do not pass over a broken picture.
            progress: called after each commit.

        Raises:
            PictureError: strict, and a picture is broken.
            InvalidInput: the folder cannot be written, is damaged, or its disk is too small.
        """
        folder = (folder or cache_root() / "pictures") / preprocessing.key()
        shape = (preprocessing.height, preprocessing.width, preprocessing.channels)
        report = progress or (lambda done, total: None)
        with _cache_errors(folder), closing(_Store(folder, shape)) as store:
            states = [_state(picture) for picture in pictures]
            rows = np.array([store.row_of_file(state) for state in states], dtype=np.int64)
            missing = np.flatnonzero(rows < 0)
            store.check_space(len(missing))
            known = store.hashes() if len(missing) else set()
            batches = stream_pixels(
                [pictures[position] for position in missing.tolist()],
                preprocessing,
                batch_size=max(1, min(_COMMIT_PICTURES, _COMMIT_BYTES // store.row_bytes)),
                strict=strict,
                known=known,
            )
            names: dict[int, str] = {}
            broken: list[Broken] = []
            decoded = 0
            report(len(pictures) - len(missing), len(pictures))
            for batch in batches:
                found = {**batch.known, **dict(zip(batch.rows.tolist(), batch.hashes, strict=True))}
                new = {int(missing[position]): name for position, name in found.items()}
                store.add(batch, {state: name for position, name in new.items() if (state := states[position])})
                known.update(batch.hashes)
                names |= new
                broken += batch.broken
                decoded += len(batch.rows)
                report(len(pictures) - len(missing) + len(names) + len(broken), len(pictures))
            rows[list(names)] = [store.row_of_content(name) for name in names.values()]
            return PixelCache(rows, tuple(broken), decoded, store.pixels())


# Path, size in bytes and time of change of a file.
_State = tuple[str, int, int]


class _Store:
    """One folder of pixels and their index, open for reading and appending."""

    def __init__(self, folder: Path, shape: tuple[int, int, int]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.shape = shape
        self.row_bytes = int(np.prod(shape))
        self._file = folder / "pixels"
        self._file.touch()
        self._index = sqlite3.connect(folder / "index.sqlite", timeout=_PATIENCE, isolation_level=None)
        self._index.executescript(_TABLES)
        # A copied or cut file may lack rows that the index names; decode those again.
        if len(self) > (whole := self._file.stat().st_size // self.row_bytes):
            self._index.execute("DELETE FROM content WHERE row >= ?", (whole,))

    def __len__(self) -> int:
        return self._index.execute("SELECT coalesce(max(row) + 1, 0) FROM content").fetchone()[0]

    def close(self) -> None:
        self._index.close()

    def check_space(self, count: int) -> None:
        """Refuses at once what would fill the disk hours later."""
        needed, free = count * self.row_bytes, shutil.disk_usage(self._file.parent).free
        if needed > free:
            raise InvalidInput(
                f"{count} pictures of {' x '.join(map(str, self.shape))} take {_size(needed)}, and "
                f"{self._file.parent} has {_size(free)} free: name a folder on a larger disk in NEARKIN_CACHE, "
                "or choose a smaller size"
            )

    def row_of_file(self, state: _State | None) -> int:
        """-1 if it is unknown, or has changed."""
        query = "SELECT row FROM file JOIN content USING (hash) WHERE path = ? AND size = ? AND mtime_ns = ?"
        found = self._index.execute(query, state).fetchone() if state else None
        return found[0] if found else -1

    def row_of_content(self, name: str) -> int:
        """-1 if it is unknown."""
        found = self._index.execute("SELECT row FROM content WHERE hash = ?", (name,)).fetchone()
        return found[0] if found else -1

    def hashes(self) -> set[str]:
        return {name for (name,) in self._index.execute("SELECT hash FROM content")}

    def add(self, batch: PixelBatch, files: Mapping[_State, str]) -> None:
        """Stores pixels whose content is new, and what content these files have."""
        with self._index:
            self._index.execute("BEGIN IMMEDIATE")
            position = {name: position for position, name in enumerate(batch.hashes)}
            # Another process may have stored some of them in the meantime.
            new = [name for name in position if self.row_of_content(name) < 0]
            start = len(self)
            with self._file.open("r+b") as file:
                file.seek(start * self.row_bytes)
                file.write(batch.pixels[[position[name] for name in new]].tobytes())
                file.flush()
                os.fsync(file.fileno())
            self._index.executemany("INSERT INTO content VALUES (?, ?)", enumerate(new, start))
            self._index.executemany(
                "INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?)", [(*state, name) for state, name in files.items()]
            )

    def pixels(self) -> UInt8[np.ndarray, "stored height width channels"]:
        count = len(self)
        if not count:
            return np.empty((0, *self.shape), dtype=np.uint8)
        return np.memmap(self._file, dtype=np.uint8, mode="r", shape=(count, *self.shape))


def _size(count: int) -> str:
    """A number of bytes in the unit that shows it."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _state(picture: Picture) -> _State | None:
    """None for what is no file. Taken before reading, so that a change in between shows at the next build."""
    if picture.read_bytes is not None:
        return None
    try:
        state = Path(picture.whole_uri).stat()
    except OSError:
        return None
    return picture.uri, state.st_size, state.st_mtime_ns


@contextmanager
def _cache_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        raise InvalidInput(f"picture cache {folder}: {error}: name another folder in NEARKIN_CACHE") from error
    except sqlite3.DatabaseError as error:
        raise InvalidInput(
            f"picture cache {folder}: {error}: delete that folder; the next run builds it again"
        ) from error
