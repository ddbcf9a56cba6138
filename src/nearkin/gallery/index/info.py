"""Which index a gallery is to have, and what is told of the index that it has."""

import json
from dataclasses import asdict, dataclass

from nearkin.arrays import check_share
from nearkin.gallery.index.index_with_changes import IndexWithChanges
from nearkin.intervals.figure import Figure


@dataclass(frozen=True)
class IndexSetting:
    """Which index a gallery is to have.

    Args:
        kind: the name of a kind, or "auto"; see `nearkin.gallery.index.kind_names`.
        recall: share of the true 10 nearest neighbours that a search is to find, 0 < recall < 1.
    """

    kind: str = "exact"
    recall: float = 0.99

    def __post_init__(self) -> None:
        object.__setattr__(self, "recall", check_share(self.recall, "recall"))

    @staticmethod
    def of(setting: str) -> "IndexSetting":
        """From what `to_json` gave; "{}" is the default."""
        return IndexSetting(**json.loads(setting))

    def to_json(self) -> str:
        """As the gallery keeps it."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class IndexInfo:
    """The index of a gallery.

    Args:
        kind: its kind.
        setting: what was chosen for it, in words.
        recall: share of the true 10 nearest neighbours that it finds, for queries that it has not seen; None: all,
            proved.
        items: how many it was built from.
        changed: items that were added, deleted or changed since, as a share of those.
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
        """Of an index whose recall was last measured as this."""
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
