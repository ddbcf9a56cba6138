"""A picture: where its encoded bytes lie, and what keeps them from being read."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nearkin.data.box import Box, region_uri, split_region
from nearkin.data.names import printable
from nearkin.errors import PictureError

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@dataclass(frozen=True)
class Picture:
    """Where one encoded picture lies, and how to get its bytes.

    Args:
        uri: path of a file, or any other name that tells it from all others, such as `hf://name/split#row`. It is kept
            as valid Unicode: bytes of a file's name that are not UTF-8 become escapes such as \\xef.
        read_bytes: returns the encoded bytes; None for a file.
        box: the region of it that is meant; None for all of it. The uri of a region ends in `#xywh=x,y,width,height`,
            and such an ending of a uri that is no file's name is a box.
    """

    uri: str
    read_bytes: Callable[[], bytes] | None = None
    box: Box | None = None

    def __post_init__(self) -> None:
        if "#xywh=" in self.uri and self.box is None and (self.read_bytes or not os.path.lexists(self.uri)):
            object.__setattr__(self, "box", split_region(self.uri)[1])
        elif self.box is not None and not self.uri.endswith(f"#xywh={self.box}"):
            object.__setattr__(self, "uri", region_uri(self.uri, self.box))
        if "\0" in self.uri:
            object.__setattr__(self, "read_bytes", self.read_bytes or Unreadable("a zero byte in its name"))
            object.__setattr__(self, "uri", self.uri.replace("\0", "\\x00"))
        if not self.uri.isascii() and (uri := printable(self.uri)) != self.uri:
            if self.read_bytes is None:
                object.__setattr__(self, "read_bytes", FileBytes(self.whole_uri))
            object.__setattr__(self, "uri", uri)

    @property
    def whole_uri(self) -> str:
        """The uri of the whole picture, of which this may be a region."""
        return self.uri if self.box is None else split_region(self.uri)[0]

    def region(self, box: Box) -> "Picture":
        """A region of this picture."""
        return Picture(self.whole_uri, self.read_bytes, box)

    def read(self) -> bytes:
        """The encoded bytes of the whole picture.

        Raises:
            PictureError: missing, not a regular file, or not readable.
        """
        try:
            return read_file(self.whole_uri) if self.read_bytes is None else self.read_bytes()
        except OSError as error:
            raise PictureError(f"{self.uri}: {error.strerror or error}") from error
        except PictureError as error:
            raise PictureError(f"{self.uri}: {str(error).removeprefix(f'{self.uri}: ')}") from error


@dataclass(frozen=True)
class Broken:
    """A picture that was skipped, and why."""

    uri: str
    reason: str

    def __str__(self) -> str:
        return f"{self.uri}: {self.reason}"


@dataclass(frozen=True)
class FileBytes:
    """Reads a file of any name."""

    path: str

    def __call__(self) -> bytes:
        return read_file(self.path)


def file_of(picture: Picture) -> str | None:
    """The path of a picture's file as the file system knows it; None if it comes from elsewhere."""
    if picture.read_bytes is None:
        return picture.whole_uri
    return picture.read_bytes.path if isinstance(picture.read_bytes, FileBytes) else None


@dataclass(frozen=True)
class Unreadable:
    """Says why a picture cannot be read, where that is known before."""

    reason: str

    def __call__(self) -> bytes:
        raise PictureError(self.reason)


def read_file(path: str) -> bytes:
    """The bytes of a regular file; a pipe, a device or a folder is never opened.

    Raises:
        PictureError: it is something else.
        OSError: missing, or not readable.
    """
    if kind := not_a_file(os.stat(path).st_mode):  # noqa: PTH116
        raise PictureError(f"{kind}, not a file")
    return Path(path).read_bytes()


def not_a_file(mode: int) -> str:
    """What an entry of the file system is if it is not a regular file ("a named pipe"); "" if it is one."""
    if stat.S_ISREG(mode):
        return ""
    return next((kind for is_kind, kind in _KINDS if is_kind(mode)), "a special file")
