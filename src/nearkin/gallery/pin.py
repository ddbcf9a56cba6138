"""The pin: which encoder a gallery's vectors come from."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from nearkin.encoders.embedder import Embedder
from nearkin.errors import ArtefactError, EncoderMismatch

FORMAT = 1
PIN = "gallery.json"


@dataclass(frozen=True)
class Pin:
    """Which encoder a gallery's vectors come from; `gallery.json` holds it.

    Args:
        encoder: the encoder's fingerprint.
        dim: numbers of a vector.
    """

    encoder: str
    dim: int

    def check(self, encoder: Embedder, gallery: Path) -> None:
        """Pass the pinned encoder, and no other.

        Raises:
            EncoderMismatch: another fingerprint; the message names both.
        """
        if encoder.fingerprint != self.encoder:
            raise EncoderMismatch(
                f"gallery '{gallery}' holds vectors of encoder {self.encoder}, this is encoder {encoder.fingerprint}: "
                "their vectors cannot be compared; use that encoder (a copy is in the gallery), or make a new gallery"
            )

    def write(self, gallery: Path) -> None:
        """Write `gallery.json`."""
        (gallery / PIN).write_text(json.dumps({"format": FORMAT, **asdict(self)}, indent=2) + "\n", encoding="utf-8")

    @staticmethod
    def read(gallery: Path) -> "Pin":
        """Read `gallery.json`.

        Raises:
            ArtefactError: no gallery there, its `gallery.json` is damaged, or a newer nearkin wrote it.
        """
        try:
            content = json.loads((gallery / PIN).read_text(encoding="utf-8"))
            form, pin = content["format"], Pin(str(content["encoder"]), int(content["dim"]))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ArtefactError(
                f"no gallery at '{gallery}' ({PIN} is missing): make one with `nearkin index`"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise ArtefactError(
                f"gallery '{gallery}': {PIN} is damaged ({error}): restore it, or index anew"
            ) from error
        if form != FORMAT:
            raise ArtefactError(f"gallery '{gallery}' has format {form}, this nearkin reads {FORMAT}: update nearkin")
        return pin
