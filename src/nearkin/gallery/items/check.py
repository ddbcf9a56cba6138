"""Whether a gallery is sound: its items against themselves, against the pictures, and what is derived from them."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow.compute as pc

from nearkin.gallery.items.columns import ID
from nearkin.gallery.items.gone import FACTS, State, state_of
from nearkin.gallery.items.store import NEXT_ID, Snapshot
from nearkin.progress import Progress

# How far from 1 a vector's length may be.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class CheckReport:
    """What a check has found.

    Args:
        items: how many there are.
        faults: what is wrong with the gallery itself.
        missing: pictures that are not where they were.
        changed: pictures whose content is another one now; the next add embeds them.
        repaired: derived files that did not fit the items, and were made again.
        pictures: how many pictures were looked for; items that came as vectors have none.
        unreadable: pictures that are there, or may be, and cannot be read.
    """

    items: int
    faults: tuple[str, ...]
    missing: tuple[str, ...]
    changed: tuple[str, ...]
    repaired: tuple[str, ...]
    pictures: int = 0
    unreadable: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong with the gallery itself."""
        return not self.faults


def check_items(snapshot: Snapshot) -> list[str]:
    """Faults of the items: ids and uris that are missing or occur twice, vectors that are none, rows out of reach."""
    faults, table = [], snapshot.read([ID, "uri"])
    for name in table.column_names:
        if twice := len(table) - len(pc.unique(table[name])):
            faults.append(f"{name}: {twice:,} occur more than once")
        if missing := table[name].null_count:
            faults.append(f"{name}: {missing:,} are missing")
    highest, free = pc.max(table[ID]).as_py(), int(snapshot.settings[NEXT_ID])
    if highest is not None and highest >= free:
        faults.append(f"{ID}: {highest} is in use, and {free} is held to be free")
    read, bad = 0, 0
    for batch in snapshot.batches([snapshot.vector_column]):
        vectors = batch[snapshot.vector_column].drop_null()
        lengths = np.linalg.norm(vectors.flatten().to_numpy().reshape(-1, snapshot.dim), axis=1)
        read += len(batch)
        bad += len(batch) - int((np.abs(lengths - 1) < TOLERANCE).sum())
    if bad:
        faults.append(f"vector: {bad:,} are missing, hold NaN, or are not of length 1")
    if read != len(snapshot):
        faults.append(f"{read:,} items can be read, {len(snapshot):,} are counted")
    return faults


def check_pictures(
    snapshot: Snapshot, *, read: bool = False, progress: Progress | None = None
) -> dict[State, tuple[str, ...]]:
    """The pictures by what has become of them; those that are no local files, or came as vectors, are passed over.

    Args:
        snapshot: whose pictures.
        read: compare contents, and not only size and time.
        progress: called now and then.
    """
    found: dict[State, list[str]] = {"same": [], "missing": [], "changed": [], "unreadable": []}
    done = 0
    with ThreadPoolExecutor() as pool:
        for batch in snapshot.batches(FACTS):
            records = [record for record in batch.to_pylist() if record["file_size"] is not None]
            for record, state in zip(records, pool.map(partial(state_of, read=read), records), strict=True):
                found[state].append(record["uri"])
            done += len(batch)
            if progress:
                progress(done, len(snapshot))
    return {state: tuple(uris) for state, uris in found.items()}
