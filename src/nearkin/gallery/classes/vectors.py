"""Vectors of examples, apart for each encoder: a vector follows from the encoder and what is kept of the example."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Int

from nearkin.gallery.classes.appended import AppendedRows
from nearkin.gallery.classes.copies import copy_keys
from nearkin.gallery.format import encoder_folder
from nearkin.gallery.items.store import FRAGMENT_ROWS, SMALL_FRAGMENTS, any_of, lance_errors
from nearkin.gallery.lance import lance
from nearkin.gallery.location import Location

FOLDER = "example_vectors"
# A part of so many of all keys is few.
_FEW = 16
# Pieces that the column of keys may have.
_CHUNKS = 64


def vectors_name(fingerprint: str) -> str:
    """The dataset of an encoder's vectors, in the gallery."""
    return f"{FOLDER}/{encoder_folder(fingerprint).partition('/')[2]}.lance"


class ExampleVectors:
    """The vectors of one encoder, by the keys of what they were made from. There is no dataset before the first one.

    Args:
        location: of the gallery.
        fingerprint: of the encoder.
        dim: its embedding dimension.
    """

    def __init__(self, location: Location, fingerprint: str, dim: int) -> None:
        self._uri = location.uri(vectors_name(fingerprint))
        self._storage = location.storage
        self._schema = pa.schema([("payload_key", pa.string()), ("vector", pa.list_(pa.float32(), dim))])
        self._dim = dim
        self._read = AppendedRows(["payload_key", "vector"])
        self._dataset: lance.LanceDataset | None = None
        self._keys = pa.chunked_array([], pa.string())
        # With room for more, so that one more vector does not copy all.
        self._buffer: Float[np.ndarray, "room dim"] = np.empty((0, dim), np.float32)
        self.vectors: Float[np.ndarray, "m dim"] = self._buffer

    def rows(self, keys: Any) -> Int[np.ndarray, " n"]:
        """For each key, of a list or an Arrow column, the row of its vector in `vectors`, -1 where there is none."""
        self._load()
        asked = pa.chunked_array([keys], pa.string()) if isinstance(keys, list) else keys
        if not len(asked) or not len(self._keys):
            return np.full(len(asked), -1)
        if len(asked) > len(self._keys) // _FEW:
            return _places(asked, self._keys)
        # Looking through all keys for a few takes less time than a table of all.
        distinct = asked.unique()
        found = np.full(len(distinct), -1)
        which = pc.fill_null(pc.index_in(self._keys, distinct), -1).to_numpy()
        rows = np.flatnonzero(which >= 0)[::-1]
        found[which[rows]] = rows
        return np.where((places := _places(asked, distinct)) >= 0, found[places], -1)

    def add(self, keys: Sequence[str], vectors: Float[np.ndarray, "n dim"]) -> None:
        """Keep vectors, in one commit. In a local folder nobody else may write meanwhile."""
        if not keys:
            return
        column = pa.FixedSizeListArray.from_arrays(vectors.reshape(-1), self._dim)
        table = pa.table([pa.array(keys, pa.string()), column], schema=self._schema)
        with lance_errors("vectors of examples"):
            self._load()
            if self._dataset is None:
                try:
                    self._dataset = lance.write_dataset(table, self._uri, storage_options=self._storage)
                except OSError:
                    # Another machine was faster.
                    self._dataset = lance.dataset(self._uri, storage_options=self._storage)
                    self._dataset = lance.write_dataset(table, self._dataset, mode="append")
            else:
                self._dataset = lance.write_dataset(table, self._dataset, mode="append")
            small = sum(part.physical_rows < FRAGMENT_ROWS for part in self._dataset.get_fragments())
            if small > SMALL_FRAGMENTS:
                self._dataset.optimize.compact_files(target_rows_per_fragment=FRAGMENT_ROWS)
                self._dataset.cleanup_old_versions()

    def _load(self) -> None:
        """What was added since, by whichever process."""
        with lance_errors("vectors of examples"):
            if self._dataset is None:
                try:
                    self._dataset = lance.dataset(self._uri, storage_options=self._storage)
                except ValueError:
                    return
            self._read.latest(self._dataset, self._uri)
            stands, new = self._read.news(self._dataset)
            if new is None:
                return
            count = len(self.vectors) if stands else 0
            total = count + len(new)
            chunks = [*(self._keys.chunks if stands else ()), *new["payload_key"].chunks]
            self._keys = pa.chunked_array(chunks, pa.string())
            if self._keys.num_chunks > _CHUNKS:
                self._keys = pa.chunked_array([self._keys.combine_chunks()])
            if len(self._buffer) < total or not stands:
                # Views of the old one may be in use.
                larger = np.empty((total + total // 4 + 16, self._dim), np.float32)
                larger[:count] = self._buffer[:count]
                self._buffer = larger
            start = count
            for part in new["vector"].chunks:
                self._buffer[start : start + len(part)] = part.flatten().to_numpy().reshape(-1, self._dim)
                start += len(part)
            self.vectors = self._buffer[:total]


def _places(keys: pa.ChunkedArray, among: pa.Array | pa.ChunkedArray) -> Int[np.ndarray, " n"]:
    """Where each key is found first, -1 where it is not."""
    places: Int[np.ndarray, " n"] = pc.fill_null(pc.index_in(keys, among), -1).to_numpy().astype(np.int64)
    return places


def delete_vectors(location: Location, keys: Sequence[str]) -> None:
    """Remove vectors of all encoders for good, and those of copies. Nobody else may write meanwhile."""
    names = [each for key in keys for each in (key, *copy_keys(key))]
    for folder in location.folders(FOLDER):
        with lance_errors("vectors of examples"):
            dataset = lance.dataset(location.uri(f"{FOLDER}/{folder}"), storage_options=location.storage)
            for start in range(0, len(names), 1000):
                dataset.delete(any_of("payload_key", names[start : start + 1000]))
            # Rows that are only marked as deleted still lie in their files.
            dataset.optimize.compact_files(materialize_deletions_threshold=0.0)
            dataset.cleanup_old_versions(older_than=timedelta(0), delete_unverified=not location.shared)
