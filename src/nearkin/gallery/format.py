"""What marks a folder as a gallery, and which encoder its vectors come from."""

import json

from nearkin.encoders.embedder import Embedder
from nearkin.errors import ArtefactError, EncoderMismatch
from nearkin.gallery.location import Location

FORMAT = 2
# The file that marks a gallery. It never changes: all that changes is in the dataset, where each commit is atomic.
MARK = "gallery.json"


def write_mark(location: Location) -> None:
    """Mark the location as a gallery; the last step of making one."""
    location.write(MARK, json.dumps({"format": FORMAT}).encode() + b"\n")


def is_marked(location: Location) -> bool:
    """Whether there is a gallery, intact or damaged."""
    return location.read(MARK) is not None


def check_mark(location: Location) -> None:
    """Check that there is a gallery that this version of nearkin can read.

    Raises:
        ArtefactError: no gallery there, its gallery.json is damaged, or it has another format.
    """
    content = location.read(MARK)
    if content is None:
        raise ArtefactError(f"no gallery at '{location}' ({MARK} is missing): make one with `nearkin index`")
    try:
        form = json.loads(content)["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise ArtefactError(
            f"gallery '{location}': {MARK} is damaged ({error}): restore it, or index the pictures again"
        ) from error
    if form != FORMAT:
        way_out = "index the pictures again" if form == 1 else "update nearkin"
        raise ArtefactError(f"gallery '{location}' has format {form}, this nearkin reads {FORMAT}: {way_out}")


def check_encoder(encoder: Embedder, expected: str, location: Location) -> None:
    """Check that this is the encoder that the gallery's vectors come from.

    Raises:
        EncoderMismatch: another fingerprint; the message names both.
    """
    if (fingerprint := encoder.fingerprint) != expected:
        raise EncoderMismatch(
            f"gallery '{location}' holds vectors of encoder {expected}, this is encoder {fingerprint}: their vectors "
            "cannot be compared; use that encoder (a copy is in the gallery), or change the gallery's encoder with "
            "`nearkin reindex`"
        )


def encoder_folder(fingerprint: str) -> str:
    """The folder of a gallery that holds the encoder with this fingerprint."""
    return "encoders/" + "".join(sign if sign.isalnum() or sign in "-._" else "_" for sign in fingerprint)
