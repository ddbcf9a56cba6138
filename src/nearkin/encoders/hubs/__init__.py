"""Models of other libraries, on a hub or in local files, one file for each library.

A file `NAME.py` here loads the models `NAME:...`, such as `timm:resnet50`, `open_clip:ViT-B-32/laion2b_s34b_b79k` or
`transformers:google/siglip-base-patch16-224`. It says so with `LIBRARY = Library(...)`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nearkin.errors import InvalidInput, MissingDependency
from nearkin.registry import Registry


@dataclass(frozen=True)
class Library:
    """How the models of a library are loaded.

    Args:
        name: before the colon.
        module: that has to be installed.
        package: that brings it.
        extra: of nearkin, which installs it.
        form: what stands after the colon, for messages.
        load: makes an encoder of what stands after the colon.
    """

    name: str
    module: str
    package: str
    extra: str
    form: str
    load: Callable[[str], Any]


@dataclass(frozen=True)
class ForeignModel:
    """A model of another library.

    Args:
        library: that it is of.
        name: of the model, after the colon.
    """

    library: Library
    name: str

    def check(self) -> None:
        """Check that the library is installed, and that a model is named.

        Raises:
            InvalidInput: nothing stands after the colon.
            MissingDependency: the library is not installed.
        """
        if not self.name:
            raise InvalidInput(f"'{self.library.name}:' names no model: expected {self.library.form}")
        if find_spec(self.library.module) is None:
            raise MissingDependency(
                self.library.package, self.library.extra, f"model '{self.library.name}:{self.name}'"
            )

    def load(self) -> Any:
        """The encoder.

        Raises:
            ArtefactError: there is no such model, or the hub does not answer and nothing is in the local cache.
        """
        self.check()
        return self.library.load(self.name)


LIBRARIES: Registry[Library] = Registry("nearkin.encoders.hubs", "LIBRARY", "library of models")


def foreign_model(model: object) -> ForeignModel | None:
    """The model of another library that a name or a folder stands for; None if it is none.

    Example:
        >>> foreign_model("timm:resnet50").name, foreign_model("runs/flowers")
        ('resnet50', None)
    """
    if not isinstance(model, str | Path):
        return None
    prefix, colon, name = str(model).partition(":")
    if colon and prefix.replace("_", "-") in LIBRARIES and not Path(model).exists():
        return ForeignModel(LIBRARIES[prefix], name)
    return _in_folder(Path(model))


def _in_folder(folder: Path) -> ForeignModel | None:
    """A folder that transformers wrote has a `config.json` too, which names the type of the model."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if isinstance(config, dict) and "model_type" in config and "nearkin" not in config:
        return ForeignModel(LIBRARIES["transformers"], str(folder))
    return None
