"""Pictures that are no longer where they were: found by their content elsewhere, or gone."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nearkin.arrow import pa
from nearkin.data.box import region_uri, split_region
from nearkin.data.images import content_hash
from nearkin.data.items import Items
from nearkin.data.names import printable, unescaped
from nearkin.data.picture import file_of
from nearkin.errors import InvalidInput
from nearkin.gallery.items.columns import FILE_FACTS, ID
from nearkin.gallery.items.store import Snapshot, Store
from nearkin.progress import Progress

State = Literal["same", "changed", "missing", "unreadable"]

# Items whose paths are changed in one commit.
CHUNK = 8192
FACTS = [ID, "uri", *FILE_FACTS]


@dataclass(frozen=True)
class Move:
    """A picture of the gallery that is elsewhere now.

    Args:
        id: of its item.
        old, new: its paths.
        facts: size and time of the file at the new path.
    """

    id: int
    old: str
    new: str
    facts: dict[str, int]


@dataclass(frozen=True)
class RelinkSummary:
    """What became of the items below a folder that was moved.

    Args:
        relinked: items whose picture was found at the new path, with the same content.
        missing: pictures that are at neither path.
        mismatched: pictures at the new path whose content is another one; their items stay as they are.
        taken: new paths that other items have already; both items stay as they are.
        present: items whose pictures are still at the old path; they stay as they are.
    """

    relinked: int
    missing: tuple[str, ...] = ()
    mismatched: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    present: int = 0


@dataclass(frozen=True)
class PruneSummary:
    """Items whose pictures are gone.

    Args:
        pruned: their pictures; the items are deleted, unless it was a dry run.
        items: how many items the gallery had.
        empty_folders: folders of which no picture of the gallery is left, as if a disk were not mounted.
    """

    pruned: tuple[str, ...]
    items: int
    empty_folders: tuple[str, ...]


def state_of(record: dict[str, Any], *, read: bool = False) -> State:
    """What has become of an item's file.

    Args:
        record: path, content hash, size and time of the item.
        read: compare the content even if size and time are the same.
    """
    path = Path(_file(record["uri"]))
    try:
        facts = path.stat()
        same = (facts.st_size, facts.st_mtime_ns) == (record["file_size"], record["file_mtime_ns"])
        if read or not same:
            same = content_hash(path.read_bytes(), split_region(record["uri"])[1]) == record["content_hash"]
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except OSError:
        return "unreadable"
    return "same" if same else "changed"


def _file(uri: str) -> str:
    """The file of an item: its uri without the box of a region, or what the escapes in it stand for, no UTF-8."""
    if "#xywh=" in uri and not os.path.lexists(uri):
        uri = split_region(uri)[0]
    return uri if "\\x" not in uri or os.path.lexists(uri) else unescaped(uri)


def is_missing(path: str) -> bool:
    """Whether there is no file of this name. What cannot be looked at, as without permission, is not missing."""
    try:
        os.stat(_file(path))  # noqa: PTH116 - the fastest way, for a million of them
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def file_records(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Path, content hash, size and time of the items that came as files."""
    batches = snapshot.batches(FACTS)
    return [record for batch in batches for record in batch.to_pylist() if record["file_size"] is not None]


def records_below(folder: str | Path, snapshot: Snapshot) -> list[dict[str, Any]]:
    """The same of the items whose pictures were in a folder, or in folders below it.

    Raises:
        InvalidInput: there are none.
    """
    rest = relative_to(folder)
    records = [record for record in file_records(snapshot) if rest(record["uri"]) is not None]
    if not records:
        raise InvalidInput(f"no picture of the gallery is in '{folder}': expected the folder as it was when indexed")
    return records


def missing_of(records: Sequence[dict[str, Any]], progress: Progress | None = None) -> list[dict[str, Any]]:
    """Those whose files are gone."""
    found = []
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(records), CHUNK):
            part = records[start : start + CHUNK]
            gone = pool.map(is_missing, [record["uri"] for record in part])
            found += [record for record, is_gone in zip(part, gone, strict=True) if is_gone]
            if progress:
                progress(min(start + CHUNK, len(records)), len(records))
    return found


def relative_to(folder: str | Path) -> Callable[[str], str | None]:
    """Tells what of a path is below a folder, None if it is not in it. Sources name pictures by their real paths.

    Example:
        >>> relative_to("/a")("/a/b/c.png"), relative_to("/a")("/ab.png")
        ('b/c.png', None)
    """
    if not os.fspath(folder):
        raise InvalidInput("the folder is empty: expected its path; '.' is the working folder")
    starts = {printable(os.path.join(path, "")) for path in (os.path.abspath(folder), os.path.realpath(folder))}  # noqa: PTH100, PTH118

    def rest(path: str) -> str | None:
        return next((path[len(start) :] for start in starts if path.startswith(start)), None)

    return rest


def empty_folders(records: Iterable[dict[str, Any]], missing: Iterable[dict[str, Any]]) -> list[str]:
    """The folders of missing pictures in which no picture of the gallery is left, as if a disk were not mounted.

    Of a folder that is gone itself, the nearest one above that exists counts: after `rm -r photos/cats` it is `photos`,
    in which other pictures are left. Pictures on another device say nothing of a folder: `/mnt/b` is no witness that
    `/mnt/a` is mounted.
    """
    gone = {record["uri"] for record in missing}
    kept_in = {Path(_file(record["uri"])).parent for record in records if record["uri"] not in gone}
    left = {(above, device) for parent in kept_in if (device := _device(parent)) for above in (parent, *parent.parents)}
    lost: dict[Path, set[Path]] = defaultdict(set)
    for parent in {Path(_file(uri)).parent for uri in gone}:
        there = next((above for above in (parent, *parent.parents) if above.is_dir()), Path(parent.anchor))
        if (there, _device(there)) not in left:
            lost[there].add(parent)
    return sorted(printable(os.path.commonpath(parents)) for parents in lost.values())


def _device(folder: Path) -> int | None:
    try:
        return folder.stat().st_dev
    except OSError:
        return None


def find_moved(items: Items, snapshot: Snapshot) -> list[Move]:
    """Pictures of a source that are new to the gallery by their path, and whose content is that of a picture that is
    gone. Of several with one content, those of the same file name belong together."""
    known = set(snapshot.read(["uri"])["uri"].to_pylist())
    new = {picture.uri: path for picture in items.pictures if picture.uri not in known and (path := file_of(picture))}
    if not new or not known:
        return []
    listed = set(items.uris)
    by_size: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for record in file_records(snapshot):
        if record["uri"] not in listed:
            by_size[record["file_size"]].append(record)
    sized = [(uri, facts) for uri, path in new.items() if (facts := _facts(path)) and facts["file_size"] in by_size]
    sizes = {facts["file_size"] for _, facts in sized}
    gone: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in missing_of([record for size in sizes for record in by_size[size]]):
        gone[record["content_hash"]].append(record)
    moves = []
    for uri, facts in sized:
        candidates = gone.get(_hash(new[uri], uri) or "") if gone else None
        if candidates:
            name = Path(uri).name
            best = next((record for record in candidates if Path(record["uri"]).name == name), candidates[0])
            candidates.remove(best)
            moves.append(Move(best[ID], best["uri"], uri, facts))
    return moves


def plan_relink(
    snapshot: Snapshot, old: str | Path, new: str | Path, progress: Progress | None = None
) -> tuple[list[Move], RelinkSummary]:
    """What `relink` would do: the moves that content proves, and what becomes of the others.

    Raises:
        InvalidInput: no item is below the old folder, or there is no new one.
    """
    rest = relative_to(old)
    records = records_below(old, snapshot)
    if not os.fspath(new) or not Path(new).is_dir():
        raise InvalidInput(f"'{new}' is no folder: expected the one that the pictures are in now")
    known = set(snapshot.read(["uri"])["uri"].to_pylist())
    gone = missing_of(records)
    moves: list[Move] = []
    missing, mismatched, taken = [], [], []
    for done, record in enumerate(gone, 1):
        moved = os.path.join(os.path.realpath(new), rest(record["uri"]) or "")  # noqa: PTH118
        path = _file(moved)
        facts, uri = _facts(path), printable(path)
        if (box := split_region(record["uri"])[1]) is not None and not os.path.lexists(moved):
            uri = region_uri(uri, box)
        if uri in known:
            taken.append(uri)
        elif facts is None:
            missing.append(record["uri"])
        elif facts["file_size"] != record["file_size"] or _hash(path, record["uri"]) != record["content_hash"]:
            mismatched.append(uri)
        else:
            moves.append(Move(record[ID], record["uri"], uri, facts))
        if progress:
            progress(done, len(gone))
    summary = RelinkSummary(len(moves), tuple(missing), tuple(mismatched), tuple(taken), len(records) - len(gone))
    return moves, summary


def apply_moves(moves: Sequence[Move], store: Store) -> None:
    """Give items their new paths, a chunk in one commit. Killed between, the same call later does the rest."""
    for start in range(0, len(moves), CHUNK):
        part = moves[start : start + CHUNK]
        columns = {ID: pa.array([move.id for move in part], pa.int64()), "uri": [move.new for move in part]}
        for name in ("file_size", "file_mtime_ns"):
            columns[name] = pa.array([move.facts[name] for move in part], pa.int64())
        store.change_by_id(pa.table(columns))


def _facts(path: str) -> dict[str, int] | None:
    """Size and time of a file, None if there is none."""
    try:
        facts = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return {"file_size": facts.st_size, "file_mtime_ns": facts.st_mtime_ns}


def _hash(path: str, uri: str) -> str | None:
    """What names the content of a file, or of the region that a uri names."""
    try:
        return content_hash(Path(path).read_bytes(), split_region(uri)[1])
    except OSError:
        return None


def gone_below(folder: str | Path, listed: Iterable[str], snapshot: Snapshot) -> list[dict[str, Any]]:
    """Items of pictures that were in a folder and are gone, and that its source does not list any more."""
    rest, there = relative_to(folder), set(listed)
    records = file_records(snapshot)
    return missing_of([record for record in records if record["uri"] not in there and rest(record["uri"]) is not None])
