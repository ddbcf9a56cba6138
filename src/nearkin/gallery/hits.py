"""What a gallery tells of its items, and what a search finds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from jaxtyping import Float, Int

from nearkin.gallery.items.columns import ID


@dataclass(frozen=True)
class Item:
    """What a gallery holds of a picture.

    Args:
        id: the item's own for the life of the gallery; never given to another.
        uri: where the picture was when it was added.
        label: class name, if there is one.
        captions: texts that describe the picture.
        metadata: further columns by name; None where the item has no value.
    """

    id: int
    uri: str
    label: str | None
    captions: tuple[str, ...]
    metadata: Mapping[str, Any]

    @staticmethod
    def of(record: Mapping[str, Any]) -> "Item":
        """From a row of the gallery."""
        own = (ID, "uri", "label", "captions")
        id, uri, label, captions = (record[name] for name in own)
        metadata = {name: value for name, value in record.items() if name not in own}
        return Item(id, uri, label, tuple(captions or ()), metadata)


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


class Hits(Sequence[Hit]):
    """The answers to one query, best first: a sequence of `Hit`, each made when it is asked for.

    Args:
        ids: of the items.
        scores: falling.
        item: the item of a place among the hits.

    Example:
        >>> hits = Hits(np.array([7]), np.array([0.5], dtype=np.float32), lambda place: Item(7, "/7.png", None, (), {}))
        >>> hits.ids.tolist(), hits[0].uri, hits[0].score
        ([7], '/7.png', 0.5)
    """

    def __init__(
        self, ids: Int[np.ndarray, " k"], scores: Float[np.ndarray, " k"], item: Callable[[int], Item]
    ) -> None:
        self.ids = ids
        self.scores = scores
        self._item = item

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, place: int) -> Hit: ...
    @overload
    def __getitem__(self, place: slice) -> list[Hit]: ...
    def __getitem__(self, place: int | slice) -> Hit | list[Hit]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        item = self._item(place)
        return Hit(item.id, float(self.scores[place]), item.uri, item.label, item.captions, item.metadata)

    def __iter__(self) -> Iterator[Hit]:
        return (self[place] for place in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Hits({list(self)})"
