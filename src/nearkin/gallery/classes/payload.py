"""Examples as they are kept: a picture or a region of one, a text, attributes, or a vector; and their vectors."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from jaxtyping import Float
from PIL import Image, ImageOps

from nearkin.arrays import as_unit_vectors
from nearkin.data.decoding import decode, decode_bytes, decode_region
from nearkin.data.face_alignment import aligned_face, aligned_png
from nearkin.data.items import Broken, Picture
from nearkin.data.loading import content_hash
from nearkin.data.names import plain_text, printable
from nearkin.encoders.embedder import AttributeEmbedder, Embedder, PictureLike
from nearkin.errors import InvalidInput, PictureError
from nearkin.gallery.classes.events import PICTURES, Kind

# Longer side of the picture that is kept, in pixels; a file that is no larger is kept as it is, up to so many bytes.
SIDE, AS_IT_IS = 512, 1 << 18
QUALITY = 92


@dataclass(frozen=True)
class Region:
    """A part of a picture.

    Args:
        picture: the whole picture, as `Gallery.search` takes one.
        box: left, top, right and bottom edge in pixels of the picture as it is shown (turned upright).
    """

    picture: Any
    box: tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Payload:
    """An example as it is kept.

    Args:
        kind: what it is.
        shown: what it is called in messages.
        content_hash: of the bytes that the user gave.
        picture: encoded, at most 512 pixels a side.
        size: `(width, height)` of what the user gave, in pixels.
        uri, text, attributes, box, item_id: where it comes from, or what it is.
        attribute_names: what the attributes are of; none where an earlier version kept them.
        vector: unit length, if it is at hand, or all there is.
    """

    kind: Kind
    shown: str
    content_hash: str
    picture: bytes | None = None
    size: tuple[int, int] | None = None
    uri: str | None = None
    text: str | None = None
    attributes: tuple[float, ...] | None = None
    attribute_names: tuple[str, ...] = ()
    box: tuple[int, int, int, int] | None = None
    item_id: int | None = None
    vector: Float[np.ndarray, " dim"] | None = None

    @property
    def key(self) -> str:
        """Names what is embedded: equal keys have equal vectors."""
        content = self.picture if self.picture is not None else self.content_hash.encode()
        return blake2b(f"{self.kind} ".encode() + content, digest_size=16).hexdigest()

    def fields(self) -> dict[str, Any]:
        """The columns of the log that tell of it."""
        return {
            "kind": str(self.kind),
            "uri": self.uri,
            "text": self.text,
            "attributes": None if self.attributes is None else list(self.attributes),
            "attribute_names": list(self.attribute_names) or None,
            "box": None if self.box is None else list(self.box),
            "item_id": self.item_id,
            "picture": self.picture,
            "content_hash": self.content_hash,
            "payload_key": self.key,
        }


def picture_payload(
    source: PictureLike | Region, *, item_id: int | None = None, face_side: int | None = None
) -> Payload | Broken:
    """A picture, or a region of one, to be kept; or why it cannot be.

    Args:
        source: the picture.
        item_id: of the item that it is.
        face_side: pixels of a side, if the encoder takes aligned faces: only the face is kept, as the encoder sees it.

    Raises:
        InvalidInput: a box that is not inside the picture.
    """
    region = source if isinstance(source, Region) else None
    picture, shown = _named(region.picture if region else source)
    uri = picture.uri if isinstance(picture, Picture) else None
    encoded: bytes | None = None
    named: str | None = None
    try:
        if isinstance(picture, Picture):
            encoded = picture.read()
            image = decode_bytes(encoded) if picture.box is None else decode(picture)
        else:
            image = decode(cast(Any, picture))
    except PictureError as error:
        return Broken(shown, str(error).removeprefix(f"{uri}: "))
    if face_side is not None and region is None:
        return _face_payload(picture, shown, image, encoded, face_side, item_id)
    if encoded is not None and isinstance(picture, Picture) and picture.box is not None:
        named, encoded = content_hash(encoded, picture.box), None
    if region is not None:
        image, encoded, shown = _cut(image, region.box, shown), None, f"{shown} {list(region.box)}"
    small = max(image.size) <= SIDE
    kept = encoded if encoded is not None and small and len(encoded) <= AS_IT_IS else _kept(image)
    return Payload(
        Kind.REGION if region else Kind.PICTURE,
        shown,
        named or content_hash(kept if encoded is None else encoded),
        picture=kept,
        size=image.size,
        uri=uri,
        box=region.box if region else None,
        item_id=item_id,
    )


def _face_payload(
    picture: Any, shown: str, image: Image.Image, encoded: bytes | None, side: int, item_id: int | None
) -> Payload:
    """The face of a picture, or of its region, turned upright."""
    uri, box = (picture.uri, picture.box) if isinstance(picture, Picture) else (None, None)
    corners = None
    if box is not None and encoded is not None:
        image, corners = decode_region(encoded, box)
    kept = aligned_png(aligned_face(image, side, corners))
    content = content_hash(kept if encoded is None else encoded, box)
    return Payload(Kind.PICTURE, shown, content, picture=kept, size=image.size, uri=uri, item_id=item_id)


def text_payload(text: Any, position: int) -> Payload:
    """Words to be kept.

    Raises:
        InvalidInput: empty, or no text.
    """
    if not isinstance(text, str) or not text.strip():
        raise InvalidInput(f"text {position} is {text!r}: expected words, such as 'a red heart'")
    plain = " ".join(plain_text(text).split())
    return Payload(Kind.TEXT, f'"{plain}"', content_hash(b"text " + plain.encode()), text=plain)


def attributes_payload(values: Any, encoder: Embedder) -> Payload:
    """Attributes of a class to be kept: numbers in the order of the encoder's, or a mapping from their names.

    Raises:
        InvalidInput: the encoder has no attributes; NaN or infinity; too many, too few or unknown ones.
    """
    names = list(check_attributes(encoder).attributes)
    if isinstance(values, dict) and (as_numbers := getattr(encoder, "attribute_numbers", None)) is not None:
        # Words and categories become numbers as they did in the training.
        values = as_numbers([values])[0]
    if isinstance(values, dict):
        unknown, missing = sorted(set(values) - set(names)), [name for name in names if name not in values]
        if unknown or missing:
            wrong = f"'{unknown[0]}' is none of the model's" if unknown else f"'{missing[0]}' is missing"
            raise InvalidInput(f"attributes: {wrong}: expected {', '.join(names[:8])}{', ...' * (len(names) > 8)}")
        values = [values[name] for name in names]
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"attributes: expected {len(names)} numbers, got {values!r:.80}") from error
    if numbers.shape != (len(names),):
        raise InvalidInput(
            f"attributes of shape {numbers.shape}: the model has {len(names)} ({', '.join(names[:8])}"
            f"{', ...' * (len(names) > 8)})"
        )
    if len(bad := np.flatnonzero(~np.isfinite(numbers))):
        raise InvalidInput(f"attributes: '{names[bad[0]]}' is {numbers[bad[0]]}: expected a number")
    kept = tuple(numbers.tolist())
    content = content_hash(json.dumps([names, kept]).encode())
    return Payload(Kind.ATTRIBUTES, "attributes", content, attributes=kept, attribute_names=tuple(names))


def check_attributes(encoder: Embedder) -> AttributeEmbedder:
    """The encoder, which must have a tower for attributes.

    Raises:
        InvalidInput: it has none.
    """
    if not isinstance(encoder, AttributeEmbedder) or not len(encoder.attributes):
        raise InvalidInput(
            f"encoder {encoder.fingerprint} knows no attributes: train one with `nearkin train --attributes FILE`"
        )
    return encoder


def vector_payloads(vectors: npt.ArrayLike, dim: int) -> list[Payload]:
    """Vectors of the encoder to be kept. They cannot be carried over to another encoder.

    Raises:
        InvalidInput: another dimension, NaN, or a zero vector.
    """
    unit = as_unit_vectors(vectors, "vectors", dim=dim)
    if len(zero := np.flatnonzero(~unit.any(axis=1))):
        raise InvalidInput(f"vectors: row {zero[0]} is the zero vector, which has no direction")
    return [
        Payload(Kind.VECTOR, f"vector {row}", content_hash(vector.tobytes()), vector=vector)
        for row, vector in enumerate(unit)
    ]


def embed(payloads: Sequence[Payload], encoder: Embedder, *, batch: int = 256) -> Float[np.ndarray, "n dim"]:
    """Unit vectors of payloads; those that are vectors themselves stay as they are.

    Raises:
        InvalidInput: words or attributes, and the encoder embeds none.
    """
    vectors = np.empty((len(payloads), encoder.dim), np.float32)

    def fill(kinds: Sequence[Kind], embedded: Callable[[list[Payload]], np.ndarray]) -> None:
        rows = [row for row, payload in enumerate(payloads) if payload.kind in kinds and payload.vector is None]
        for start in range(0, len(rows), batch):
            part = rows[start : start + batch]
            vectors[part] = embedded([payloads[row] for row in part])

    fill(PICTURES, lambda some: embed_encoded([payload.picture or b"" for payload in some], encoder))
    fill([Kind.TEXT], lambda some: encoder.embed_texts([payload.text or "" for payload in some]))
    fill(
        [Kind.ATTRIBUTES],
        lambda some: check_attributes(encoder).embed_attributes(
            np.array([_numbers(payload, encoder) for payload in some], np.float64)
        ),
    )
    for row, payload in enumerate(payloads):
        if payload.vector is not None:
            vectors[row] = payload.vector
    return vectors


def why_not(payload: Payload, encoder: Embedder) -> str | None:
    """Why an encoder cannot embed an example, as "bare vectors of another encoder"; None if it can."""
    if payload.kind in PICTURES:
        return None if payload.picture is not None else "pictures that are not kept"
    if payload.kind == Kind.TEXT:
        return None if encoder.has_text else "words, which it does not embed"
    if payload.kind == Kind.VECTOR:
        return "bare vectors of another encoder"
    expected = encoder.attributes if isinstance(encoder, AttributeEmbedder) else ()
    if not len(expected):
        return "attributes, which it does not embed"
    if not payload.attribute_names:
        numbers = len(payload.attributes or ())
        return None if len(expected) == numbers else f"{numbers} attributes without names, where it has {len(expected)}"
    missing = [name for name in expected if name not in payload.attribute_names]
    return f"attributes without '{missing[0]}'" if missing else None


def _numbers(payload: Payload, encoder: Embedder) -> tuple[float, ...]:
    """The attributes of an example in the order of the encoder's."""
    assert payload.attributes is not None
    if not payload.attribute_names:
        return payload.attributes
    numbers = dict(zip(payload.attribute_names, payload.attributes, strict=True))
    return tuple(numbers[name] for name in check_attributes(encoder).attributes)


def embed_encoded(pictures: Sequence[bytes], encoder: Embedder) -> Float[np.ndarray, "n dim"]:
    """Unit vectors of encoded pictures that are kept."""
    return encoder.embed_pixels(np.stack([encoder.preprocessing.apply(decode_bytes(one)) for one in pictures]))


def _named(picture: Any) -> tuple[Any, str]:
    """A picture, a path as the picture that lies there, and what it is called in messages."""
    if isinstance(picture, Picture):
        return picture, picture.uri
    if isinstance(picture, str) or hasattr(picture, "__fspath__"):
        return Picture(str(Path(picture).absolute())), printable(str(picture))
    return picture, getattr(picture, "filename", "") or "picture"


def _cut(image: Image.Image, box: Sequence[int], shown: str) -> Image.Image:
    left, top, right, bottom = box
    if not (0 <= left < right <= image.width and 0 <= top < bottom <= image.height):
        raise InvalidInput(
            f"box {list(box)} of {shown}: expected left < right and top < bottom, inside {image.width} x {image.height}"
            " pixels"
        )
    return image.crop((left, top, right, bottom))


def _kept(image: Image.Image) -> bytes:
    """The picture at most 512 pixels a side: as JPEG, a small one without loss."""
    small = image if max(image.size) <= SIDE else ImageOps.contain(image, (SIDE, SIDE), Image.Resampling.LANCZOS)
    encoded = BytesIO()
    if max(image.size) <= SIDE:
        small.save(encoded, "PNG")
        if len(encoded.getvalue()) <= AS_IT_IS:
            return encoded.getvalue()
        encoded = BytesIO()
    small.save(encoded, "JPEG", quality=QUALITY, subsampling=0)
    return encoded.getvalue()
