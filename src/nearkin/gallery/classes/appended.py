"""Rows of a Lance dataset that grows by appends: what is new is read, and not all of it again."""

import time
from pathlib import Path
from typing import Any

import pyarrow as pa

from nearkin.gallery.items.store import VERSIONS
from nearkin.gallery.lance import lance

# Nanoseconds in which the clock of any file system moves on.
_TICK = 2_000_000_000


class AppendedRows:
    """Columns of a dataset, in the order of its fragments, as they were read last.

    Args:
        columns: which.
    """

    def __init__(self, columns: list[str]) -> None:
        self._columns = columns
        self._files: list[str] = []
        self._version = 0
        # When the folder of versions changed last, if that was long ago.
        self._settled: int | None = None

    def latest(self, dataset: lance.LanceDataset, uri: str) -> lance.LanceDataset:
        """The dataset, moved to its newest version; a folder that has not changed is not looked into."""
        try:
            changed = Path(uri, VERSIONS).stat().st_mtime_ns
        except OSError:
            changed = None
        if changed is None or changed != self._settled:
            dataset.checkout_latest()
            # Two changes within a tick of the clock have one time, so that a fresh one proves nothing.
            self._settled = changed if changed and time.time_ns() - changed > _TICK else None
        return dataset

    def news(self, dataset: lance.LanceDataset) -> tuple[bool, pa.Table | None]:
        """What was written since the last call: whether all that was read before still stands, and the rows that are
        new; None if there are none."""
        if dataset.version == self._version:
            return True, None
        self._version = dataset.version
        fragments = dataset.get_fragments()
        files = [str(([file.path for file in part.data_files()], part.deletion_file())) for part in fragments]
        stands = files[: len(self._files)] == self._files
        start = len(self._files) if stands else 0
        self._files = files
        if stands and start == len(files):
            return True, None
        return stands, self._scan(dataset, fragments[start:])

    def _scan(self, dataset: lance.LanceDataset, fragments: list[Any]) -> pa.Table:
        # A dataset of an earlier version may lack some.
        there = [name for name in self._columns if name in dataset.schema.names]
        if not fragments:
            return dataset.schema.empty_table().select(there)
        return dataset.scanner(columns=there, fragments=fragments, scan_in_order=True).to_table()
