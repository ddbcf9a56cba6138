"""The error tree: what nearkin raises on purpose.

NearkinError
├── InvalidInput         an argument, file, table, row or picture is not what was expected (also a ValueError)
│   ├── SourceError      a data source cannot be read, is empty, or its table is at fault
│   ├── PictureError     a picture cannot be decoded, or decoding it would be unsafe
│   └── UnknownName      no such backbone, loss, column, ...; the message suggests near names
├── EncoderMismatch      vectors, a gallery or a threshold belong to another encoder
├── ArtefactError        a saved model or gallery folder is missing, incomplete or damaged
├── TrainingError        training could not go on (NaN, nothing to learn from)
└── MissingDependency    an optional package is not installed (also an ImportError)

Every message says what came, what was expected, and what to do.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class NearkinError(Exception):
    """Root of all errors that nearkin raises on purpose."""


class InvalidInput(NearkinError, ValueError):
    """An argument, file, table, row or picture is not what was expected."""


class SourceError(InvalidInput):
    """A data source cannot be read, is empty, or its table is at fault."""


class PictureError(InvalidInput):
    """A picture cannot be decoded, or decoding it would be unsafe."""


class UnknownName(InvalidInput):
    """No such backbone, loss, column, ...; the message suggests near names."""

    def __init__(self, kind: str, name: str, known: Iterable[str], way_out: str = "") -> None:
        known = sorted(known)
        lower = {one.lower(): one for one in known}
        near = [lower[one] for one in get_close_matches(name.lower(), lower, n=3, cutoff=0.5)]
        hint = f"did you mean {' or '.join(near)}?" if near else ""
        if len(known) <= 12:
            hint += f"{' ' if near else ''}known: {', '.join(known)}"
        elif not near:
            hint = f"{len(known)} are known, such as {', '.join(known[:3])}"
        way_out = f"{' ' if hint.endswith('?') else '; '}{way_out}" if way_out else ""
        super().__init__(f"unknown {kind} '{name}': {hint}{way_out}")


class EncoderMismatch(NearkinError):
    """Vectors, a gallery or a threshold belong to another encoder."""


class ArtefactError(NearkinError):
    """A saved model or gallery folder is missing, incomplete or damaged."""


class TrainingError(NearkinError):
    """Training could not go on."""


class MissingDependency(NearkinError, ImportError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs the package '{package}': pip install 'nearkin[{extra}]'")
