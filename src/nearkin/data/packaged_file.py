"""Weights that an installed package brings: found without importing it, and checked."""

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from nearkin.errors import ArtefactError, MissingDependency


@dataclass(frozen=True)
class PackagedFile:
    """A file of weights that an installed package brings.

    Args:
        package: to install.
        module: that the package puts into the environment; it is not imported.
        path: of the file, in the module's folder.
        size: bytes of the file.
        sha256: of the file.
    """

    package: str
    module: str
    path: str
    size: int
    sha256: str

    def find(self) -> Path | None:
        """Where the file lies, if the package is installed."""
        spec = find_spec(self.module)
        folders = [] if spec is None else spec.submodule_search_locations or []
        found = [Path(folder, self.path) for folder in folders if Path(folder, self.path).is_file()]
        return found[0] if found else None

    def checked(self, extra: str, purpose: str) -> Path:
        """The file, if it is the one that is meant.

        Args:
            extra: of nearkin, that installs the package.
            purpose: what needs it, for the message.

        Raises:
            MissingDependency: the package is not installed.
            ArtefactError: its file is another one: damaged, or of another version.
        """
        path = self.find()
        if path is None:
            raise MissingDependency(self.package, extra, purpose)
        size = path.stat().st_size
        if size != self.size:
            raise ArtefactError(
                f"'{path}' has {size:,} bytes, expected {self.size:,}: it is damaged, or of another version; "
                f"install {self.package} again"
            )
        if _sha256(path) != self.sha256:
            raise ArtefactError(
                f"'{path}' is not the file that nearkin knows (another SHA-256): install {self.package} again"
            )
        return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
