"""The record of truth: a Lance dataset of items. Every write is one atomic commit that makes a new version."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import cast

import lance
import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int

from nearkin.errors import ArtefactError
from nearkin.gallery.columns import ID, VECTOR, item_schema

# Fragments of this many rows are left alone: adding one picture to a million must not rewrite them all.
FRAGMENT_ROWS = 1 << 16
# Smaller ones are merged when there are more than this.
SMALL_FRAGMENTS = 64
# A version stays readable this long after a newer one took its place, for readers that are still at it.
GRACE = timedelta(minutes=1)


@contextmanager
def _lance_errors() -> Iterator[None]:
    """Lance's own errors as ours: files missing, damaged or forbidden, disk full."""
    try:
        yield
    except OSError as error:
        # Behind this comma stands a line of Lance's source.
        raise ArtefactError(
            f"the gallery's items cannot be read or written: {str(error).partition(', /')[0]}"
        ) from error


class Snapshot:
    """One version of the items, which nothing that is written later changes. Rows are numbered from 0.

    Args:
        dataset: at this version; nobody else may move it to another.
    """

    def __init__(self, dataset: lance.LanceDataset) -> None:
        self._dataset = dataset
        self.version: int = dataset.version
        self.schema: pa.Schema = dataset.schema

    @_lance_errors()
    def __len__(self) -> int:
        return self._dataset.count_rows()

    @_lance_errors()
    def read(self, columns: Sequence[str]) -> pa.Table:
        """These columns of all rows, in order."""
        return self._dataset.to_table(columns=list(columns), scan_in_order=True)

    @_lance_errors()
    def take(self, rows: Sequence[int] | Int[np.ndarray, " n"], columns: Sequence[str]) -> pa.Table:
        """These columns of some rows, in the order asked for."""
        return self._dataset.take([int(row) for row in rows], columns=list(columns))

    @_lance_errors()
    def vectors(self) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, "n dim"]]:
        """Ids and vectors of all rows."""
        ids = np.empty(len(self), dtype=np.int64)
        vectors = np.empty((len(self), self.schema.field(VECTOR).type.list_size), dtype=np.float32)
        start = 0
        # Batch by batch: the vectors may fill half of the memory.
        for batch in self._dataset.to_batches(columns=[ID, VECTOR], scan_in_order=True):
            part = slice(start, start + len(batch))
            ids[part] = batch[ID].to_numpy()
            vectors[part] = batch[VECTOR].flatten().to_numpy().reshape(len(batch), -1)
            start = part.stop
        return ids, vectors


class Store:
    """The items on disk, at their newest version.

    Reading needs no care. One process at a time may write: the gallery's lock sees to it.

    Args:
        path: folder of the Lance dataset.

    Raises:
        ArtefactError: missing or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._dataset = self._open()

    @staticmethod
    def create(path: Path, dim: int) -> "Store":
        """A store without items, for vectors of `dim` numbers."""
        lance.write_dataset(item_schema(dim).empty_table(), path)
        return Store(path)

    @property
    @_lance_errors()
    def version(self) -> int:
        """The newest version on disk, whoever wrote it."""
        return self._dataset.latest_version

    @_lance_errors()
    def snapshot(self) -> Snapshot:
        """The newest version on disk."""
        return Snapshot(self._open())

    @_lance_errors()
    def add_columns(self, schema: pa.Schema) -> None:
        """Those columns of the schema that are missing, null in every row."""
        self._dataset.checkout_latest()
        missing = [field for field in schema if field.name not in self._dataset.schema.names]
        if missing:
            self._dataset.add_columns(pa.schema(missing))

    @_lance_errors()
    def append(self, rows: pa.Table) -> None:
        """Add rows whose ids are new."""
        self._dataset = lance.write_dataset(rows, self._dataset, mode="append")
        self._compact_if_due()

    @_lance_errors()
    def upsert(self, rows: pa.Table) -> None:
        """Replace the rows whose ids there are, and add the others."""
        self._dataset.checkout_latest()
        self._dataset.merge_insert(ID).when_matched_update_all().when_not_matched_insert_all().execute(rows)
        self._compact_if_due()

    @_lance_errors()
    def clean_up(self, grace: timedelta = GRACE) -> None:
        """Delete versions that were superseded longer ago than the grace, and what killed writers left behind."""
        versions, horizon = self._dataset.versions(), datetime.now() - grace
        superseded = [old["version"] for old, new in pairwise(versions) if cast(datetime, new["timestamp"]) < horizon]
        if superseded:
            # Unverified files belong to no version: left by a killed writer, for no other one is at work.
            self._dataset.cleanup_old_versions(versions=superseded, delete_unverified=True)

    def _compact_if_due(self) -> None:
        fragments = self._dataset.get_fragments()
        small = sum(fragment.physical_rows < FRAGMENT_ROWS for fragment in fragments)
        deleted = sum(fragment.num_deletions for fragment in fragments)
        if small > SMALL_FRAGMENTS or 10 * deleted > sum(fragment.physical_rows for fragment in fragments):
            self._dataset.optimize.compact_files(target_rows_per_fragment=FRAGMENT_ROWS)
            self.clean_up()

    def _open(self) -> lance.LanceDataset:
        try:
            return lance.dataset(self.path)
        except (ValueError, OSError) as error:
            raise ArtefactError(f"'{self.path}' is missing or damaged: restore it, or index anew ({error})") from error
