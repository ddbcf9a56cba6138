"""One picture from its file to pixels: read, named by its content, and decoded unless its content is known."""

from collections.abc import Container
from dataclasses import dataclass
from hashlib import blake2b

from PIL import Image

from nearkin.data.decoding import decode_bytes
from nearkin.data.picture import Broken, Picture
from nearkin.errors import PictureError


@dataclass(frozen=True, eq=False)
class Loaded:
    """A picture that was read.

    Args:
        content_hash: of its encoded bytes.
        image: decoded, of mode L or RGB; None where the content was known.
    """

    content_hash: str
    image: Image.Image | None


def content_hash(encoded: bytes) -> str:
    """32 hex digits that name these bytes."""
    return blake2b(encoded, digest_size=16).hexdigest()


def load_picture(picture: Picture, *, size: tuple[int, int], known: Container[str | None] = ()) -> Loaded | Broken:
    """A picture, or why it is broken.

    Args:
        picture: what to read.
        size: `(width, height)` that it will be shrunk to; see the hint of `decode`.
        known: content hashes of pictures that need no decoding.
    """
    try:
        encoded = picture.read()
        name = content_hash(encoded)
        return Loaded(name, None if name in known else decode_bytes(encoded, hint=size))
    except PictureError as error:
        return Broken(picture.uri, str(error).removeprefix(f"{picture.uri}: "))
