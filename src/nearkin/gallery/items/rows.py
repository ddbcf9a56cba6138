"""What an add writes: rows of new items, and of known ones with what has changed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Int

from nearkin.data.items import Broken, Items
from nearkin.gallery.items.columns import EDITED, ID, THUMBNAIL, VECTOR, stated_by
from nearkin.gallery.items.store import Store, any_of

Record = dict[str, Any]


@dataclass(frozen=True)
class AddSummary:
    """What became of the pictures of one `add`.

    Args:
        added: new ones.
        replaced: known ones whose content changed; embedded again under the same id.
        updated: known ones whose label, captions or metadata changed; not embedded again.
        unchanged: known ones that are as they were.
        skipped: those that could not be read, and why. What the gallery held of them stays.
        moved: known ones that were found at another path by their content; they keep their ids and labels.
        kept: known ones of which the source says something else than what was set by hand, which stays.
        gone: pictures of the gallery below the folder that was added which are no longer there; see `Gallery.prune`.
        pruned: how many of these were deleted.
        calibrated: whether the encoder's calibration was taken over, since the gallery's copy had another or none.
    """

    added: int = 0
    replaced: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: tuple[Broken, ...] = ()
    moved: int = 0
    kept: int = 0
    gone: tuple[str, ...] = ()
    pruned: int = 0
    calibrated: bool = False


@dataclass(frozen=True, eq=False)
class Change:
    """What an add has found out about an item.

    Args:
        row: of the item in what is added.
        old: the record that the store has, None of a new item.
        facts: of its content.
        vector: of new or changed content; None if it is as it was.
        thumbnail: of new or changed content, encoded.
    """

    row: int
    old: Record | None
    facts: Record
    vector: Float[np.ndarray, " dim"] | None = None
    thumbnail: bytes | None = None


class Rows:
    """The rows of one add.

    Args:
        items: what is added.
        store: gets the columns that it lacks.
        overwrite: take what the source says even where something else was set by hand.

    Raises:
        InvalidInput: an item occurs twice, or a column cannot be stored.
    """

    def __init__(self, items: Items, store: Store, *, overwrite: bool = False) -> None:
        self._overwrite = overwrite
        self._store = store
        self._stated = stated_by(items, store.snapshot().schema)
        store.add_columns(self._stated.schema)
        self._snapshot = store.snapshot()
        self._schema = self._snapshot.schema
        self.counts: Counter[str] = Counter()
        known = self._snapshot.read(["uri"])["uri"].combine_chunks()
        positions = pc.index_in(self._stated["uri"].combine_chunks(), value_set=known)
        # Rows of the known items in the store, -1 of the new ones.
        self._places: Int[np.ndarray, " n"] = pc.fill_null(positions, -1).to_numpy()
        # Read at once, since the version that they are of will not stay.
        names = [name for name in self._schema.names if name not in (VECTOR, THUMBNAIL)]
        self._known = self._snapshot.take(self._places[self._places >= 0], names)
        self._first = np.cumsum(self._places >= 0) - 1

    def old_records(self, rows: slice) -> list[Record | None]:
        """What the store has of these items, None of a new one."""
        positions = self._places[rows]
        known = iter(self._known.take(self._first[rows][positions >= 0]).to_pylist())
        return [None if position < 0 else next(known) for position in positions]

    def write(self, changes: Sequence[Change]) -> None:
        """Write what has changed, in one commit."""
        new = [change for change in changes if change.old is None]
        known = [change for change in changes if change.old is not None]
        self.counts["added"] += len(new)
        tables = [self._new_rows(new)] if new else []
        records = []
        for change, stated in zip(known, self._stated_rows(known).to_pylist(), strict=True):
            assert change.old is not None
            stated = self._without_edited(stated, change.old)
            record = {**change.old, **stated, **change.facts}
            self.counts[_outcome(change, stated)] += 1
            if change.vector is not None:
                records.append({**record, VECTOR: change.vector, THUMBNAIL: change.thumbnail})
            elif record != change.old:
                records.append(record)
        if records:
            tables.append(pa.Table.from_pylist(self._with_vectors(records), schema=self._schema))
            self._store.upsert(pa.concat_tables(tables))
        elif tables:
            self._store.append(tables[0])

    def summary(self, skipped: Sequence[Broken] = ()) -> AddSummary:
        """What has become of the items."""
        added, replaced, updated, unchanged = (
            self.counts[kind] for kind in ("added", "replaced", "updated", "unchanged")
        )
        return AddSummary(added, replaced, updated, unchanged, tuple(skipped), kept=self.counts["kept"])

    @cached_property
    def _free_ids(self) -> Int[np.ndarray, " n"]:
        """An id for each new item, in their order."""
        new = self._places < 0
        ids = np.full(len(new), -1, dtype=np.int64)
        ids[new] = self._store.reserve_ids(int(new.sum()))
        return ids

    def _without_edited(self, stated: Record, old: Record) -> Record:
        """What the source says of an item, but for what was set by hand."""
        edited = set(old.get(EDITED) or ()) & stated.keys()
        if not edited:
            return stated
        if self._overwrite:
            return {**stated, EDITED: sorted(set(old[EDITED]) - edited) or None}
        self.counts["kept"] += any(stated[name] != old[name] for name in edited)
        return {name: value for name, value in stated.items() if name not in edited}

    def _stated_rows(self, changes: Sequence[Change]) -> pa.Table:
        return self._stated.take(pa.array([change.row for change in changes], pa.int64()))

    def _new_rows(self, new: Sequence[Change]) -> pa.Table:
        stated = self._stated_rows(new)
        columns = {name: stated[name] for name in stated.column_names}
        columns[ID] = pa.array(self._free_ids[[change.row for change in new]])
        vectors = np.stack([change.vector for change in new]).astype(np.float32, copy=False)  # type: ignore[misc]
        columns[VECTOR] = pa.FixedSizeListArray.from_arrays(vectors.reshape(-1), vectors.shape[1])
        columns[THUMBNAIL] = pa.array([change.thumbnail for change in new], pa.binary())
        for name in new[0].facts:
            columns[name] = pa.array([change.facts[name] for change in new], self._schema.field(name).type)
        return pa.table(
            [columns.get(field.name, pa.nulls(len(new), field.type)) for field in self._schema], schema=self._schema
        )

    def _with_vectors(self, records: list[Record]) -> list[Record]:
        """The records complete with vector and thumbnail: those whose content is as it was have theirs in the store."""
        bare = [record[ID] for record in records if VECTOR not in record]
        kept = self._store.snapshot().batches([ID, VECTOR, THUMBNAIL], any_of(ID, bare)) if bare else ()
        found = {row[ID]: row for batch in kept for row in batch.to_pylist()}
        # On an object store another process may have deleted one meanwhile; then it stays deleted.
        return [
            {**found.get(record[ID], {}), **record} for record in records if VECTOR in record or record[ID] in found
        ]


def _outcome(change: Change, stated: Record) -> str:
    assert change.old is not None
    if change.vector is not None:
        return "replaced"
    return "unchanged" if stated.items() <= change.old.items() else "updated"
