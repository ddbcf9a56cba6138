"""What a start says of itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from nearkin.data.packaged_file import PackagedFile
from nearkin.errors import MissingDependency

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
