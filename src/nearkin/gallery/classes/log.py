"""The log of the class registry: a Lance dataset to which each call appends rows, in one commit."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from nearkin.errors import ArtefactError
from nearkin.gallery.classes.appended import AppendedRows
from nearkin.gallery.classes.events import LIGHT, SCHEMA
from nearkin.gallery.items.store import ATTEMPTS, GRACE, any_of, lance_errors
from nearkin.gallery.lance import lance

# Fragments of this many rows are left alone: they hold pictures, and adding one must not rewrite them all.
FRAGMENT_ROWS = 1 << 11
# Smaller ones are merged when there are more than this.
SMALL_FRAGMENTS = 64
NEXT_NUMBER = "nearkin.next_number"


class ExampleLog:
    """The events on disk, at their newest version. There is no dataset before the first event.

    In a local folder one process at a time may write: the gallery's lock sees to it. On an object store appends do not
    disturb each other; numbers are handed out through the dataset's configuration, whose changes do.

    Args:
        uri: of the Lance dataset.
        storage: options of the object store; None for a local folder.
        shared: whether other machines may write at the same time.
    """

    def __init__(self, uri: str, storage: dict[str, str] | None = None, *, shared: bool = False) -> None:
        self.uri = uri
        self._storage = storage
        self._shared = shared
        self._dataset: lance.LanceDataset | None = None
        self._read = AppendedRows(LIGHT)
        self._rows = _light().empty_table()
        # Another number when not only further rows have come since.
        self.epoch = 0

    def rows(self) -> pa.Table:
        """All events but their pictures, in the order of their numbers. Only what is new is read."""
        dataset = self._newest()
        if dataset is None:
            return self._rows
        with lance_errors("examples of classes"):
            stands, new = self._read.news(dataset)
        if new is not None:
            before = self._rows
            new = _completed(new)
            self._rows = _sorted(pa.concat_tables([before, new]) if stands else new)
            last = before["number"][-1].as_py() if len(before) else 0
            if not stands or (len(new) and pc.min(new["number"]).as_py() <= last):
                self.epoch += 1
        return self._rows

    def pictures(self, numbers: Sequence[int]) -> dict[int, bytes | None]:
        """The kept pictures of events by their numbers."""
        dataset = self._newest()
        if dataset is None or not numbers:
            return {}
        with lance_errors("examples of classes"):
            found = dataset.to_table(columns=["number", "picture"], filter=any_of("number", numbers))
        return dict(zip(found["number"].to_pylist(), found["picture"].to_pylist(), strict=True))

    def append(self, rows: Sequence[Mapping[str, Any]], *, change: int | None = None) -> range:
        """Append events of one call in one commit. In a local folder nobody else may write meanwhile.

        Args:
            rows: columns but `number`, `change` and `at`.
            change: number of the call's first event, if some are written already.

        Returns:
            The numbers of the events.
        """
        numbers = self._reserve(len(rows))
        now = datetime.now(UTC)
        whole = [
            {**row, "number": number, "change": change or numbers[0], "at": now}
            for number, row in zip(numbers, rows, strict=True)
        ]
        table = pa.Table.from_pylist(whole, schema=SCHEMA)
        with lance_errors("examples of classes"):
            dataset = self._newest()
            assert dataset is not None
            if further := [each for each in SCHEMA if each.name not in dataset.schema.names]:
                dataset.add_columns(further)
            self._dataset = lance.write_dataset(table, dataset, mode="append")
            self._compact_if_due()
        return numbers

    def delete(self, numbers: Sequence[int]) -> int:
        """Remove events for good: no earlier version is left that has them. Says how many."""
        dataset = self._newest()
        if dataset is None or not numbers:
            return 0
        with lance_errors("examples of classes"):
            count = 0
            # No number is given twice.
            self._configure(int(self.rows()["number"][-1].as_py()) + 1)
            for start in range(0, len(numbers), 1000):
                some = any_of("number", numbers[start : start + 1000])
                count += dataset.delete(some, conflict_retries=ATTEMPTS)["num_deleted_rows"]
            # Rows that are only marked as deleted still lie in their files.
            dataset.optimize.compact_files(target_rows_per_fragment=FRAGMENT_ROWS, materialize_deletions_threshold=0.0)
            self.clean_up(timedelta(0))
        return count

    def clean_up(self, grace: timedelta = GRACE) -> None:
        """Delete versions that were superseded longer ago than the grace, and what killed writers left behind."""
        dataset = self._newest()
        if dataset is None:
            return
        with lance_errors("examples of classes"):
            versions, horizon = dataset.versions(), datetime.now() - grace
            old = [one["version"] for one, new in pairwise(versions) if cast(datetime, new["timestamp"]) <= horizon]
            if old:
                dataset.cleanup_old_versions(versions=old, delete_unverified=not self._shared)

    def compact(self) -> None:
        """Bring the rows of small fragments together."""
        if (dataset := self._newest()) is not None:
            with lance_errors("examples of classes"):
                dataset.optimize.compact_files(target_rows_per_fragment=FRAGMENT_ROWS)
                self.clean_up()

    def _compact_if_due(self) -> None:
        assert self._dataset is not None
        small = sum(part.physical_rows < FRAGMENT_ROWS for part in self._dataset.get_fragments())
        if small > SMALL_FRAGMENTS:
            try:
                self.compact()
            except ArtefactError:
                # On an object store another writer may be faster; then it is for the next write to do.
                if not self._shared:
                    raise

    def _reserve(self, count: int) -> range:
        """Numbers that no other event has or will have."""
        with lance_errors("examples of classes"):
            if self._newest() is None:
                self._create()
            for _ in range(ATTEMPTS):
                dataset = self._newest()
                assert dataset is not None
                first = int(dataset.config().get(NEXT_NUMBER, "1"))
                if not self._shared:
                    # Nobody writes meanwhile: what is in the log tells, and one commit is saved.
                    rows = self.rows()
                    last = rows["number"][-1].as_py() if len(rows) else 0
                    return range(max(first, last + 1), max(first, last + 1) + count)
                try:
                    dataset.update_config({NEXT_NUMBER: str(first + count)})
                    return range(first, first + count)
                except OSError as error:
                    if "Incompatible transaction" not in str(error):
                        raise
        raise ArtefactError("other processes write to the class registry all the time: try again later")

    def _configure(self, number: int) -> None:
        dataset = self._newest()
        assert dataset is not None
        if int(dataset.config().get(NEXT_NUMBER, "1")) < number:
            dataset.update_config({NEXT_NUMBER: str(number)})

    def _create(self) -> None:
        try:
            self._dataset = lance.write_dataset(SCHEMA.empty_table(), self.uri, storage_options=self._storage)
        except OSError:
            # Another machine was faster.
            if self._newest() is None:
                raise

    def _newest(self) -> lance.LanceDataset | None:
        if self._dataset is not None:
            with lance_errors("examples of classes"):
                return self._read.latest(self._dataset, self.uri)
        if self._storage is None and "://" not in self.uri and not os.path.isdir(self.uri):  # noqa: PTH112
            return None
        try:
            self._dataset = lance.dataset(self.uri, storage_options=self._storage)
        except ValueError as error:
            if "not found" in str(error).lower():
                return None
            raise ArtefactError(f"'{self.uri}' is damaged: restore it ({str(error).partition(', /')[0]})") from error
        except OSError as error:
            raise ArtefactError(f"'{self.uri}' is damaged: restore it ({str(error).partition(', /')[0]})") from error
        return self._dataset


def _light() -> pa.Schema:
    return pa.schema([SCHEMA.field(name) for name in LIGHT])


def _completed(table: pa.Table) -> pa.Table:
    """With empty columns for what an earlier version of nearkin did not keep."""
    for field in _light():
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(len(table), field.type))
    return table.select(LIGHT)


def _sorted(table: pa.Table) -> pa.Table:
    numbers = table["number"].to_numpy()
    return table if (numbers[1:] > numbers[:-1]).all() else table.sort_by("number")
