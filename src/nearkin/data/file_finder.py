"""Files that a table names: one file under all its spellings, and what may have been meant where there is none."""

import os
import stat
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from nearkin.data.box import region_uri, split_region
from nearkin.data.names import unescaped
from nearkin.data.picture import Picture, Unreadable


class FileFinder:
    """Finds files by the names in a table's cells.

    A file goes by its real path, so that `a.png`, `./a.png`, `b/../a.png` and a link to it are one picture. A name is
    looked for as it stands, then with the bytes that escapes such as \\xe9 stand for, then without spaces around it,
    then in the other Unicode form, then in the encodings of archives from Windows.

    Args:
        folders: where relative names begin; the first in which there is such a file counts.
    """

    def __init__(self, *folders: Path) -> None:
        self.folders = [os.path.realpath(folder) for folder in folders]
        self._real_folders: dict[str, str] = {}
        self._listings: dict[str, dict[str, list[str]]] = {}

    def find(self, name: str) -> str | None:
        """The real path of the file of this name, or of a region of it; None if there is none, or only a folder."""
        return self._entry(name) or (self._entry(split_region(name)[0]) if "#xywh=" in name else None)

    def _entry(self, name: str) -> str | None:
        for spelling in _spellings(name):
            for folder in self.folders:
                if found := self._real_path(os.path.join(folder, spelling)):  # noqa: PTH118
                    return found
        return None

    def picture(self, name: str) -> Picture:
        """The picture of this name; one that is missing says so when it is read, and what is there instead."""
        if found := self._entry(name):
            return Picture(found)
        whole, box = split_region(name)
        if box is not None:
            return self.picture(whole).region(box)
        path = os.path.normpath(os.path.join(self.folders[0], name.strip().replace("\\", "/")))  # noqa: PTH118
        if os.path.isdir(path):  # noqa: PTH112
            return Picture(path, Unreadable("a folder, not a file"))
        near = self.other_case(name)
        reason = f"no such file; the folder holds '{near}': upper and lower case differ" if near else ""
        return Picture(path, Unreadable(reason) if reason else None)

    def other_case(self, name: str) -> str | None:
        """The name of a file that differs in upper and lower case only, if there is one."""
        for folder in self.folders:
            path = os.path.join(folder, name.strip().replace("\\", "/"))  # noqa: PTH118
            parent, leaf = os.path.split(path)
            if found := self._listing(parent).get(_folded(leaf)):
                return found[0]
        return None

    def _real_path(self, path: str) -> str | None:
        try:
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                real = os.path.realpath(path)
                # A link to itself is there, and broken when it is read.
                return None if os.path.isdir(real) else real if os.path.exists(real) else path  # noqa: PTH110, PTH112
        except (OSError, ValueError):  # A text too long for a name, or with a zero byte.
            return None
        if stat.S_ISDIR(status.st_mode):
            return None
        parent, leaf = os.path.split(path)
        if leaf in ("", ".", ".."):
            return None
        if parent not in self._real_folders:
            self._real_folders[parent] = os.path.realpath(parent)
        return os.path.join(self._real_folders[parent], leaf)  # noqa: PTH118

    def _listing(self, folder: str) -> dict[str, list[str]]:
        if folder not in self._listings:
            names: dict[str, list[str]] = defaultdict(list)
            try:
                for name in sorted(os.listdir(folder)):  # noqa: PTH208
                    names[_folded(name)].append(name)
            except (OSError, ValueError):
                pass  # No folder, no names.
            self._listings[folder] = names
        return self._listings[folder]


def real_uri(uri: str) -> str:
    """The real path of a file that exists, with the box of a region; any other uri as it is."""
    if "#xywh=" in uri and not os.path.lexists(uri):
        whole, box = split_region(uri)
        return uri if box is None else region_uri(real_uri(whole), box)
    return os.path.realpath(uri) if os.path.lexists(uri) and os.path.exists(uri) else uri  # noqa: PTH110


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


# Encodings of file names in archives that were made on Windows.
_OLD_ENCODINGS = ("cp1252", "cp437", "cp1251", "cp866")


def _spellings(name: str) -> Iterator[str]:
    yield name
    if "\\" in name:
        if (original := unescaped(name)) != name:
            yield from _spellings(original)
        yield name.replace("\\", "/")
    name = name.replace("\\", "/")
    if (stripped := name.strip()) != name:
        yield stripped
    if ".." in stripped:
        yield os.path.normpath(stripped)
    if not stripped.isascii():
        for form in ("NFC", "NFD"):
            if (other := unicodedata.normalize(form, stripped)) != stripped:
                yield other
        composed = unicodedata.normalize("NFC", stripped)
        for encoding in _OLD_ENCODINGS:
            with suppress(UnicodeEncodeError):
                yield os.fsdecode(composed.encode(encoding))
