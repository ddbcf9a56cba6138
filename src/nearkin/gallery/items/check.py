"""Whether a gallery is sound: its items against themselves, against the pictures, and what is derived from them."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from nearkin.data.images import content_hash
from nearkin.gallery.items.columns import ID
from nearkin.gallery.items.store import NEXT_ID, Snapshot
from nearkin.progress import Progress

# How far from 1 a vector's length may be.
TOLERANCE = 1e-3
_FACTS = ["uri", "content_hash", "file_size", "file_mtime_ns"]


@dataclass(frozen=True)
class CheckReport:
    """What a check has found.

    Args:
        items: how many there are.
        faults: what is wrong with the gallery itself.
        missing: pictures that are not where they were.
        changed: pictures whose content is another one now; the next add embeds them.
        repaired: derived files that did not fit the items, and were made anew.
    """

    items: int
    faults: tuple[str, ...]
    missing: tuple[str, ...]
    changed: tuple[str, ...]
    repaired: tuple[str, ...]

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
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The pictures that are not where they were, and those whose content is another one.

    Args:
        snapshot: whose pictures; those that are no local files, or came as vectors, are passed over.
        read: compare contents, and not only size and time.
        progress: called now and then.
    """
    missing, changed, done = [], [], 0
    with ThreadPoolExecutor() as pool:
        for batch in snapshot.batches(_FACTS):
            records = [record for record in batch.to_pylist() if record["file_size"] is not None]
            states = list(pool.map(lambda record: _state(record, read), records))
            missing += [record["uri"] for record, state in zip(records, states, strict=True) if state == "missing"]
            changed += [record["uri"] for record, state in zip(records, states, strict=True) if state == "changed"]
            done += len(batch)
            if progress:
                progress(done, len(snapshot))
    return tuple(missing), tuple(changed)


def _state(record: dict[str, Any], read: bool) -> str:
    try:
        facts = Path(record["uri"]).stat()
        same = (facts.st_size, facts.st_mtime_ns) == (record["file_size"], record["file_mtime_ns"])
        if read or not same:
            same = content_hash(Path(record["uri"]).read_bytes()) == record["content_hash"]
    except OSError:
        return "missing"
    return "same" if same else "changed"
