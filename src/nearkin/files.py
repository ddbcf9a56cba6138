"""Output files: checked before the work, written whole or not at all; and the one folder for caches.

What took minutes to compute must not be lost because a folder is missing: a command calls `check_output` before it
starts. A file that others may read is never half written: it is made beside its final path and renamed.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from nearkin.errors import InvalidInput


def cache_root() -> Path:
    """The folder of everything that can be made again: `$NEARKIN_CACHE`, or `~/.cache/nearkin`.

    Decoded pictures lie in `pictures/`, indexes of galleries on object stores in `galleries/`.

    Example:
        >>> cache_root().is_dir() or not cache_root().exists()
        True
    """
    return Path(os.environ.get("NEARKIN_CACHE") or "~/.cache/nearkin").expanduser()


def check_output(path: str | Path, option: str = "output", *, suffixes: tuple[str, ...] = ()) -> Path:
    """Check that a file can be written, before the work that it is for; its folder is made.

    A file that is there already is left as it is. A probe is written beside it and removed.

    Args:
        path: of the file.
        option: what the user gave it as, for the message, such as "--report".
        suffixes: the file types that can be written, such as (".html",); any if empty.

    Returns:
        The path, with `~` expanded.

    Raises:
        InvalidInput: it is a folder, has another suffix, or cannot be written there.

    Example:
        >>> check_output(tempfile.gettempdir(), "--report")
        Traceback (most recent call last):
        nearkin.errors.InvalidInput: --report '...' is a folder: expected the name of a file, such as ...
    """
    file = Path(path).expanduser()
    if file.is_dir() or str(path).endswith(("/", os.sep)):
        example = file / f"out{suffixes[0] if suffixes else '.txt'}"
        raise InvalidInput(f"{option} '{path}' is a folder: expected the name of a file, such as {example}")
    if suffixes and file.suffix.lower() not in suffixes:
        raise InvalidInput(f"{option} '{path}': expected a name that ends in {' or '.join(suffixes)}")
    if _is_special(file):
        return file
    check_output_folder(file.parent, option)
    if file.exists() and not os.access(file, os.W_OK):
        raise InvalidInput(f"{option} '{path}' is write-protected: choose another name")
    return file


def check_output_folder(path: str | Path, option: str = "output") -> Path:
    """Check that files can be written into a folder, before the work that they are for; the folder is made.

    Raises:
        InvalidInput: it is a file, or cannot be made or written.

    Example:
        >>> check_output_folder(__file__, "--out")
        Traceback (most recent call last):
        nearkin.errors.InvalidInput: --out: '...' is a file: expected a folder
    """
    folder = Path(path).expanduser()
    blocking = next((above for above in (folder, *folder.parents) if above.exists()), None)
    if blocking is not None and not blocking.is_dir():
        raise InvalidInput(f"{option}: '{blocking}' is a file: expected a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InvalidInput(
            f"{option}: cannot write into '{folder}': {error.strerror}; choose another folder"
        ) from error
    return folder


@contextmanager
def written_whole(path: str | Path, mode: str = "wb", **options: Any) -> Iterator[IO[Any]]:
    """A file to write that appears under its name only when all is written; if that fails, what was there stays.

    Args:
        path: of the file. A link is followed; a terminal, pipe or device is written directly.
        mode: "wb" or "w".
        options: of `open`; text is UTF-8 unless they say otherwise.

    Raises:
        OSError: it cannot be written; nothing is left beside it.

    Example:
        >>> path = Path(tempfile.mkdtemp(), "a.txt")
        >>> with written_whole(path, "w") as file:
        ...     _ = file.write("all of it")
        >>> path.read_text()
        'all of it'
    """
    if "b" not in mode:
        options.setdefault("encoding", "utf-8")
    target = Path(path)
    if _is_special(target):
        with target.open(mode, **options) as direct:
            yield direct
        return
    target = target.resolve()
    beside = target.with_name(f".{target.name[:80]}.{os.getpid()}.part")
    try:
        with beside.open(mode, **options) as file:
            yield file
        if target.exists():
            with suppress(OSError):
                shutil.copymode(target, beside)
        beside.replace(target)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Write a file at once, or leave what was there; text as UTF-8, names that are no UTF-8 as they came.

    Raises:
        OSError: it cannot be written.

    Example:
        >>> write_whole(Path(tempfile.mkdtemp(), "a.txt"), "text")
    """
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    with written_whole(path) as file:
        file.write(data)


def _is_special(path: Path) -> bool:
    """Whether it is there and is no regular file: a terminal, a pipe, /dev/null."""
    try:
        kind = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(kind) and not stat.S_ISDIR(kind)
