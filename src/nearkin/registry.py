"""Registries that fill themselves: what a package offers is what files it has, one entry a file.

A file `semi_hard_triplet.py` in the package of losses is the loss `semi-hard-triplet`. It declares itself by one
attribute of a fixed name. So adding an entry is adding a file, listing the names imports nothing, and an entry is
imported when it is first asked for.
"""

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Generic, TypeVar

from nearkin.errors import UnknownName

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """The entries of one package by name, in alphabetical order.

    Args:
        package: whose modules are the entries; modules whose names begin with "_" and subpackages are none.
        attribute: that every such module defines.
        kind: what an entry is, for messages: "loss".
        way_out: what else the user can do where a name is unknown; the end of the message.

    Example:
        >>> things = Registry("nearkin.intervals", "__doc__", "way to an interval")
        >>> "bootstrap" in things
        True
    """

    def __init__(self, package: str, attribute: str, kind: str, way_out: str = "") -> None:
        self.package = package
        self.attribute = attribute
        self.kind = kind
        self.way_out = way_out

    def __getitem__(self, name: str) -> T:
        """The entry; underscores and hyphens are the same.

        Raises:
            UnknownName: there is none; near names are suggested. (It is no KeyError: `in` and `get` work all the same.)
        """
        self.check(name)
        module = import_module(f"{self.package}.{name.replace('-', '_')}")
        entry: T = getattr(module, self.attribute)
        return entry

    def check(self, name: str) -> None:
        """Refuse a name that no entry has; nothing is imported.

        Raises:
            UnknownName: near names are suggested.
        """
        if name not in self:
            raise UnknownName(self.kind, name, self.names, self.way_out)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.replace("_", "-") in self.names

    def get(self, name: str, default: T | None = None) -> T | None:  # type: ignore[override]
        try:
            return self[name]
        except UnknownName:
            return default

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """All names, with hyphens; nothing is imported."""
        return module_names(self.package)


def module_names(package: str) -> tuple[str, ...]:
    """Names of a package's public modules, with hyphens, in alphabetical order; none of them is imported.

    Example:
        >>> "all-pairwise" in module_names("nearkin.intervals")
        True
    """
    top, *below = package.split(".")
    spec = find_spec(top)
    assert spec is not None, f"no package {top}"
    # By folder: to ask for the spec of a package within a package would import the outer one.
    folders = [str(Path(root, *below)) for root in spec.submodule_search_locations or ()]
    found = pkgutil.iter_modules(folders)
    return tuple(sorted(one.name.replace("_", "-") for one in found if not one.name.startswith("_") and not one.ispkg))
