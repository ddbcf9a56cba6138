"""What a gallery holds of an item, and what a search finds: shown as a table in a notebook, or taken into pandas."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, overload

import numpy as np
from jaxtyping import Float, Int

from nearkin.errors import MissingDependency
from nearkin.gallery.items.columns import ID
from nearkin.gallery.notebook import as_html

if TYPE_CHECKING:
    import pandas

# The small picture of an item, encoded; None if there is none.
Thumbnail = Callable[[], bytes | None]


class _Shown:
    """A notebook shows it with its picture, if it came from a gallery."""

    _thumbnail: ClassVar[Thumbnail | None] = None

    def _with_thumbnail(self, thumbnail: Thumbnail) -> None:
        # Not a field: neither compared nor written as JSON.
        object.__setattr__(self, "_thumbnail", thumbnail)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_thumbnail"}

    def _repr_html_(self) -> str:
        return as_html([self])


@dataclass(frozen=True)
class Item(_Shown):
    """What a gallery holds of a picture.

    Args:
        id: stays the same for the life of the gallery, and is never given to another item.
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
class Hit(_Shown):
    """One result of a search.

    Args:
        id: of the item.
        score: cosine similarity to the query, -1..1; higher means more alike.
        uri, label, captions, metadata: of the item, see `Item`.
    """

    id: int
    score: float
    uri: str
    label: str | None
    captions: tuple[str, ...]
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class ChanceLimit:
    """Which scores a calibrated search takes for the same, and how many hits to expect by chance.

    Args:
        far: false accept rate of one comparison.
        threshold: the score that the calibration gives for this rate; hits reach it.
        compared: items that the query was compared with.
    """

    far: float
    threshold: float
    compared: int

    @property
    def expected_chance_hits(self) -> float:
        """Expected number of hits that show something else than the query: far times the comparisons."""
        return self.far * self.compared

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**vars(self), "expected_chance_hits": self.expected_chance_hits}


@dataclass(frozen=True)
class WordLimit:
    """From which score on a picture matches words, so that words without an answer seldom get a hit.

    Args:
        fpir: false positive identification rate: of queries in words whose answer is not among the items, the share
            that gets a hit all the same.
        threshold: the score that hits reach.
        fpir_low, fpir_high: 95 % interval of the share that as many other queries reach.
        language: whose captions it was measured with.
        captions: how many these are.
        compared: items that the query was compared with; the threshold is theirs.
    """

    fpir: float
    threshold: float
    fpir_low: float
    fpir_high: float
    language: str
    captions: int
    compared: int

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return dict(vars(self))


Limit = ChanceLimit | WordLimit


class Hits(Sequence[Hit]):
    """The hits of one query, best first: a sequence of `Hit`, each read when it is accessed.

    Args:
        ids: of the items.
        scores: in descending order.
        item: the item at a position.
        thumbnail: its thumbnail, encoded; None if there is none.
        limit: of a search with `honest`, else None.

    Example:
        >>> hits = Hits(np.array([7]), np.array([0.5], dtype=np.float32), lambda at: Item(7, "/7.png", None, (), {}))
        >>> hits.ids.tolist(), hits[0].uri, hits[0].score
        ([7], '/7.png', 0.5)
    """

    def __init__(
        self,
        ids: Int[np.ndarray, " k"],
        scores: Float[np.ndarray, " k"],
        item: Callable[[int], Item],
        *,
        thumbnail: Callable[[int], bytes | None] | None = None,
        limit: Limit | None = None,
    ) -> None:
        self.ids = ids
        self.scores = scores
        self.limit = limit
        self._item = item
        self._thumbnail = thumbnail

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, position: int) -> Hit: ...
    @overload
    def __getitem__(self, position: slice) -> list[Hit]: ...
    def __getitem__(self, position: int | slice) -> Hit | list[Hit]:
        if isinstance(position, slice):
            return [self[each] for each in range(*position.indices(len(self)))]
        position = range(len(self))[position]
        item = self._item(position)
        hit = Hit(item.id, float(self.scores[position]), item.uri, item.label, item.captions, item.metadata)
        if self._thumbnail is not None:
            thumbnail = self._thumbnail
            hit._with_thumbnail(lambda: thumbnail(position))
        return hit

    def __iter__(self) -> Iterator[Hit]:
        return (self[position] for position in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Hits({list(self)})"

    def _repr_html_(self) -> str:
        return as_html(self)

    def to_pandas(self) -> "pandas.DataFrame":
        """A data frame with one row per hit: id, score, uri, label, captions and the metadata columns.

        Raises:
            MissingDependency: pandas is not installed.

        Example:
            >>> Gallery.open("flowers").search("red rose").to_pandas()[["id", "score", "label"]]  # doctest: +SKIP
        """
        return as_frame([_row(hit) for hit in self], ["id", "score", "uri", "label", "captions"])


def _row(hit: Hit) -> dict[str, Any]:
    own = {"id": hit.id, "score": hit.score, "uri": hit.uri, "label": hit.label, "captions": list(hit.captions)}
    return {**own, **{f"metadata_{name}" if name in own else name: value for name, value in hit.metadata.items()}}


def as_frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> "pandas.DataFrame":
    """A data frame of rows; these columns first, also where there is no row.

    Raises:
        MissingDependency: pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise MissingDependency("pandas", "pandas", "a data frame") from error
    names = dict.fromkeys([*columns, *(name for row in rows for name in row)])
    return pandas.DataFrame({name: [row.get(name) for row in rows] for name in names})
