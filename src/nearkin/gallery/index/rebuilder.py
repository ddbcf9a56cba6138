"""The index that was asked for: measured again and rebuilt, in the background, as items come and go."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, Thread

import numpy as np

from nearkin.errors import NearkinError
from nearkin.gallery.cache import STALE_SHARE, build_index, describe_index, find_index, open_index
from nearkin.gallery.index import ExactIndex, measure_recall
from nearkin.gallery.index.index_with_changes import IndexWithChanges
from nearkin.gallery.index.info import IndexInfo, IndexSetting
from nearkin.gallery.items.store import INDEX, Snapshot
from nearkin.intervals.figure import Figure

# The share of changed items above which an index is rebuilt, whatever its recall: searching the changes takes too long.
REBUILD_SHARE = 0.5
# Vectors on which the recall is measured again.
SAMPLE = 500


class IndexRebuilder:
    """Gives the index over a gallery's items. What may take minutes is done by a thread, while searches go on.

    Args:
        folder: of the index files.
        rebuilt: called when there is a better index than the one that was given.
    """

    def __init__(self, folder: Path, rebuilt: Callable[[], None]) -> None:
        self._folder = folder
        self._rebuilt = rebuilt
        self._busy = Lock()
        # What was built last, for a folder that cannot be written, and the identity of its items.
        self._built: tuple[str, str, IndexWithChanges] | None = None
        # The share of items that had changed when the recall was measured again, and the recall.
        self._measured: tuple[float, Figure] | None = None

    def index(self, snapshot: Snapshot) -> IndexWithChanges:
        """The index over these items, the best that is at hand."""
        setting = _setting_of(snapshot)
        current = self._find(snapshot, setting)
        if setting.kind == "exact" or (current is not None and current.changed <= STALE_SHARE):
            return current or open_index(self._folder, snapshot)
        current = current or open_index(self._folder, snapshot)
        if self._busy.acquire(blocking=False):
            arguments = (snapshot, setting, current)
            Thread(target=self._check_and_rebuild, args=arguments, daemon=True, name="nearkin-index").start()
        return current

    def build(self, snapshot: Snapshot) -> IndexWithChanges:
        """Build what was asked for, at once."""
        with self._alone():
            return self._build(snapshot, _setting_of(snapshot))

    def info(self, snapshot: Snapshot) -> IndexInfo:
        """What there is to say about the index; nothing is built or written for it."""
        setting = _setting_of(snapshot)
        if self._built and self._built[:2] == (snapshot.identity, setting.kind):
            return IndexInfo.of(self._built[2], self.recall(self._built[2]))
        if found := describe_index(self._folder, snapshot, setting.kind):
            return found
        empty = ExactIndex(np.empty((0, snapshot.dim), dtype=np.float32))
        if setting.kind == empty.kind:
            # An exact search covers all items, whether or not their vectors are in the cache yet.
            return IndexInfo(empty.kind, empty.setting, None, len(snapshot), 0.0, empty.bytes_per_vector, 0.0)
        return IndexInfo(setting.kind, "not built yet: the next search builds it", None, 0, 1.0, 0.0, 0.0)

    def recall(self, current: IndexWithChanges) -> Figure | None:
        """The recall of an index as it was measured last; None of an exact one."""
        if self._measured is None or current.changed <= STALE_SHARE:
            return current.index.recall
        return self._measured[1]

    def _check_and_rebuild(self, snapshot: Snapshot, setting: IndexSetting, current: IndexWithChanges) -> None:
        """Measure the recall again, and rebuild if it is too low."""
        try:
            # If the folder cannot be written, or these items are gone by now, the next version will do.
            with suppress(NearkinError, OSError):
                if (
                    current.index.kind != "exact"
                    and current.changed <= REBUILD_SHARE
                    and self._reaches(current, setting.recall)
                ):
                    return
                with self._alone():
                    # Another process may have been faster.
                    found = self._find(snapshot, setting)
                    if found is None or found.changed > STALE_SHARE:
                        self._build(snapshot, setting)
                self._rebuilt()
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

    def _reaches(self, current: IndexWithChanges, target: float) -> bool:
        """Whether the index reaches its recall on what is left; the queries are the vectors deleted and added since."""
        if self._measured is None or current.changed > self._measured[0] + STALE_SHARE:
            there = current.rows >= 0
            queries = np.concatenate([current.index.vectors[~there], current.new.vectors])
            some = np.random.default_rng(0).permutation(len(queries))[:SAMPLE]
            self._measured = current.changed, measure_recall(current.index, queries[some], allowed=there)
        return self._measured[1].value >= target

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process builds meanwhile. A folder that cannot be locked cannot be written either."""
        from filelock import FileLock

        lock = FileLock(self._folder.with_suffix(".lock"))
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()


def _setting_of(snapshot: Snapshot) -> IndexSetting:
    """What was asked for last."""
    return IndexSetting.of(snapshot.settings.get(INDEX, "{}"))
