"""Where a gallery is stored: a local folder, or a prefix of an object store such as `s3://bucket/shop`."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory

from nearkin.errors import ArtefactError, InvalidInput
from nearkin.files import cache_root, write_whole
from nearkin.gallery.lance import LanceFileSession

LOCK, CACHE = ".lock", "derived"


class Folder:
    """A local folder. Writers take turns, by a file lock."""

    shared = False
    storage: dict[str, str] | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        # For files that can be made again from the items.
        self.cache = path / CACHE

    def __str__(self) -> str:
        return str(self.path)

    def uri(self, name: str) -> str:
        """Of a Lance dataset in the gallery."""
        return str(self.path / name)

    def read(self, name: str) -> bytes | None:
        """A file, None if there is none."""
        try:
            return (self.path / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, name: str, content: bytes) -> None:
        write_whole(self.path / name, content)

    def folder(self, name: str) -> Path:
        """A folder of the gallery, on this machine."""
        return self.path / name

    def put_folder(self, name: str, folder: Path) -> None:
        """Copy a folder into the gallery, whole or not at all, unless it is there already."""
        target = self.path / name
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            with TemporaryDirectory(prefix=".new-", dir=self.path) as beside:
                copy = Path(beside, "copy")
                copy.mkdir()
                # Not copytree, which tells of a full disk as a list of tuples.
                for file in folder.iterdir():
                    shutil.copy(file, copy)
                copy.rename(target)

    def folders(self, name: str) -> set[str]:
        """Names of the folders in a folder."""
        return {path.name for path in (self.path / name).glob("*/")}

    def remove(self, name: str) -> None:
        """Remove a folder, if there is one."""
        shutil.rmtree(self.path / name, ignore_errors=True)

    def check_empty(self) -> None:
        """Check that a gallery can be made here.

        Raises:
            InvalidInput: the folder is not empty.
        """
        if self.path.exists() and any(self.path.iterdir()):
            raise InvalidInput(f"'{self}' is not empty and is not a gallery: choose another folder")

    @contextmanager
    def made(self) -> Iterator["Folder"]:
        """A temporary location that becomes this one when the context ends, so that a killed process leaves no half of
        a gallery.

        Raises:
            InvalidInput: the folder is not empty, or cannot be made, or its name is not UTF-8.
        """
        try:
            str(self.path).encode()
        except UnicodeEncodeError as error:
            # Lance takes no other names.
            raise InvalidInput(
                f"cannot make a gallery at '{self}': the name is not UTF-8; choose another folder"
            ) from error
        try:
            self.check_empty()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(prefix=f".{self.path.name}-", dir=self.path.parent) as beside:
                new = Path(beside, self.path.name)
                new.mkdir()
                yield Folder(new)
                new.rename(self.path)
        except OSError as error:
            raise InvalidInput(f"cannot make a gallery at '{self}': {error.strerror or error}") from error

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no other process writes, and keep others from writing. The lock ends with its process."""
        from filelock import FileLock

        lock = FileLock(self.path / LOCK)
        try:
            lock.acquire()
        except OSError as error:
            raise ArtefactError(f"gallery '{self}' cannot be written: {error.strerror or error}") from error
        try:
            yield
        finally:
            lock.release()


class ObjectStore:
    """A prefix of an object store. Several machines may write at once, and no lock can order them.

    Args:
        url: such as `s3://bucket/shop`.
        storage: options as Lance takes them; the others come from the environment.
    """

    shared = True

    def __init__(self, url: str, storage: Mapping[str, str] | None) -> None:
        self.url = url
        self.storage: dict[str, str] | None = dict(storage) if storage else None
        self._local = cache_root() / "galleries" / blake2b(url.encode(), digest_size=12).hexdigest()
        self.cache = self._local / CACHE

    def __str__(self) -> str:
        return self.url

    def uri(self, name: str) -> str:
        return f"{self.url}/{name}"

    def read(self, name: str) -> bytes | None:
        with self._errors(), TemporaryDirectory() as folder:
            if not self._files.contains(name):
                return None
            self._files.download_file(name, f"{folder}/file")
            return Path(folder, "file").read_bytes()

    def write(self, name: str, content: bytes) -> None:
        with self._errors(), TemporaryDirectory() as folder:
            Path(folder, "file").write_bytes(content)
            self._files.upload_file(f"{folder}/file", name)
        if (copy := self._local / name).exists():
            write_whole(copy, content)

    def folder(self, name: str) -> Path:
        target = self._local / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._errors(), TemporaryDirectory(prefix=".new-", dir=target.parent) as beside:
                copy = Path(beside, "copy")
                copy.mkdir()
                for file in self._files.list(name):
                    self._files.download_file(file, str(copy / Path(file).name))
                if not target.exists():
                    copy.rename(target)
        return target

    def put_folder(self, name: str, folder: Path) -> None:
        with self._errors():
            for file in folder.iterdir():
                self._files.upload_file(str(file), f"{name}/{file.name}")

    def folders(self, name: str) -> set[str]:
        with self._errors():
            return {Path(file).relative_to(name).parts[0] for file in self._files.list(name)}

    def remove(self, name: str) -> None:
        with self._errors():
            for file in self._files.list(name):
                self._files.delete_file(file)

    def check_empty(self) -> None:
        """A prefix without the file that marks a gallery counts as empty."""

    @contextmanager
    def made(self) -> Iterator["ObjectStore"]:
        """The location itself: the file that marks a gallery is written last."""
        yield self

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No lock: Lance resolves concurrent writes."""
        yield

    @cached_property
    def _files(self) -> LanceFileSession:
        return LanceFileSession(self.url, self.storage)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """The object store's errors as ours."""
        try:
            yield
        except (OSError, ValueError) as error:
            reason = str(error).partition(", /")[0].splitlines()[0]
            raise ArtefactError(f"gallery '{self.url}' cannot be reached: {reason}") from error


Location = Folder | ObjectStore


def location_of(path: str | Path, storage: Mapping[str, str] | None = None) -> Location:
    """The location that a path or a URL names.

    Args:
        path: a local folder, or a URL of an object store: `s3://bucket/name`, `gs://...`, `az://...`.
        storage: options of the object store as Lance takes them, such as `{"region": "eu-west-1"}`. Options that are
            not given come from the environment (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, ...).

    Example:
        >>> location_of("/galleries/shop").uri("items.lance"), str(location_of("s3://bucket/shop/"))
        ('/galleries/shop/items.lance', 's3://bucket/shop')
    """
    if "://" in str(path):
        return ObjectStore(str(path).rstrip("/"), storage)
    return Folder(Path(path).absolute())
