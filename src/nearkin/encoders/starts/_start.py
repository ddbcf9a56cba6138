"""What a start says of itself, and the packaged file that its weights are in."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nearkin.errors import ArtefactError, MissingDependency

if TYPE_CHECKING:
    from torch import Tensor


class StartModel(NamedTuple):
    """A start as a model: what an artefact holds, before it is one.

    Args:
        config: what to build, as in `config.json`.
        weights: tensors by name.
        card: the model card, in Markdown.
    """

    config: dict[str, Any]
    weights: "dict[str, Tensor]"
    card: str


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


@dataclass(frozen=True)
class Start:
    """A pretrained model by name.

    Args:
        name: of the start, as it is typed.
        summary: what it is good for, in a line.
        embeds: "pictures", "texts", "faces", or "pictures and texts".
        licence: of the weights.
        source: who trained it, and where that is described.
        files: that its packages bring.
        extra: of nearkin, that installs them.
        read: makes a model of the files, each of which was checked.
        backbone: name of the network to train from these weights, if it can be trained further.
    """

    name: str
    summary: str
    embeds: str
    licence: str
    source: str
    files: tuple[PackagedFile, ...]
    extra: str
    read: Callable[..., StartModel]
    backbone: str | None = None

    @property
    def packages(self) -> tuple[str, ...]:
        """What has to be installed."""
        return tuple(dict.fromkeys(file.package for file in self.files))

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(file.size for file in self.files)

    @property
    def is_installed(self) -> bool:
        """Whether its files are there; whether they are the right ones is checked when they are read."""
        return all(file.find() is not None for file in self.files)

    @property
    def install(self) -> str:
        """The line that installs it."""
        return f"pip install 'nearkin[{self.extra}]'"

    def check(self) -> None:
        """Refuse a start whose packages are not installed.

        Raises:
            MissingDependency: the message has the line that installs it.
        """
        for file in self.files:
            if file.find() is None:
                raise MissingDependency(file.package, self.extra, f"start '{self.name}'")

    def model(self) -> StartModel:
        """The start as a model.

        Raises:
            MissingDependency: its package is not installed.
            ArtefactError: the package's file is damaged, or of another version.
        """
        files = [file.checked(self.extra, f"start '{self.name}'") for file in self.files]
        return self.read(*files)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
