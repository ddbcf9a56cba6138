"""Rows of a Lance dataset that grows by appends: what is new is read, and not all of it again."""

from typing import Any

import pyarrow as pa

from nearkin.gallery.lance import lance


class AppendedRows:
    """Columns of a dataset, in the order of its fragments, as they were read last.

    Args:
        columns: which.
    """

    def __init__(self, columns: list[str]) -> None:
        self._columns = columns
        self._files: list[str] = []

    def news(self, dataset: lance.LanceDataset) -> tuple[bool, pa.Table | None]:
        """What was written since the last call: whether all that was read before still stands, and the rows that are
        new; None if there are none."""
        fragments = dataset.get_fragments()
        files = [str(([file.path for file in part.data_files()], part.deletion_file())) for part in fragments]
        stands = files[: len(self._files)] == self._files
        start = len(self._files) if stands else 0
        self._files = files
        if stands and start == len(files):
            return True, None
        return stands, self._scan(dataset, fragments[start:])

    def _scan(self, dataset: lance.LanceDataset, fragments: list[Any]) -> pa.Table:
        if not fragments:
            return dataset.schema.empty_table().select(self._columns)
        return dataset.scanner(columns=self._columns, fragments=fragments, scan_in_order=True).to_table()
