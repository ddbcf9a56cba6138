"""Reading a gallery: its items by id, by search, and as files. Many processes may read while others write."""

from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from operator import index
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int
from PIL import Image

from nearkin.arrays import check_count, check_number
from nearkin.data.cells import shown
from nearkin.encoders.embedder import Embedder
from nearkin.errors import EncoderMismatch, InvalidInput
from nearkin.gallery.embed_queries import embed_queries, own_ids
from nearkin.gallery.format import check_encoder
from nearkin.gallery.hits import Hits, Item
from nearkin.gallery.index.info import IndexInfo
from nearkin.gallery.index.rebuilder import IndexRebuilder
from nearkin.gallery.items.export import export_parquet
from nearkin.gallery.items.history import EarlierVersion, History
from nearkin.gallery.items.store import Snapshot, Store
from nearkin.gallery.limits import limits_of
from nearkin.gallery.location import Location
from nearkin.gallery.own_encoder import own_encoder
from nearkin.gallery.query import Query
from nearkin.gallery.version import INDEXES, GalleryVersion
from nearkin.progress import Progress

if TYPE_CHECKING:
    import pandas

# Name of the Lance dataset that holds the items.
ITEMS = "items.lance"
# Ids of items, such as those of hits.
Ids = Iterable[int] | Int[np.ndarray, " n"]
# Seconds for which a reader of an object store does not look for a newer version.
RECHECK_SECONDS = 1.0


class GalleryReader:
    """What can be done with a gallery without changing it; see `nearkin.Gallery`.

    Args:
        location: of a gallery that exists.
        encoder: the one that its vectors come from; None for the gallery's own copy, loaded when first needed.

    Raises:
        ArtefactError: the items are missing or damaged.
        EncoderMismatch: the vectors come from another encoder.
    """

    def __init__(self, location: Location, encoder: Embedder | None) -> None:
        self.location = location
        self._store = Store(location.uri(ITEMS), location.storage, shared=location.shared)
        self._rebuilder = IndexRebuilder(location.cache / INDEXES, self._reload)
        self._current = self._version_of(self._store.snapshot())
        self._checked = monotonic()
        # An encoder that the caller passed stays; the gallery's own copy follows the gallery.
        self._passed = encoder is not None
        self._encoder = encoder
        self._encoder_name = self._current.snapshot.encoder
        if encoder is not None:
            check_encoder(encoder, self._encoder_name, location)

    def __len__(self) -> int:
        return len(self._newest().snapshot)

    @property
    def path(self) -> Path:
        """The folder of a local gallery.

        Raises:
            InvalidInput: it lies on an object store.
        """
        if self.location.shared:
            raise InvalidInput(f"gallery '{self.location}' has no local folder: see `location`")
        return Path(str(self.location))

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the encoder that the vectors come from."""
        return self._newest().snapshot.encoder

    @property
    def dim(self) -> int:
        """Embedding dimension."""
        return self._newest().snapshot.dim

    @property
    def version(self) -> int:
        """Version of the items; every write makes a higher one."""
        return self._newest().snapshot.version

    @property
    def columns(self) -> dict[str, str]:
        """Names and types of the columns that `where`, `update` and `export` accept."""
        return self._newest().snapshot.columns

    @property
    def encoder(self) -> Embedder:
        """The encoder that the vectors come from.

        Raises:
            ArtefactError: the gallery's copy is missing, damaged, or another encoder's.
        """
        expected = self._newest().snapshot.encoder
        if self._encoder is None or self._encoder_name != expected:
            self._encoder, self._encoder_name = own_encoder(self.location, expected), expected
        return self._encoder

    def get(self, ids: Ids) -> list[Item]:
        """Items by their ids, in the order of the ids.

        Raises:
            InvalidInput: no item has one of the ids.

        Example:
            >>> Gallery.open("flowers").get([3])[0].label  # doctest: +SKIP
            'rose'
        """
        return self._newest().items(as_id_array(ids))

    def __iter__(self) -> Iterator[Item]:
        """All items, in the order in which they are stored; those of the version at the start of the loop."""
        return self._newest().all_items()

    def to_pandas(self, *, where: str | None = None, vectors: bool = False) -> "pandas.DataFrame":
        """A data frame with one row per item: id, uri, label, captions and the metadata columns.

        Args:
            where: only items that pass a filter, as in `search`.
            vectors: with a column `vector` of arrays `[dim]`, float32.

        Raises:
            MissingDependency: pandas is not installed.
            InvalidInput: a malformed filter.

        Example:
            >>> Gallery.open("flowers").to_pandas(where="label = 'rose'")["year"].mean()  # doctest: +SKIP
            2019.5
        """
        return self._newest().frame(where, vectors=vectors)

    def select(self, ids: Ids | None = None, *, where: str | None = None) -> Int[np.ndarray, " n"]:
        """Ids of items: of all, of those that pass a filter, or these ids themselves, each once.

        Raises:
            InvalidInput: ids and a filter; an unknown id; a malformed filter.
            UnknownName: the filter names a column that does not exist.

        Example:
            >>> Gallery.open("flowers").select(where="label = 'rose'")  # doctest: +SKIP
            array([3, 7])
        """
        version = self._newest()
        if ids is not None and where is not None:
            raise InvalidInput("say which items: pass ids or where, not both")
        if ids is not None:
            selected = np.unique(as_id_array(ids))
            version.rows_of(selected)
            return selected
        return version.snapshot.ids() if where is None else version.snapshot.ids_where(where)

    def versions(self) -> list[EarlierVersion]:
        """The earlier versions that `restore` can go back to, the newest first: the state before each change.

        Each is kept for 14 days after the change; calls of `add` within an hour count as one.

        Example:
            >>> Gallery.open("flowers").versions()[0].before  # doctest: +SKIP
            'delete'
        """
        return History(self._store).versions()

    def vectors(self, ids: Ids) -> Float[np.ndarray, "n dim"]:
        """Unit vectors of items by their ids, in the order of the ids.

        Raises:
            InvalidInput: no item has one of the ids.
        """
        return self._newest().vectors(as_id_array(ids))

    def thumbnail(self, id: int) -> Image.Image:
        """The thumbnail that is kept of an item, at most 96 pixels a side.

        Raises:
            InvalidInput: no item has this id, or it was added without its picture.
        """
        encoded = self._newest().thumbnail(int(as_id_array([id])[0]))
        if encoded is None:
            raise InvalidInput(f"item {id} was added as a vector, without its picture: there is no thumbnail")
        return Image.open(BytesIO(encoded))

    def search(
        self,
        query: Query,
        k: int = 10,
        *,
        where: str | None = None,
        threshold: float | None = None,
        offset: int = 0,
        honest: bool | float = False,
        fpir: float | None = None,
        exclude_self: bool = False,
    ) -> Hits:
        """The items most similar to a picture, a text, a vector, another item, or a mixture of them.

        Args:
            query: a picture (path, Pillow picture, pixels); words (a string that is no file's name); the id of an
                item; a vector `[dim]` of this gallery's encoder, of any length but zero; or a mixture: a string such as
                `photo.jpg + 0.5 * "red" - #7`, or pairs `[("photo.jpg", 1.0), ("red", 0.5), (7, -1.0)]`.
            k: number of hits, k >= 1.
            where: only items that pass this filter: an SQL expression over the columns, such as
                `label = 'mug' AND price < 10`.
            threshold: only items with this score or more.
            offset: skip this many top hits (for paging).
            honest: only items that reach the calibrated threshold of the encoder, so that there may be no hit. A number
                is the false accept rate of a comparison of two pictures that the threshold is for; True stands for the
                default of the calibration. The rate, the threshold and how many hits to expect by chance are in `limit`
                of the hits. Words have a threshold of their own, see `fpir`.
            fpir: for words, and honest: of queries whose answer is not among the items, the share that may get a hit;
                0.1 by default. The threshold follows from the items and from captions kept with the encoder.
            exclude_self: only others: leave out the items that the query names by id, and those that are its pictures.

        Returns:
            At most k hits, best first; of equal scores the lower id comes first.

        Raises:
            InvalidInput: k < 1, offset < 0, a threshold that is no number; the gallery is empty; no such picture file
                or item; a vector of another dimension, with NaN, or zero; words for an encoder of pictures only; a
                malformed filter; `honest` for a mixture with words, or without a calibration of the kind.
            UnknownName: the filter names a column that does not exist.
            PictureError: the picture cannot be decoded.

        Example:
            >>> Gallery.open("flowers").search("red rose", k=3, where="year >= 2020")  # doctest: +SKIP
        """
        queries = query[None] if isinstance(query, np.ndarray) and query.ndim == 1 else [query]
        return self.search_many(
            queries,
            k,
            where=where,
            threshold=threshold,
            offset=offset,
            honest=honest,
            fpir=fpir,
            exclude_self=exclude_self,
        )[0]

    def search_many(
        self,
        queries: Sequence[Query] | Float[np.ndarray, "q dim"],
        k: int = 10,
        *,
        where: str | None = None,
        threshold: float | None = None,
        offset: int = 0,
        honest: bool | float = False,
        fpir: float | None = None,
        exclude_self: bool = False,
    ) -> list[Hits]:
        """The hits of several queries, searched together, which is faster than one by one.

        Args:
            queries: of any kinds, or vectors `[q, dim]`.
            k, where, threshold, offset, honest, fpir, exclude_self: as in `search`.

        Returns:
            Hits for each query.

        Raises:
            As `search`.

        Example:
            >>> red, seven = Gallery.open("flowers").search_many(["red rose", 7], k=3)  # doctest: +SKIP
        """
        k, offset = check_count(k, "k"), check_count(offset, "offset", least=0)
        if threshold is not None:
            threshold = check_number(threshold, "threshold", "a score, -1 to 1")
        version = self._newest()
        if not len(version.snapshot):
            raise InvalidInput(f"gallery '{self.location}' is empty: add pictures with Gallery.add or `nearkin index`")
        limits = None
        if honest is not False or fpir is not None:
            far = None if isinstance(honest, bool) else honest
            limits = limits_of(queries, version, self.encoder, far=far, fpir=fpir, where=where)
        return version.search(
            embed_queries(queries, version, lambda: self.encoder),
            k,
            offset=offset,
            threshold=-np.inf if threshold is None else threshold,
            where=where,
            excluded=own_ids(queries, version) if exclude_self else None,
            limits=limits,
        )

    def export(
        self,
        path: str | Path,
        *,
        where: str | None = None,
        vectors: bool = True,
        thumbnails: bool = False,
        progress: Progress | None = None,
    ) -> int:
        """Write items into a Parquet file.

        Args:
            path: the file; an existing one is replaced when the new one is complete.
            where: only items that pass a filter, as in `search`.
            vectors, thumbnails: whether these columns are written too.
            progress: called with the number of items done and of all items.

        Returns:
            How many items were written.

        Raises:
            InvalidInput: the file cannot be written, or a malformed filter.
            UnknownName: the filter names a column that does not exist.

        Example:
            >>> Gallery.open("flowers").export("flowers.parquet")  # doctest: +SKIP
        """
        snapshot = self._newest().snapshot
        return export_parquet(snapshot, Path(path), where, vectors=vectors, thumbnails=thumbnails, progress=progress)

    @property
    def index(self) -> IndexInfo:
        """The index that searches use."""
        return self._newest().index_info

    def hashes(self, ids: Ids) -> list[str]:
        """Hashes of items, as strings of 0 and 1: on which side of each random hyperplane their vectors lie.

        Args:
            ids: of the items.

        Raises:
            InvalidInput: an unknown id, or the index is of another kind than "lsh".

        Example:
            >>> Gallery.open("flowers").hashes([3])[0][:8]  # doctest: +SKIP
            '10110100'
        """
        return self._newest().hashes(as_id_array(ids))

    def buckets(self, bits: int) -> dict[str, list[int]]:
        """Ids of the items whose hashes share their first bits, the largest bucket first.

        Args:
            bits: how many first bits are compared: 1 to the length of a hash, which `index.setting` states.

        Raises:
            InvalidInput: bits out of range, or the index is of another kind than "lsh".

        Example:
            >>> Gallery.open("flowers").buckets(2)  # doctest: +SKIP
            {'01': [0, 3, 5], '11': [1, 4], '00': [2]}
        """
        return self._newest().buckets(bits)

    def _newest(self) -> GalleryVersion:
        """The items as the newest commit left them, whichever process made it."""
        if self.location.shared and monotonic() < self._checked + RECHECK_SECONDS:
            return self._current
        if self._current.snapshot.version != self._store.version:
            version = self._version_of(self._store.snapshot())
            if self._passed and version.snapshot.encoder != self._encoder_name:
                raise EncoderMismatch(
                    f"gallery '{self.location}' has changed to encoder {version.snapshot.encoder}: open it again"
                )
            self._current = version
        self._checked = monotonic()
        return self._current

    def _version_of(self, snapshot: Snapshot) -> GalleryVersion:
        return GalleryVersion(snapshot, self.location.cache, self._rebuilder)

    def _reload(self) -> None:
        """The same items again, because there is a better index or a repaired file."""
        self._current = self._version_of(self._current.snapshot)


def as_id_array(ids: Any) -> Int[np.ndarray, " n"]:
    """Ids as an array.

    Raises:
        InvalidInput: they are no whole numbers of 64 bits; a mask of booleans is no list of ids.
    """
    if isinstance(ids, np.ndarray) and ids.ndim == 1 and ids.dtype == np.int64:
        return ids
    try:
        listed = list(ids)
        if not isinstance(ids, bytes | str) and not any(isinstance(id, bool | np.bool_) for id in listed):
            return np.fromiter(map(index, listed), dtype=np.int64, count=len(listed))
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidInput(f"ids are {shown(ids)}: expected whole numbers, such as [3, 7]")
