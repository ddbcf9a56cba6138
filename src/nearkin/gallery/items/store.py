"""The record of truth: a Lance dataset of items. Every write is one atomic commit that makes a new version.

The dataset's configuration holds what must change together with the rows: the encoder, the next free id, the index.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any, cast
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Int

from nearkin.arrow import import_pandas_for
from nearkin.errors import ArtefactError, InvalidInput
from nearkin.gallery.filters.condition import checked_filter, fails_on_an_item
from nearkin.gallery.items.columns import ENCODER_KEY, ID, NEXT_VECTOR, VECTOR, item_schema, shown_names
from nearkin.gallery.lance import lance

# Fragments of this many rows are left alone: adding one picture to a million must not rewrite them all.
FRAGMENT_ROWS = 1 << 16
# Smaller ones are merged when there are more than this.
SMALL_FRAGMENTS = 64
# A version stays readable this long after a newer one took its place, for readers that are still at it.
GRACE = timedelta(minutes=1)
# Times that a write is tried again because another process was faster.
ATTEMPTS = 20
# And how long it does so.
PATIENCE = timedelta(minutes=5)

# What Lance's errors say where a filter is at fault, and not the disk.
_OF_FILTERS = ("Invalid user input", "Error applying filter expression")

# Where Lance keeps a file for each version.
VERSIONS = "_versions"
# Nanoseconds in which the clock of any file system moves on.
_TICK = 2_000_000_000

ENCODER, NEXT_ID, INDEX = "nearkin.encoder", "nearkin.next_id", "nearkin.index"


@contextmanager
def lance_errors(what: str = "items") -> Iterator[None]:
    """Lance's own errors as ours: files missing, damaged or forbidden, disk full."""
    try:
        yield
    # ArrowInvalid comes through Arrow's reader of batches.
    except (OSError, pa.ArrowInvalid) as error:
        # Behind this comma stands a line of Lance's source.
        raise ArtefactError(
            f"the gallery's {what} cannot be read or written: {str(error).partition(', /')[0]}"
        ) from error


def any_of(column: str, values: Iterable[int] | Iterable[str]) -> str:
    """The condition that a column has one of these values.

    Example:
        >>> any_of("uri", ["it's.png"]), any_of("item_id", [])
        ("uri IN ('it''s.png')", 'false')
    """
    listed = [str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'" for value in values]
    return f"{column} IN ({', '.join(listed)})" if listed else "false"


class Snapshot:
    """One version of the items, which nothing that is written later changes. Rows are numbered from 0.

    Args:
        dataset: at this version; nobody else may move it to another.
    """

    def __init__(self, dataset: lance.LanceDataset) -> None:
        self._dataset = dataset
        self.version: int = dataset.version
        self.schema: pa.Schema = dataset.schema
        import_pandas_for(self.schema)
        self.settings: Mapping[str, str] = dataset.config()
        self.encoder: str = self.settings[ENCODER]
        # While the gallery changes over to another encoder there are two columns of vectors.
        self.vector_column: str = next(
            field.name for field in self.schema if (field.metadata or {}).get(ENCODER_KEY) == self.encoder.encode()
        )
        self.dim: int = self.schema.field(self.vector_column).type.list_size

    def __len__(self) -> int:
        return self._count

    @cached_property
    @lance_errors()
    def _count(self) -> int:
        return self._dataset.count_rows()

    @property
    def columns(self) -> dict[str, str]:
        """Names and types of the columns that can be asked for."""
        return {name: str(self.schema.field(name).type) for name in shown_names(self.schema)}

    @property
    def fragments(self) -> list[lance.fragment.LanceFragment]:
        """The pieces that rows are stored in, in the order of the rows."""
        return self._dataset.get_fragments()

    @lance_errors()
    def read(self, columns: Sequence[str], fragment: lance.fragment.LanceFragment | None = None) -> pa.Table:
        """These columns of all rows, or of those of a fragment, in order."""
        fragments = None if fragment is None else [fragment]
        return self._dataset.scanner(columns=list(columns), fragments=fragments, scan_in_order=True).to_table()

    @lance_errors()
    def take(self, rows: Sequence[int] | Int[np.ndarray, " n"], columns: Sequence[str]) -> pa.Table:
        """These columns of some rows, in the order asked for."""
        return self._dataset.take([int(row) for row in rows], columns=list(columns))

    def batches(
        self, columns: Sequence[str], where: str | None = None, *, size: int = 8192
    ) -> Iterator[pa.RecordBatch]:
        """These columns of the rows that pass a filter, batch by batch, in order."""
        condition = None if where is None else self.condition(where)
        with _filter_errors(where):
            yield from self._dataset.to_batches(
                columns=list(columns), filter=condition, batch_size=size, scan_in_order=True
            )

    def ids_where(self, where: str) -> Int[np.ndarray, " n"]:
        """Ids of the items that pass a filter.

        Raises:
            InvalidInput, UnknownName: as in `checked_filter`.
        """
        parts = [batch[ID].to_numpy() for batch in self.batches([ID], where, size=1 << 17)]
        return np.concatenate([np.empty(0, np.int64), *parts])

    @lance_errors()
    def ids_by(self, column: str, values: Sequence[str]) -> dict[str, set[int]]:
        """For each value of a column of text, such as a uri, the ids of the items that have it."""
        found: dict[str, set[int]] = {value: set() for value in values}
        if found:
            table = self._dataset.to_table(columns=[ID, column], filter=any_of(column, found))
            for id, value in zip(table[ID].to_pylist(), table[column].to_pylist(), strict=True):
                found[value].add(id)
        return found

    def condition(self, where: str) -> str:
        """The filter in a form that Lance may be given, checked.

        Raises:
            InvalidInput, UnknownName: as in `checked_filter`; the filter computes what has no value for an item.
        """
        checked = checked_filter(where, {name: self.schema.field(name).type for name in shown_names(self.schema)})
        for guard in checked.guards:
            with _filter_errors(where):
                count = self._dataset.count_rows(filter=guard.sql)
            if count:
                raise InvalidInput(f'where "{where}": {guard.reason} ({count:,} item{"s" if count > 1 else ""})')
        return checked.sql

    @property
    def identity(self) -> str:
        """Of the rows and their vectors: versions of one identity hold the same ones, in the same order."""
        # The names of Lance's files are never used again, in no other dataset either.
        files = [([file.path for file in part.data_files()], part.deletion_file()) for part in self.fragments]
        return blake2b(repr((self.encoder, files)).encode(), digest_size=16).hexdigest()

    def ids(self) -> Int[np.ndarray, " n"]:
        """Of all rows, in order."""
        return self.read([ID])[ID].to_numpy()

    def marks(self) -> Int[np.ndarray, " n"]:
        """A number for each row that changes when its vector does."""
        column = self.read(["content_hash"])["content_hash"]
        # The first 8 of 32 hex digits, as the number that their characters are.
        digits = np.array(pc.utf8_slice_codeunits(column, 0, 8)).astype("S8")
        return digits.view(np.int64) ^ crc32(self.encoder.encode())

    def vectors(self, rows: Int[np.ndarray, " m"] | None = None) -> Float[np.ndarray, "m dim"]:
        """Of some rows, or of all."""
        name = self.vector_column
        if rows is not None:
            return self.take(rows, [name])[name].combine_chunks().flatten().to_numpy().reshape(-1, self.dim)
        vectors = np.empty((len(self), self.dim), dtype=np.float32)
        start = 0
        # Batch by batch: the vectors may fill half of the memory.
        for batch in self.batches([name]):
            vectors[start : start + len(batch)] = batch[name].flatten().to_numpy().reshape(len(batch), -1)
            start += len(batch)
        return vectors


@contextmanager
def _filter_errors(where: str | None) -> Iterator[None]:
    """What a filter fails at, such as a text that is no number; else Lance's own errors."""
    with lance_errors():
        try:
            yield
        # ValueError is how Lance refuses a filter, ArrowInvalid how one fails on a row; OSError how its
        # constants do, and how it fails on a row when rows are counted.
        except (ValueError, OSError) as error:
            of_filter = isinstance(error, ValueError) or any(sign in str(error) for sign in _OF_FILTERS)
            if where is None or not of_filter or "LanceError(IO)" in str(error):
                raise
            raise fails_on_an_item(where, error) from error


def _changed_at(folder: Path) -> int | None:
    """When a file of a folder came or went last, in nanoseconds; None where that cannot be told."""
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return None


class Store:
    """The items on disk, at their newest version.

    Reading needs no care. In a local folder one process at a time may write: the gallery's lock sees to it. On an
    object store Lance refuses what cannot be brought together with what others wrote, and the write is tried again.

    Args:
        uri: of the Lance dataset.
        storage: options of the object store; None for a local folder.

    Raises:
        ArtefactError: missing or damaged.
    """

    def __init__(self, uri: str, storage: dict[str, str] | None = None, *, shared: bool = False) -> None:
        self.uri = uri
        self.shared = shared
        self._storage = storage
        self._dataset = self._open()
        # When the folder of versions changed last, if that was long ago, and the newest version then.
        self._settled: tuple[int | None, int] = (None, 0)

    @staticmethod
    def create(
        uri: str, encoder: str, dim: int, storage: dict[str, str] | None = None, *, shared: bool = False
    ) -> "Store":
        """A store without items, for an encoder's vectors of `dim` numbers."""
        empty = item_schema(encoder, dim).empty_table()
        with lance_errors():
            try:
                dataset = lance.write_dataset(empty, uri, storage_options=storage)
            except OSError:
                # On an object store a killed process may have left one, of no gallery.
                dataset = lance.write_dataset(empty, uri, mode="overwrite", storage_options=storage)
            dataset.update_config({ENCODER: encoder, NEXT_ID: "0"})
        return Store(uri, storage, shared=shared)

    @property
    @lance_errors()
    def version(self) -> int:
        """The newest version on disk, whoever wrote it."""
        changed = None if self.shared else _changed_at(Path(self.uri, VERSIONS))
        if changed is None or changed != self._settled[0]:
            latest = self._dataset.latest_version
            # Two changes within a tick of the clock have one time, so that a fresh one proves nothing.
            old = changed is not None and time.time_ns() - changed > _TICK
            self._settled = (changed if old else None, latest)
        return self._settled[1]

    @lance_errors()
    def snapshot(self) -> Snapshot:
        """The newest version on disk."""
        return Snapshot(self._open())

    def reserve_ids(self, count: int) -> range:
        """Ids that nobody else will get, now or later."""
        for _ in range(ATTEMPTS):
            first = int(self.newest().config()[NEXT_ID])
            if self._configure({NEXT_ID: str(first + count)}):
                return range(first, first + count)
        raise ArtefactError("other processes write to the gallery all the time: try again later")

    def configure(self, settings: Mapping[str, str]) -> None:
        """Change settings; the last of several writers wins."""
        for _ in range(ATTEMPTS):
            self.newest()
            if self._configure(settings):
                return
        raise ArtefactError("other processes write to the gallery all the time: try again later")

    @lance_errors()
    def add_columns(self, schema: pa.Schema) -> None:
        """Those columns of the schema that are missing, null in every row."""
        names = self.newest().schema.names
        missing = [field for field in schema if field.name not in names]
        if missing:
            self._dataset.add_columns(pa.schema(missing))

    @lance_errors()
    def append(self, rows: pa.Table) -> None:
        """Add rows whose uris are new."""
        if self.shared:
            # Somebody else may be adding the same uris.
            self.upsert(rows)
            return
        self._dataset = lance.write_dataset(rows, self.newest(), mode="append")
        self._compact_if_due()

    @lance_errors()
    def upsert(self, rows: pa.Table) -> None:
        """Replace the rows whose uris there are, and add the others. A uri keeps the id that it got first."""
        merge = self.newest().merge_insert("uri").conflict_retries(ATTEMPTS).retry_timeout(PATIENCE)
        merge.when_matched_update_all(f"source.{ID} = target.{ID}").when_not_matched_insert_all().execute(rows)
        self._compact_if_due()

    @lance_errors()
    def change_by_id(self, rows: pa.Table) -> None:
        """Set the columns of a table in the items whose ids it has, in one commit. Other ids add nothing."""
        merge = self.newest().merge_insert(ID).conflict_retries(ATTEMPTS).retry_timeout(PATIENCE)
        merge.when_matched_update_all().execute(rows)
        self._compact_if_due()

    @lance_errors()
    def delete(self, condition: str) -> int:
        """Delete the rows that meet a condition, in one commit; says how many."""
        count = self.newest().delete(condition, conflict_retries=ATTEMPTS, retry_timeout=PATIENCE)["num_deleted_rows"]
        self._compact_if_due()
        return count

    @lance_errors()
    def update(self, values: Mapping[str, str], condition: str) -> int:
        """Set columns to SQL expressions where a condition holds, in one commit; says in how many rows."""
        count = self.newest().update(dict(values), condition, conflict_retries=ATTEMPTS, retry_timeout=PATIENCE)[
            "num_rows_updated"
        ]
        self._compact_if_due()
        return count

    @lance_errors()
    def change_encoder(self, vectors: pa.RecordBatchReader, encoder: str) -> None:
        """Replace all vectors. Readers see the old ones until a single commit; nobody else may write meanwhile.

        Args:
            vectors: one column named NEXT_VECTOR, one row for each row of the store, in order.
            encoder: the fingerprint of the encoder that made them.
        """
        self.newest().add_columns(vectors)
        self.configure({ENCODER: encoder})
        self.settle()

    @lance_errors()
    def restore(self, version: int) -> None:
        """Make an earlier version the newest one; nobody else may write meanwhile."""
        lance.dataset(self.uri, version=version, storage_options=self._storage).restore()
        self._keep_ids_used()

    def _keep_ids_used(self) -> None:
        """After a restore: ids that were given since the restored version are not free."""
        dataset = self.newest()
        transaction = dataset.read_transaction(dataset.version)
        if transaction is not None and isinstance(transaction.operation, lance.LanceOperation.Restore):
            before = lance.dataset(self.uri, version=dataset.version - 1, storage_options=self._storage)
            free = max(int(config[NEXT_ID]) for config in (before.config(), dataset.config()))
            self.configure({NEXT_ID: str(free)})

    @lance_errors()
    def settle(self) -> None:
        """Finish or take back a change of encoder, or a restore, in which a process was killed."""
        dataset = self.newest()
        self._keep_ids_used()
        if NEXT_VECTOR not in dataset.schema.names:
            return
        if Snapshot(dataset).vector_column == VECTOR:
            dataset.drop_columns([NEXT_VECTOR])
            return
        if VECTOR in dataset.schema.names:
            dataset.drop_columns([VECTOR])
        dataset.alter_columns(cast(Any, {"path": NEXT_VECTOR, "name": VECTOR}))

    @lance_errors()
    def clean_up(self, grace: timedelta = GRACE) -> None:
        """Delete versions that were superseded longer ago than the grace, and what killed writers left behind."""
        versions, horizon = self.newest().versions(), datetime.now() - grace
        superseded = [old["version"] for old, new in pairwise(versions) if cast(datetime, new["timestamp"]) < horizon]
        if superseded:
            # Unverified files belong to no version: left by a killed writer, unless another one is at work.
            # Versions with a tag stay; see `nearkin.gallery.items.history`.
            self._dataset.cleanup_old_versions(
                versions=superseded, delete_unverified=not self.shared, error_if_tagged_old_versions=False
            )

    def _compact_if_due(self) -> None:
        fragments = self._dataset.get_fragments()
        small = sum(fragment.physical_rows < FRAGMENT_ROWS for fragment in fragments)
        deleted = sum(fragment.num_deletions for fragment in fragments)
        if small > SMALL_FRAGMENTS or 10 * deleted > sum(fragment.physical_rows for fragment in fragments):
            # On an object store another writer may be faster; then it is for the next write to do.
            with suppress(OSError) if self.shared else lance_errors():
                self._dataset.optimize.compact_files(target_rows_per_fragment=FRAGMENT_ROWS)
                self.clean_up()

    def newest(self) -> lance.LanceDataset:
        """The dataset at its newest version."""
        self._dataset.checkout_latest()
        return self._dataset

    def _configure(self, settings: Mapping[str, str]) -> bool:
        """Whether the settings were changed, and not by another process at the same time."""
        try:
            self._dataset.update_config(dict(settings))
        except OSError as error:
            if "Incompatible transaction" not in str(error):
                raise ArtefactError(f"the gallery cannot be written: {str(error).partition(', /')[0]}") from error
            return False
        return True

    def _open(self) -> lance.LanceDataset:
        try:
            return lance.dataset(self.uri, storage_options=self._storage)
        except (ValueError, OSError) as error:
            raise ArtefactError(
                f"'{self.uri}' is missing or damaged: restore it, or index the pictures again "
                f"({str(error).partition(', /')[0]})"
            ) from error
