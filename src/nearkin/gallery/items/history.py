"""Earlier versions that a gallery can be restored to: the state before each change, kept for a stated time.

Lance keeps the files of a version that has a tag. A tag is put on the newest version before a call changes it, and is
removed when the version has been out of date for so long. The versions between are removed a minute after they were
replaced, so that adding many pictures leaves nothing behind.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from secrets import token_hex
from typing import Any

from nearkin.errors import ArtefactError, InvalidInput
from nearkin.gallery.items.store import ATTEMPTS, ENCODER, Store, lance_errors
from nearkin.gallery.lance import lance

# An earlier version is kept for this long after a change replaced it.
KEPT = timedelta(days=14)
# More of them are not kept; of a quick series of changes the first and last states stay longest.
MOST = 100
# Calls of `add` that follow each other within this time count as one change.
SERIES = timedelta(hours=1)
ADD = "index"


@dataclass(frozen=True)
class EarlierVersion:
    """A state of the gallery that can be restored.

    Args:
        version: its number.
        items: how many it holds.
        encoder: fingerprint of the encoder that its vectors come from.
        before: the change that replaced it, such as "delete".
        replaced_at: when that was, UTC.
        kept_until: until when it can be restored, UTC.
    """

    version: int
    items: int
    encoder: str
    before: str
    replaced_at: datetime
    kept_until: datetime


@dataclass
class Change:
    """What a call has done.

    Args:
        only_added: whether it has only added items: then calls that follow each other count as one.
    """

    only_added: bool = False


class History:
    """The earlier versions of a store's items. Only a writer may use what changes them.

    Args:
        store: the items.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def versions(self) -> list[EarlierVersion]:
        """Those that can be restored, the newest first."""
        with lance_errors():
            dataset = self._store.newest()
            current, tags = dataset.version, _tags(dataset).values()
        # Two writers of an object store, or a call that was killed and its successor, leave two tags of one version.
        found = {tag["version"]: _read(tag) for tag in tags if tag["metadata"].get("before")}
        past = [one for one in found.values() if one.version != current and one.kept_until > datetime.now(UTC)]
        return sorted(past, key=lambda earlier: -earlier.version)

    @contextmanager
    def before(self, change: str) -> Iterator["Change"]:
        """Keep the state that there is now, if it is another one afterwards.

        Args:
            change: what is done, such as "delete".
        """
        done = Change()
        with lance_errors():
            dataset = self._store.newest()
            # No two writers share a name: nothing keeps those of an object store apart.
            name, rows = f"before-{dataset.version}-{token_hex(4)}", dataset.count_rows()
            tags = _tags(dataset)
            state = _state(dataset)
            dataset.tags.create(name, dataset.version)
            metadata = {"before": change, "items": str(rows), "encoder": dataset.config()[ENCODER]}
            dataset.tags.replace_metadata(name, metadata)
        last = next(reversed(tags.values()), None)
        in_series = last and last["metadata"].get("before") == ADD and last["created_at"] > datetime.now(UTC) - SERIES
        try:
            yield done
        finally:
            # A full disk, say, has its own message.
            with suppress(ArtefactError), lance_errors():
                dataset = self._store.newest()
                if (done.only_added and in_series) or _state(dataset) == state:
                    _delete_tag(dataset, name)
        self._drop_old()

    def restore(self, version: int) -> None:
        """Make an earlier version the newest one. No id that was given since is given again.

        Raises:
            InvalidInput: it is not kept.
        """
        kept = [earlier.version for earlier in self.versions()]
        if version not in kept:
            listed = f"those kept are {', '.join(map(str, kept[:10]))}" if kept else "none is kept"
            more = ", ..." if len(kept) > 10 else ""
            raise InvalidInput(
                f"version {version} cannot be restored: {listed}{more}; `nearkin gallery versions` lists them (the "
                f"state before each change is kept for {KEPT.days} days)"
            )
        self._store.restore(version)

    def encoders(self) -> set[str]:
        """Fingerprints of the encoders that earlier versions need."""
        return {earlier.encoder for earlier in self.versions()}

    def _drop_old(self) -> None:
        """Take the tags from what is out of date, or too much."""
        with lance_errors():
            dataset = self._store.newest()
            tags = _tags(dataset)
            horizon = datetime.now(UTC) - KEPT
            names = [name for name, tag in tags.items() if tag["created_at"] >= horizon]
            while len(names) > MOST:
                # Where two changes followed each other most closely, the later state goes; the newest one stays.
                times = [tags[name]["created_at"] for name in names]
                gaps = [after - before for before, after in pairwise(times[:-1])]
                del names[1 + min(range(len(gaps)), key=gaps.__getitem__)]
            for name in tags.keys() - names:
                _delete_tag(dataset, name)


def _tags(dataset: lance.LanceDataset) -> dict[str, Any]:
    """Our tags in the order of their versions, and of their times where these are equal."""
    left = ATTEMPTS
    while True:
        try:
            tags = {name: tag for name, tag in dataset.tags.list().items() if name.startswith("before-")}
            return dict(sorted(tags.items(), key=lambda entry: (entry[1]["version"], entry[1]["created_at"])))
        except (ValueError, RuntimeError) as error:
            # Another writer of an object store has deleted one between the listing and its reading, or is writing it.
            left -= 1
            if not left:
                raise ArtefactError(f"the gallery's earlier versions cannot be read: {error}") from error
            time.sleep(0.05)


def _says_gone(error: Exception) -> bool:
    """Whether a tag is not there, or its file went while it was read."""
    return "not found" in str(error).lower()


def _delete_tag(dataset: lance.LanceDataset, name: str) -> None:
    """Delete a tag that another writer may have deleted."""
    try:
        dataset.tags.delete(name)
    except ValueError as error:
        if not _says_gone(error):
            raise


def _state(dataset: lance.LanceDataset) -> tuple[object, ...]:
    """What differs if anything was written; a version may be new and hold the same."""
    files = [([file.path for file in part.data_files()], str(part.deletion_file())) for part in dataset.get_fragments()]
    return dataset.schema, dataset.config(), files


def _read(tag: Any) -> EarlierVersion:
    facts, at = tag["metadata"], tag["created_at"]
    try:
        return EarlierVersion(tag["version"], int(facts["items"]), facts["encoder"], facts["before"], at, at + KEPT)
    except (KeyError, ValueError) as error:
        raise ArtefactError(f"version {tag['version']} cannot be restored: its tag is damaged ({error})") from error
