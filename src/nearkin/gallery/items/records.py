"""What is shown of items, row by row: a memory-mapped copy of the columns, one Arrow file per fragment.

A fragment's rows never change but by deletion, which gives it another file of deletions. So a copy is good for every
version that has the fragment, and a new version makes only those of the fragments that are new.
"""

import os
import time
from bisect import bisect_right
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa

from nearkin.gallery.items.columns import shown_names
from nearkin.gallery.items.store import GRACE, Snapshot


class Records:
    """The shown columns of a snapshot's rows, loaded when first asked for.

    Args:
        snapshot: whose rows.
        folder: for the copies. If it cannot be written, they are made in memory.
    """

    def __init__(self, snapshot: Snapshot, folder: Path) -> None:
        self._snapshot = snapshot
        self._columns = shown_names(snapshot.schema)
        self._folder = folder
        self._fragments = snapshot.fragments
        self._starts = [0, *accumulate(fragment.count_rows() for fragment in self._fragments)]
        self._parts: dict[int, pa.Table] = {}

    def __getitem__(self, row: int) -> Mapping[str, Any]:
        """A row by column names."""
        position = bisect_right(self._starts, row) - 1
        part = self._part(position)
        return {name: part[name][row - self._starts[position]].as_py() for name in self._columns}

    def repair(self) -> list[str]:
        """Write again the copies that differ from the rows; names them."""
        wrong = []
        for position, path in enumerate(map(self._path, range(len(self._fragments)))):
            if path.exists():
                truth, copy = self._read(position), self._copy(position)
                if copy is None or not truth.equals(copy):
                    path.unlink(missing_ok=True)
                    wrong.append(str(path))
        self._parts.clear()
        return wrong

    def _part(self, position: int) -> pa.Table:
        if position not in self._parts:
            self._parts[position] = self._load(position)
        return self._parts[position]

    def _load(self, position: int) -> pa.Table:
        if (copy := self._copy(position)) is not None:
            return copy
        part = self._read(position)
        with suppress(OSError):
            self._write(part, self._path(position))
        return part

    def _copy(self, position: int) -> pa.Table | None:
        """What the file holds, None if that cannot be the fragment."""
        with suppress(OSError, pa.ArrowInvalid):
            copy = pa.ipc.open_file(pa.memory_map(str(self._path(position)))).read_all()
            if copy.num_rows == self._starts[position + 1] - self._starts[position]:
                return copy
        return None

    def _read(self, position: int) -> pa.Table:
        return self._snapshot.read(self._columns, self._fragments[position]).combine_chunks()

    def _write(self, part: pa.Table, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(f".{os.getpid()}")
        try:
            with pa.ipc.new_file(str(beside), part.schema) as file:
                file.write_table(part)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
        self._remove_old()

    def _remove_old(self) -> None:
        """Remove the copies of fragments that are gone, unless they are new: another process may be ahead."""
        used = {self._path(position) for position in range(len(self._fragments))}
        for path in self._folder.iterdir():
            if path not in used and path.stat().st_mtime < time.time() - GRACE.total_seconds():
                path.unlink(missing_ok=True)

    def _path(self, position: int) -> Path:
        fragment = self._fragments[position]
        # The names of Lance's files are never used again.
        named = (self._columns, [file.path for file in fragment.data_files()], fragment.deletion_file())
        return self._folder / f"{blake2b(repr(named).encode(), digest_size=16).hexdigest()}.arrow"
