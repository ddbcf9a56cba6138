"""What the calls that change the class registry say they did."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Reason = Literal[
    "no name",
    "unreadable",
    "too small",
    "near copy",
    "another name",
    "nearer to another class",
    "far from its class",
    "rejected",
    "ignored",
]


@dataclass(frozen=True)
class Taken:
    """An example that a class got.

    Args:
        name: of the class.
        what: path or text of the example.
        number: of the event.
    """

    name: str
    what: str
    number: int


@dataclass(frozen=True)
class Refused:
    """An example that was not taken.

    Args:
        name: of the class.
        what: path or text of the example.
        reason: why, in a word or two.
        detail: why, in a sentence.
    """

    name: str
    what: str
    reason: Reason
    detail: str

    def __str__(self) -> str:
        return f"{self.what}: {self.detail}"


@dataclass(frozen=True)
class EnrollSummary:
    """What an enrolment did.

    Args:
        taken: examples that count from now on.
        refused: examples that were not taken, and why.
        change: number that `undo` takes; None if nothing was taken.
        notes: what else there is to say, such as under which name a class is known.
    """

    taken: tuple[Taken, ...]
    refused: tuple[Refused, ...]
    change: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RegistryChange:
    """What a correction did.

    Args:
        change: its number, which `undo` takes.
        action: such as "reject".
        what: what was done, in a sentence.
        examples: how many examples it concerns.
        items: ids of items that were examples of an erased class, and are still in the gallery.
    """

    change: int
    action: str
    what: str
    examples: int
    items: tuple[int, ...] = ()


@dataclass(frozen=True)
class ClassInfo:
    """One class of the registry.

    Args:
        name: as it is shown.
        examples: how many count.
        kinds: of them, how many of each kind.
        rejected: pictures that are not to get this name.
        since: when the first of the examples was enrolled, UTC.
    """

    name: str
    examples: int
    kinds: Mapping[str, int]
    rejected: int
    since: datetime | None
