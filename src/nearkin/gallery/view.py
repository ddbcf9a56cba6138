"""One version of a gallery as a reader sees it: what is found in it, and what the findings look like."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from nearkin.errors import InvalidInput
from nearkin.gallery.columns import ID, THUMBNAIL, metadata_names
from nearkin.gallery.indexes import ExactIndex
from nearkin.gallery.store import Snapshot


@dataclass(frozen=True)
class Hit:
    """One answer of a search.

    Args:
        id: of the item; it is the item's own for the life of the gallery.
        score: cosine of the angle to the query, -1..1; higher means more alike.
        uri: where the picture was when it was added.
        label: class name, if there is one.
        captions: texts that describe the picture.
        metadata: further columns by name; None where the item has no value.
    """

    id: int
    score: float
    uri: str
    label: str | None
    captions: tuple[str, ...]
    metadata: Mapping[str, Any]


class View:
    """One version of a gallery's items, with the index over their vectors.

    Args:
        snapshot: the version.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    @cached_property
    def index(self) -> ExactIndex:
        """Loaded when first needed; its rows are in the order of the ids."""
        ids, vectors = self.snapshot.vectors()
        self._row_of = np.argsort(ids)
        self._ids = ids[self._row_of]
        return ExactIndex(vectors[self._row_of])

    def search(self, query: Float[np.ndarray, " dim"], k: int) -> list[Hit]:
        """The min(k, n) items whose vectors are most alike, best first; of equal scores the lower id first."""
        scores, found = (column[0] for column in self.index.search(query[None], min(k, len(self.index))))
        rows = self._row_of[found]
        metadata = metadata_names(self.snapshot.schema)
        records = self.snapshot.take(rows, [ID, "uri", "label", "captions", *metadata]).to_pylist()
        return [
            Hit(
                id=record[ID],
                score=score,
                uri=record["uri"],
                label=record["label"],
                captions=tuple(record["captions"] or ()),
                metadata={name: record[name] for name in metadata},
            )
            for score, record in zip(scores.tolist(), records, strict=True)
        ]

    def thumbnail(self, id: int) -> Image.Image:
        """The small picture of an item.

        Raises:
            InvalidInput: no item has this id.
        """
        rows = self._row_of[: len(self.index)][self._ids == id]
        if not len(rows):
            raise InvalidInput(f"no item has the id {id}: take it from a hit")
        encoded = self.snapshot.take(rows, [THUMBNAIL])[THUMBNAIL][0].as_py()
        return Image.open(BytesIO(encoded))
