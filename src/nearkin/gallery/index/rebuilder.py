"""The index that was asked for, kept at its recall while items come and go."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock, Thread

import numpy as np
from filelock import FileLock

from nearkin.errors import InvalidInput, NearkinError
from nearkin.gallery.cache import STALE_SHARE, build_index, find_index, open_index
from nearkin.gallery.index import measure_recall
from nearkin.gallery.index.index_with_changes import IndexWithChanges
from nearkin.gallery.items.store import INDEX, Snapshot
from nearkin.intervals.bootstrap import Figure

# The share of changed items from which on an index is built anew, whatever its recall: the search beside it is slow.
REBUILD_SHARE = 0.5
# Vectors on which the recall is measured again.
SAMPLE = 500


@dataclass(frozen=True)
class IndexSetting:
    """Which index a gallery shall have.

    Args:
        kind: "exact", "lsh", "pq", "hnsw", "ivf", "ivf-pq" or "auto".
        recall: share of the true 10 nearest that an approximate index shall find, 0 < recall < 1.
    """

    kind: str = "exact"
    recall: float = 0.99

    def __post_init__(self) -> None:
        if not 0 < self.recall < 1:
            raise InvalidInput(f"recall is {self.recall:g}, wanted more than 0 and less than 1")

    @staticmethod
    def of(snapshot: Snapshot) -> "IndexSetting":
        """What was asked for last."""
        return IndexSetting(**json.loads(snapshot.settings.get(INDEX, "{}")))

    def to_json(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class IndexInfo:
    """The index of a gallery.

    Args:
        kind: what it is.
        setting: what was chosen for it, in words.
        recall: share of the true 10 nearest that it finds, measured on vectors held out; None: all, certainly.
        items: how many it was built from.
        changed: items that have come, gone or changed since, as a share.
        bytes_per_vector: memory that it takes, beside the vectors themselves.
        build_seconds: time that it took to build.
    """

    kind: str
    setting: str
    recall: Figure | None
    items: int
    changed: float
    bytes_per_vector: float
    build_seconds: float

    @staticmethod
    def of(current: IndexWithChanges, recall: Figure | None) -> "IndexInfo":
        index = current.index
        return IndexInfo(
            index.kind,
            index.setting,
            recall,
            len(index),
            float(current.changed),
            index.bytes_per_vector,
            round(index.build_seconds, 3),
        )


class IndexRebuilder:
    """Gives the index over a gallery's items. What may take minutes is done by a thread, while searches go on.

    Args:
        folder: of the index files.
        renewed: called when there is a better index than the one that was given.
    """

    def __init__(self, folder: Path, renewed: Callable[[], None]) -> None:
        self._folder = folder
        self._renewed = renewed
        self._busy = Lock()
        # What was built last, for a folder that cannot be written, and the identity of its items.
        self._built: tuple[str, str, IndexWithChanges] | None = None
        # The share of items that had changed when the recall was measured again, and the recall.
        self._measured: tuple[float, Figure] | None = None

    def index(self, snapshot: Snapshot) -> IndexWithChanges:
        """The index over these items, the best that is at hand."""
        setting = IndexSetting.of(snapshot)
        current = self._find(snapshot, setting)
        if setting.kind == "exact" or (current is not None and current.changed <= STALE_SHARE):
            return current or open_index(self._folder, snapshot)
        current = current or open_index(self._folder, snapshot)
        if self._busy.acquire(blocking=False):
            Thread(target=self._care, args=(snapshot, setting, current), daemon=True, name="nearkin-index").start()
        return current

    def build(self, snapshot: Snapshot) -> IndexWithChanges:
        """Build what was asked for, at once."""
        with self._alone():
            return self._build(snapshot, IndexSetting.of(snapshot))

    def recall(self, current: IndexWithChanges) -> Figure | None:
        """The recall of an index as it was measured last; None of an exact one."""
        return current.index.recall if self._measured is None or current.changed <= STALE_SHARE else self._measured[1]

    def _care(self, snapshot: Snapshot, setting: IndexSetting, current: IndexWithChanges) -> None:
        """Measure the recall again, and build anew if it is too low."""
        try:
            # If the folder cannot be written, or these items are gone by now, the next version is as good.
            with suppress(NearkinError, OSError):
                if (
                    current.index.kind != "exact"
                    and current.changed <= REBUILD_SHARE
                    and self._still_finds(current, setting.recall)
                ):
                    return
                with self._alone():
                    # Another process may have been faster.
                    found = self._find(snapshot, setting)
                    if found is None or found.changed > STALE_SHARE:
                        self._build(snapshot, setting)
                self._renewed()
        finally:
            self._busy.release()

    def _find(self, snapshot: Snapshot, setting: IndexSetting) -> IndexWithChanges | None:
        if self._built and self._built[:2] == (snapshot.identity, setting.kind):
            return self._built[2]
        return find_index(self._folder, snapshot, setting.kind)

    def _build(self, snapshot: Snapshot, setting: IndexSetting) -> IndexWithChanges:
        current = build_index(self._folder, snapshot, setting.kind, recall=setting.recall)
        self._built, self._measured = (snapshot.identity, setting.kind, current), None
        return current

    def _still_finds(self, current: IndexWithChanges, target: float) -> bool:
        """Whether the index reaches its recall on what is left, asked by the vectors that are gone and new."""
        if self._measured is None or current.changed > self._measured[0] + STALE_SHARE:
            there = current.rows >= 0
            queries = np.concatenate([current.index.vectors[~there], current.new.vectors])
            some = np.random.default_rng(0).permutation(len(queries))[:SAMPLE]
            self._measured = current.changed, measure_recall(current.index, queries[some], allowed=there)
        return self._measured[1].value >= target

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process builds meanwhile. Where no lock can be had, nothing can be written either."""
        lock = FileLock(self._folder.with_suffix(".lock"))
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()
