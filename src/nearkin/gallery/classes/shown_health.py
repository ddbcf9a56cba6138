"""The health of classes, with examples as people know them."""

from dataclasses import dataclass, fields, replace

from nearkin.gallery.classes.registry import Registered
from nearkin.recognition.health import Health, Misfit, Siblings


@dataclass(frozen=True)
class UnfitExample(Misfit):
    """An example that does not fit its class.

    Args:
        number: of the event that brought it.
        what: its path, or its words.
    """

    number: int
    what: str


@dataclass(frozen=True)
class ConfusedClasses(Siblings):
    """Two classes that are taken for each other.

    Args:
        numbers: of the events that brought the confused examples.
        examples: their paths.
    """

    numbers: tuple[int, ...]
    examples: tuple[str, ...]


def shown_health(found: Health, registered: Registered) -> Health:
    """With numbers and paths of the examples that it speaks of."""
    return replace(
        found,
        misfits=tuple(
            UnfitExample(**_fields(each), number=registered.number(each.row), what=registered.shown(each.row))
            for each in found.misfits
        ),
        siblings=tuple(
            ConfusedClasses(
                **_fields(each),
                numbers=tuple(registered.number(row) for row in each.rows),
                examples=tuple(registered.shown(row) for row in each.rows),
            )
            for each in found.siblings
        ),
    )


def _fields(one: Misfit | Siblings) -> dict:
    return {field.name: getattr(one, field.name) for field in fields(one)}
