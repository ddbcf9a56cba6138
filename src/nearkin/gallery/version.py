"""One version of a gallery: its items, the index over their vectors, and what is found in them."""

import shutil
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int

from nearkin.calibration.words import WordCalibration
from nearkin.errors import InvalidInput
from nearkin.gallery.cache import find_invalid
from nearkin.gallery.filters.syntax import check_text
from nearkin.gallery.hits import ChanceLimit, Hits, Item, Limit, as_frame
from nearkin.gallery.index.index_with_changes import IndexWithChanges
from nearkin.gallery.index.info import IndexInfo
from nearkin.gallery.index.rebuilder import IndexRebuilder
from nearkin.gallery.items.columns import ID, THUMBNAIL, VECTOR, shown_names
from nearkin.gallery.items.records import Records
from nearkin.gallery.items.store import Snapshot

if TYPE_CHECKING:
    import pandas

# Folders of the cache.
INDEXES, RECORDS = "indexes", "records"
# Filters whose results are kept in memory.
MAX_FILTERS = 16
# From this cosine on two pictures are copies; so many further copies of a picture are looked for.
SAME_PICTURE, SPARE_COPIES = 0.998, 2


class GalleryVersion:
    """One version of a gallery's items, with the index over their vectors. Later writes do not change it.

    Args:
        snapshot: the items.
        cache: folder for files that can be made again from the items.
        rebuilder: provides the index.
    """

    def __init__(self, snapshot: Snapshot, cache: Path, rebuilder: IndexRebuilder) -> None:
        self.snapshot = snapshot
        self._cache = cache
        self._rebuilder = rebuilder
        self._allowed: dict[str, Bool[np.ndarray, " n"]] = {}
        self._best_of_captions: dict[tuple, tuple[np.ndarray, int]] = {}

    @cached_property
    def index(self) -> IndexWithChanges:
        """The index that searches use; loaded, or else built, when first needed."""
        return self._rebuilder.index(self.snapshot)

    @property
    def index_info(self) -> IndexInfo:
        """What there is to say about the index; it is neither built nor loaded for that."""
        if "index" in self.__dict__:
            return IndexInfo.of(self.index, self._rebuilder.recall(self.index))
        return self._rebuilder.info(self.snapshot)

    @cached_property
    def ids(self) -> Int[np.ndarray, " n"]:
        """Ids of the items, row by row."""
        return self.index.ids if "index" in self.__dict__ else self.snapshot.ids()

    @cached_property
    def records(self) -> Records:
        """The shown columns of the items, by row; fast, from a copy in the cache."""
        return Records(self.snapshot, self._cache / RECORDS)

    def search(
        self,
        queries: Float[np.ndarray, "q dim"],
        k: int,
        *,
        offset: int = 0,
        threshold: float = -np.inf,
        where: str | None = None,
        excluded: Sequence[Set[int]] | None = None,
        limits: Sequence[Limit] | None = None,
    ) -> list[Hits]:
        """For each query the items with the most similar vectors, best first; of equal scores the lower id first.

        Args:
            queries: unit vectors.
            k, offset, threshold, where: see `GalleryReader.search`.
            excluded: for each query ids that are no hits.
            limits: for each query a calibrated threshold that its hits reach.
        """
        allowed = None if where is None else self._passes(where)
        excluded = excluded or [frozenset()] * len(queries)
        spare = max(map(len, excluded), default=0)
        scores, rows = self.index.search(queries, min(k + offset + spare, len(self.ids)), allowed)
        searched = len(self.ids) if allowed is None else int(np.count_nonzero(allowed))
        every_limit: Sequence[Limit | None] = limits or [None] * len(queries)
        found = []
        for own_scores, own_rows, own_excluded, limit in zip(scores, rows, excluded, every_limit, strict=True):
            least = threshold if limit is None else max(threshold, limit.threshold)
            # Where there are too few items, scores end in -inf at row -1.
            kept = (own_rows >= 0) & (own_scores >= least)
            if own_excluded:
                kept &= ~np.isin(self.ids[own_rows], list(own_excluded))
            page = np.flatnonzero(kept)[offset : offset + k]
            if isinstance(limit, ChanceLimit):
                limit = replace(limit, compared=searched - len(own_excluded))
            found.append(self._hits(own_rows[page], own_scores[page], limit))
        return found

    def best_without(
        self,
        queries: Float[np.ndarray, "q dim"],
        own: Float[np.ndarray, "n dim"],
        own_of: Int[np.ndarray, "q most"],
        where: str | None = None,
    ) -> tuple[Float[np.ndarray, " q"], int]:
        """The best score of each query with an item that is none of its own pictures, nor a copy of one.

        Args:
            queries: unit vectors.
            own: unit vectors of pictures.
            own_of: for each query the rows of its own ones, -1 where there are fewer.
            where: only among items that pass this filter.

        Returns:
            Scores, -inf where no other item is left; and how many items there were.
        """
        allowed = None if where is None else self._passes(where)
        there = len(self.ids) if allowed is None else int(np.count_nonzero(allowed))
        k = min(1 + own_of.shape[1] + SPARE_COPIES, len(self.ids))
        scores, rows = self.index.search(queries, k, allowed)
        found = self.index.vectors(rows.clip(min=0).reshape(-1)).reshape(*rows.shape, -1)
        mine = own[own_of] * (own_of >= 0)[..., None]
        copies = (np.einsum("qkd,qmd->qkm", found, mine) >= SAME_PICTURE).any(2)
        scores = np.where((rows >= 0) & ~copies, scores, -np.inf)
        return scores.max(axis=1, initial=-np.inf), there

    def best_of_captions(
        self, calibration: WordCalibration, language: str, where: str | None
    ) -> tuple[Float[np.ndarray, " q"], int]:
        """As `best_without`, of the calibration's captions in a language; measured once."""
        key = (calibration.fingerprint, id(calibration), language, where)
        if key not in self._best_of_captions:
            chosen = calibration.of_language(language)
            self._best_of_captions[key] = self.best_without(
                calibration.texts[chosen], calibration.pictures, calibration.picture_of[chosen], where
            )
        return self._best_of_captions[key]

    def rows_of(self, ids: Sequence[int] | Int[np.ndarray, " m"]) -> Int[np.ndarray, " m"]:
        """Rows of items.

        Raises:
            InvalidInput: no item has one of the ids.
        """
        asked = np.asarray(ids, dtype=np.int64)
        if not len(self.ids) and len(asked):
            raise InvalidInput(f"no item has the id {asked[0]}: the gallery is empty")
        order = self._by_id
        positions = np.searchsorted(self.ids, asked, sorter=order).clip(max=max(0, len(order) - 1))
        rows = order[positions]
        missing = asked[self.ids[rows] != asked]
        if len(missing):
            more = f" ({len(missing)} ids are unknown)" if len(missing) > 1 else ""
            raise InvalidInput(f"no item has the id {missing[0]}{more}: take ids from hits")
        return rows

    def items(self, ids: Int[np.ndarray, " m"]) -> list[Item]:
        """Items by their ids. Nothing is written, not even into the cache.

        Raises:
            InvalidInput: no item has one of the ids.
        """
        table = self.snapshot.take(self.rows_of(ids), shown_names(self.snapshot.schema))
        return [self._item(record) for record in table.to_pylist()]

    def all_items(self, where: str | None = None) -> Iterator[Item]:
        """Items row by row. Nothing is written."""
        for batch in self.snapshot.batches(shown_names(self.snapshot.schema), where):
            yield from map(self._item, batch.to_pylist())

    def frame(self, where: str | None, *, vectors: bool) -> "pandas.DataFrame":
        """Items as a data frame; see `GalleryReader.to_pandas`."""
        names = shown_names(self.snapshot.schema)
        stored = self.snapshot.vector_column
        rows = []
        for batch in self.snapshot.batches([*names, stored] if vectors else names, where):
            records = batch.select(names).to_pylist()
            if vectors:
                matrix = batch[stored].flatten().to_numpy().reshape(len(batch), -1)
                records = [{**record, VECTOR: vector} for record, vector in zip(records, matrix, strict=True)]
            rows += [{"id": record.pop(ID), **record, "captions": record["captions"] or []} for record in records]
        return as_frame(rows, ["id", *names[1:], *([VECTOR] if vectors else [])])

    def _item(self, record: Mapping[str, Any]) -> Item:
        item = Item.of(record)
        item._with_thumbnail(lambda: self.thumbnail(item.id))
        return item

    def vectors(self, ids: Sequence[int] | Int[np.ndarray, " m"]) -> Float[np.ndarray, "m dim"]:
        """Vectors of items. Nothing is written, not even into the cache.

        Raises:
            InvalidInput: no item has one of the ids.
        """
        rows = self.rows_of(ids)
        return self.index.vectors(rows) if "index" in self.__dict__ else self.snapshot.vectors(rows)

    def hashes(self, ids: Sequence[int] | Int[np.ndarray, " m"]) -> list[str]:
        """Hashes of items as strings of 0 and 1.

        Raises:
            InvalidInput: no item has one of the ids, or the index has no hashes.
        """
        return self.index.index.hashes(self.vectors(ids))

    def buckets(self, length: int) -> dict[str, list[int]]:
        """Ids of the items whose hashes share their first bits, by these bits; the largest bucket first.

        Raises:
            InvalidInput: the index has no hashes, or hashes of fewer bits.
        """
        return {prefix: self.ids[rows].tolist() for prefix, rows in self.index.buckets(length).items()}

    def thumbnail(self, id: int) -> bytes | None:
        """The thumbnail of an item, encoded; None if there is none."""
        return self.snapshot.take(self.rows_of([id]), [THUMBNAIL])[THUMBNAIL][0].as_py()

    def repair(self) -> list[str]:
        """Remove files of the cache that do not match the items, and build the index again; returns their names."""
        wrong = find_invalid(self._cache / INDEXES, self.snapshot)
        for folder in wrong:
            shutil.rmtree(folder, ignore_errors=True)
        if wrong:
            self._rebuilder.build(self.snapshot)
        return [*map(str, wrong), *self.records.repair()]

    @cached_property
    def _by_id(self) -> Int[np.ndarray, " n"]:
        return np.argsort(self.ids, kind="stable")

    def _passes(self, where: str) -> Bool[np.ndarray, " n"]:
        """Which rows pass a filter."""
        if check_text(where) not in self._allowed:
            allowed = np.zeros(len(self.ids), dtype=bool)
            allowed[self.rows_of(self.snapshot.ids_where(where))] = True
            while len(self._allowed) >= MAX_FILTERS:
                self._allowed.pop(next(iter(self._allowed)))
            self._allowed[where] = allowed
        return self._allowed[where]

    def _hits(self, rows: Int[np.ndarray, " k"], scores: Float[np.ndarray, " k"], limit: Limit | None) -> Hits:
        ids = self.ids[rows]
        return Hits(
            ids,
            scores,
            lambda position: Item.of(self.records[int(rows[position])]),
            thumbnail=lambda position: self.thumbnail(int(ids[position])),
            limit=limit,
        )
