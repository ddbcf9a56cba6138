"""What tells a folder as a gallery, and the encoder that its vectors come from."""

import json

from nearkin.encoders.embedder import Embedder
from nearkin.errors import ArtefactError, EncoderMismatch
from nearkin.gallery.location import Place

FORMAT = 2
# The file that tells a gallery. It never changes: all that does is in the dataset, where a reader sees it of one piece.
MARK = "gallery.json"


def write_mark(place: Place) -> None:
    """Make the place a gallery, when all else is there."""
    place.write(MARK, json.dumps({"format": FORMAT}).encode() + b"\n")


def is_marked(place: Place) -> bool:
    """Whether there is a gallery, sound or damaged."""
    return place.read(MARK) is not None


def check_mark(place: Place) -> None:
    """Pass a gallery that this nearkin can read.

    Raises:
        ArtefactError: no gallery there, its mark is damaged, or another nearkin made it.
    """
    content = place.read(MARK)
    if content is None:
        raise ArtefactError(f"no gallery at '{place}' ({MARK} is missing): make one with `nearkin index`")
    try:
        form = json.loads(content)["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise ArtefactError(f"gallery '{place}': {MARK} is damaged ({error}): restore it, or index anew") from error
    if form != FORMAT:
        way_out = "index anew" if form == 1 else "update nearkin"
        raise ArtefactError(f"gallery '{place}' has format {form}, this nearkin reads {FORMAT}: {way_out}")


def check_encoder(encoder: Embedder, pinned: str, place: Place) -> None:
    """Pass the pinned encoder, and no other.

    Raises:
        EncoderMismatch: another fingerprint; the message names both.
    """
    if (fingerprint := encoder.fingerprint) != pinned:
        raise EncoderMismatch(
            f"gallery '{place}' holds vectors of encoder {pinned}, this is encoder {fingerprint}: their vectors cannot "
            "be compared; use that encoder (a copy is in the gallery), or change the gallery over with "
            "`nearkin reindex`"
        )


def encoder_folder(fingerprint: str) -> str:
    """Where in a gallery the encoder of this fingerprint lies."""
    return "encoders/" + "".join(sign if sign.isalnum() or sign in "-._" else "_" for sign in fingerprint)
