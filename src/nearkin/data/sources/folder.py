"""A tree of pictures whose folders are the classes."""

import logging
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from nearkin.data.decoding import EXTENSIONS
from nearkin.data.items import Broken, Items, Picture, split_name
from nearkin.data.names import is_litter, printable
from nearkin.data.picture import not_a_file
from nearkin.data.sources._source import ColumnNames, Source, as_path
from nearkin.errors import SourceError

_log = logging.getLogger(__name__)

LABELS = (None, "path", "folder")

# The folders from the root to a picture.
_Way = tuple[str, ...]


def read_folder(root: Path, *, label: str | None = None) -> Items:
    """Every picture below the root, in sorted order; its label is a folder's name.

    Folders of one level that are called train, val or test, in any usual spelling, are splits, and no part of the
    class: `train/cat/1.png` as well as `cat/train/1.png`. What lies beside splits is left out; if it is more than
    they are, the names are refused, for they may be classes.

    Hidden files and the litter of systems and storage devices are passed over. A picture goes by its real path: a
    link to a picture of the tree adds nothing. What is named like a picture but cannot be one, a folder that cannot be
    read and a link that leads nowhere are named in `Items.skipped`; none of them is opened.

    Args:
        root: an existing folder.
        label: None for the first folder below the root; "path" for all folders on the way ("Greek/character03");
            "folder" for the first one, even if it is called train or test.

    Returns:
        Items with the metadata column "folder", the way from the root to the picture; with label="path" also
        "group", the first folder of the label. Pictures outside of all class folders have no label.

    Raises:
        SourceError: no pictures, a root that cannot be read, names that may be splits or classes, or another label.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as root:
        ...     for name in "Greek/alpha/1.png", "Greek/beta/1.png", "Latin/a/1.png":
        ...         Path(root, name).parent.mkdir(parents=True)
        ...         Path(root, name).touch()
        ...     read_folder(Path(root)).labels, read_folder(Path(root), label="path").labels
        (('Greek', 'Greek', 'Latin'), ('Greek/alpha', 'Greek/beta', 'Latin/a'))
    """
    if label not in LABELS:
        raise SourceError(
            f"{root} is a tree of folders and has no column '{label}': leave the label out (the first folder is the "
            "class), or say 'path' (all folders on the way to the picture are)"
        )
    root = root.resolve()
    tree = _Tree(str(root))
    files = tree.files
    if not files:
        noun = "file" if len(tree.others) == 1 else "files"
        found = f"only {len(tree.others)} other {noun}, such as {tree.others[0]}" if tree.others else "nothing"
        if tree.skipped:
            found += f"; {tree.skipped[0]}"
        raise SourceError(
            f"{root}: found {found}; expected pictures ({' '.join(sorted(EXTENSIONS))}), a folder per class"
        )
    ways = [file.way for file in files]
    level = None if label == "folder" else _split_level(root, ways)
    if level is not None:
        files, aside = _beside_splits(root, files, level)
        tree.skipped += aside
    meanings = [_meaning(file.way, level, label) for file in files]
    metadata: dict[str, list[str | None]] = {"folder": ["/".join(file.way) for file in files]}
    if label == "path":
        metadata["group"] = [meaning.group for meaning in meanings]
    known = {file.path: (file, meaning) for file, meaning in zip(files, meanings, strict=True)}
    for link, path in tree.links:
        if path in known and known[path][1] != _meaning(link.way, level, label):
            where = printable("/".join(known[path][0].way)) or "."
            tree.skipped.append(Broken(printable(link.path), f"a link to a picture in '{where}', and counted there"))
    return Items.build(
        [Picture(file.path) for file in files],
        labels=[meaning.label for meaning in meanings],
        splits=[meaning.split for meaning in meanings],
        metadata=metadata,
        source=str(root),
        skipped=sorted(tree.skipped, key=lambda broken: broken.uri),
    )


class _Meaning(NamedTuple):
    """What the folders on the way to a picture say of it."""

    label: str | None
    group: str | None
    split: str | None


def _meaning(way: _Way, level: int | None, label: str | None) -> _Meaning:
    split = None
    if level is not None and len(way) > level:
        split, way = way[level], way[:level] + way[level + 1 :]
    if not way:
        return _Meaning(None, None, split)
    return _Meaning("/".join(part.strip() for part in way) if label == "path" else way[0], way[0], split)


@dataclass(frozen=True)
class _File:
    way: _Way
    name: str
    path: str


@dataclass
class _Tree:
    """What lies below a folder: real files and folders first, then what links lead to.

    Args:
        root: a real path.
        files: pictures, sorted by the way to them.
        others: names of files that are no pictures.
        skipped: what is named like a picture and is none, and folders that cannot be read.
        links: links to pictures that are in the tree already: their way and name, and the picture's path.
    """

    root: str
    files: list[_File] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    skipped: list[Broken] = field(default_factory=list)
    links: list[tuple[_File, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._folders: dict[str, _Way] = {}
        self._waiting: list[_File] = []
        self._named_as_picture: list[str] = []
        self._walk(self.root, ())
        real = {file.path for file in self.files}
        while self._waiting:
            waiting, self._waiting = sorted(self._waiting, key=_by_way), []
            for link in waiting:
                self._follow(link, real)
        self.files.sort(key=_by_way)
        for folder in self._named_as_picture:
            if not any(file.path.startswith(f"{folder}/") for file in self.files):
                self._skip(folder, "a folder, not a file")

    def _walk(self, folder: str, way: _Way) -> None:
        below = [(folder, way)]
        while below:
            folder, way = below.pop()
            if folder in self._folders:
                continue
            self._folders[folder] = way
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if not is_litter(entry.name):
                            self._take(entry, way, below)
            except OSError as error:
                if not way:
                    reason = f"{error.strerror}: make it readable, or name another folder"
                    raise SourceError(f"{folder}: {reason}") from error
                self._skip(folder, error.strerror or str(error))

    def _take(self, entry: os.DirEntry[str], way: _Way, below: list[tuple[str, _Way]]) -> None:
        name = entry.name
        if entry.is_symlink():
            self._waiting.append(_File(way, name, entry.path))
        elif entry.is_dir(follow_symlinks=False):
            below.append((entry.path, (*way, name)))
            if _is_picture(name):
                self._named_as_picture.append(entry.path)
        elif not _is_picture(name):
            self.others.append(name)
        elif entry.is_file(follow_symlinks=False):
            self.files.append(_File(way, name, entry.path))
        else:
            self._skip(entry.path, f"{not_a_file(entry.stat(follow_symlinks=False).st_mode)}, not a file")

    def _follow(self, link: _File, real: set[str]) -> None:
        path = os.path.realpath(link.path)
        try:
            mode = os.stat(link.path).st_mode  # noqa: PTH116
        except OSError as error:
            if _is_picture(link.name) or "." not in link.name:
                self._skip(link.path, f"a link that leads nowhere: {error.strerror}")
            return
        if os.path.isdir(path):  # noqa: PTH112
            if path in self._folders:
                where = printable("/".join(self._folders[path])) or "."
                self._skip(link.path, f"a link to the folder '{where}', which is read already")
            else:
                self._walk(path, (*link.way, link.name))
                real |= {file.path for file in self.files}
        elif not _is_picture(link.name):
            self.others.append(link.name)
        elif kind := not_a_file(mode):
            self._skip(link.path, f"a link to {kind}, not to a file")
        elif path in real:
            self.links.append((link, path))
        else:
            real.add(path)
            self.files.append(_File(link.way, link.name, path))

    def _skip(self, path: str, reason: str) -> None:
        self.skipped.append(Broken(printable(path), reason))


def _by_way(file: _File) -> tuple[str, ...]:
    return (*file.way, file.name)


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].strip().lower() in EXTENSIONS  # noqa: PTH122


def _split_level(root: Path, ways: list[_Way]) -> int | None:
    """The level of folders that are splits; None if none is.

    Raises:
        SourceError: some names of the first level are splits, and more are not.
    """
    first = {way[0] for way in ways if way}
    splits = {name for name in first if split_name(name)}
    others = first - splits
    if splits and not others:
        return 0
    if len({split_name(name) for name in splits}) > 1:
        if len(others) < len(splits):
            return 0
        raise SourceError(
            f"{root}: folders {_listed(splits)} are called like splits, and {_listed(others)} beside them are not: "
            "if they are splits, move the others away; if all are classes, say so with the label 'folder'"
        )
    if splits:
        _log.warning(
            "%s: folder '%s' is taken for a class, since %d folders beside it are not called train, val or test",
            *(printable(str(root)), min(splits), len(others)),
        )
    for level in (1, 2):
        names = {way[level] for way in ways if len(way) > level}
        deep = all(len(way) > level for way in ways if way)
        if deep and len(set(map(split_name, names))) > 1 and all(map(split_name, names)):
            return level
    return None


def _beside_splits(root: Path, files: list[_File], level: int) -> tuple[list[_File], list[Broken]]:
    """The pictures of the splits, and the folders beside them with how many pictures they hold."""
    if level:
        return files, []
    beside = Counter(file.way[0] for file in files if file.way and not split_name(file.way[0]))
    reasons = {
        name: f"{count} pictures beside the folders of splits: left out" for name, count in sorted(beside.items())
    }
    for name, reason in reasons.items():
        _log.warning("%s: %s", printable(str(root / name)), reason)
    kept = [file for file in files if not file.way or file.way[0] not in beside]
    return kept, [Broken(printable(str(root / name)), reason) for name, reason in reasons.items()]


def _listed(names: set[str]) -> str:
    ordered = sorted(map(printable, names))
    return ", ".join(f"'{name}'" for name in ordered[:4]) + (", ..." if len(ordered) > 4 else "")


def _applies(source: Any) -> bool:
    path = as_path(source)
    return path is not None and path.is_dir()


def _read(source: str | Path, columns: ColumnNames) -> Items:
    path = Path(source).expanduser()
    for what, given in (("captions", columns.captions), ("paths", columns.path)):
        if given is not None:
            raise SourceError(f"{path} is a tree of folders and has no columns of {what}: name a table")
    return read_folder(path, label=columns.label)


SOURCE = Source("a folder", _applies, _read, order=70)
