"""One picture from its file to pixels: read, named by its content, and decoded unless its content is known."""

from collections.abc import Container
from dataclasses import dataclass
from hashlib import blake2b

from PIL import Image

from nearkin.data.box import Box
from nearkin.data.decoding import decode_bytes, decode_region
from nearkin.data.picture import Broken, Picture
from nearkin.errors import PictureError


@dataclass(frozen=True, eq=False)
class Loaded:
    """A picture that was read.

    Args:
        content_hash: of its encoded bytes, and of the region if it is one.
        image: decoded, of mode L or RGB; None where the content was known. Of a region the whole picture.
        corners: left, top, right and bottom of the region in it; None for all of it.
    """

    content_hash: str
    image: Image.Image | None
    corners: tuple[int, int, int, int] | None = None

    @property
    def shown(self) -> Image.Image:
        """The picture, or the region of it."""
        assert self.image is not None
        return self.image if self.corners is None else self.image.crop(self.corners)


def content_hash(encoded: bytes, box: Box | None = None) -> str:
    """32 hex digits that name these bytes, or a region of the picture in them."""
    name = blake2b(encoded, digest_size=16)
    if box is not None:
        name.update(f"#xywh={box}".encode())
    return name.hexdigest()


def load_picture(picture: Picture, *, size: tuple[int, int], known: Container[str | None] = ()) -> Loaded | Broken:
    """A picture, or why it is broken.

    Args:
        picture: what to read.
        size: `(width, height)` that it will be shrunk to; see the hint of `decode`.
        known: content hashes of pictures that need no decoding.
    """
    try:
        encoded = picture.read()
        name = content_hash(encoded, picture.box)
        if name in known:
            return Loaded(name, None)
        if picture.box is not None:
            return Loaded(name, *decode_region(encoded, picture.box))
        return Loaded(name, decode_bytes(encoded, hint=size))
    except PictureError as error:
        return Broken(picture.uri, str(error).removeprefix(f"{picture.uri}: "))
