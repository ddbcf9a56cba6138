"""Gallery: items and their vectors, searched by picture, by words, by vector or by item."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int
from PIL import Image

from nearkin.arrays import as_vectors, unit
from nearkin.data.items import Items, Picture
from nearkin.data.sources import read_items
from nearkin.encoders.embedder import Embedder
from nearkin.errors import ArtefactError, EncoderMismatch, InvalidInput, UnknownName
from nearkin.gallery.change_encoder import ReindexSummary, Staging, agreement, as_column
from nearkin.gallery.embed_queries import embed_queries, honest_threshold
from nearkin.gallery.format import check_encoder, check_mark, encoder_folder, is_marked, write_mark
from nearkin.gallery.hits import Hit, Hits, Item
from nearkin.gallery.index import KINDS
from nearkin.gallery.index.rebuilder import IndexInfo, IndexRebuilder, IndexSetting
from nearkin.gallery.items.changes import as_sql, new_columns
from nearkin.gallery.items.check import CheckReport, check_items, check_pictures
from nearkin.gallery.items.columns import ID
from nearkin.gallery.items.export import export_parquet
from nearkin.gallery.items.ingest import ingest, ingest_vectors
from nearkin.gallery.items.rows import AddSummary
from nearkin.gallery.items.store import INDEX, Snapshot, Store, any_of
from nearkin.gallery.location import Place, place_of
from nearkin.gallery.query import Query
from nearkin.gallery.view import INDEXES, View
from nearkin.progress import Progress

__all__ = ["AddSummary", "CheckReport", "Gallery", "Hit", "Hits", "IndexInfo", "Item", "ReindexSummary"]

ITEMS = "items.lance"
# Ids of items, such as those of hits.
Ids = Iterable[int] | Int[np.ndarray, " n"]
# Seconds for which a reader of an object store goes without a look at whether there is a newer version.
LOOK = 1.0


class Gallery:
    """Items and their vectors, pinned to one encoder; made by `create` or `open`.

    It lies in a local folder or on an object store. Many processes may search while others write: a search sees all of
    a commit, or nothing of it.

    Example:
        >>> import tempfile
        >>> from nearkin.data.images import Preprocessing
        >>> from nearkin.encoders.encoder import Encoder
        >>> from nearkin.encoders.image import ImageTower, ImageTowerConfig
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name, shade in ("black", 0), ("white", 255):
        ...     Image.new("L", (20, 30), shade).save(folder / f"{name}.png")
        >>> encoder = Encoder(ImageTower(ImageTowerConfig("conv4", dim=8)), Preprocessing(height=64, width=64))
        >>> gallery = Gallery.create(folder / "gallery", encoder)
        >>> gallery.add(folder)
        AddSummary(added=2, replaced=0, updated=0, unchanged=0, skipped=())
        >>> [Path(hit.uri).name for hit in gallery.search(folder / "white.png", k=1)]
        ['white.png']
    """

    def __init__(self, place: Place, encoder: Embedder | None) -> None:
        self.place = place
        self._store = Store(place.uri(ITEMS), place.storage, shared=place.shared)
        self._rebuilder = IndexRebuilder(place.derived / INDEXES, self._renew)
        self._view = self._view_of(self._store.snapshot())
        self._looked = monotonic()
        # An encoder that the caller gave stays; the gallery's own copy follows the gallery.
        self._given = encoder is not None
        self._encoder = encoder
        self._encoder_is = self._view.snapshot.encoder
        if encoder is not None:
            check_encoder(encoder, self._encoder_is, place)

    @staticmethod
    def create(path: str | Path, encoder: Embedder, *, storage: Mapping[str, str] | None = None) -> "Gallery":
        """A new gallery without items; a copy of the encoder goes into it.

        Args:
            path: a folder that does not exist or is empty, or a URL such as `s3://bucket/shop`.
            encoder: whose vectors the gallery will hold.
            storage: options of the object store, beside those of the environment; see `place_of`.

        Raises:
            InvalidInput: there is a gallery already, or the folder holds something else.

        Example: see the class.
        """
        place = place_of(path, storage)
        if is_marked(place):
            raise InvalidInput(f"'{place}' is a gallery already: open it with Gallery.open, or choose another folder")
        with place.made() as new:
            _put_encoder(new, encoder)
            Store.create(new.uri(ITEMS), encoder.fingerprint, encoder.dim, new.storage)
            write_mark(new)
        return Gallery(place, encoder)

    @staticmethod
    def open(
        path: str | Path, encoder: Embedder | None = None, *, storage: Mapping[str, str] | None = None
    ) -> "Gallery":
        """The gallery in a folder or on an object store.

        Args:
            path: its folder or URL.
            encoder: the one it was made with; by default the gallery's own copy is loaded when first needed.
            storage: options of the object store, beside those of the environment; see `place_of`.

        Raises:
            ArtefactError: no gallery there, or it is damaged.
            EncoderMismatch: the gallery was made with another encoder; the message says what to do.

        Example:
            >>> Gallery.open("no/such/folder")
            Traceback (most recent call last):
            nearkin.errors.ArtefactError: no gallery at ...
        """
        place = place_of(path, storage)
        check_mark(place)
        return Gallery(place, encoder)

    @staticmethod
    def is_at(path: str | Path, *, storage: Mapping[str, str] | None = None) -> bool:
        """Whether there is a gallery, sound or damaged."""
        return is_marked(place_of(path, storage))

    def __len__(self) -> int:
        return len(self._newest().snapshot)

    def __repr__(self) -> str:
        return f"Gallery('{self.place}', {len(self)} items, encoder {self.fingerprint})"

    @property
    def path(self) -> Path:
        """The folder of a local gallery.

        Raises:
            InvalidInput: it lies on an object store.
        """
        if self.place.shared:
            raise InvalidInput(f"gallery '{self.place}' has no local folder: see `place`")
        return Path(str(self.place))

    @property
    def fingerprint(self) -> str:
        """Of the encoder that the gallery is pinned to."""
        return self._newest().snapshot.encoder

    @property
    def dim(self) -> int:
        """Numbers of a vector."""
        return self._newest().snapshot.dim

    @property
    def version(self) -> int:
        """Of the items; every write makes a higher one."""
        return self._newest().snapshot.version

    @property
    def columns(self) -> dict[str, str]:
        """Names and types of the columns that `where`, `update` and `export` know."""
        return self._newest().snapshot.columns

    @property
    def encoder(self) -> Embedder:
        """The encoder that the gallery is pinned to.

        Raises:
            ArtefactError: the gallery's copy is missing, damaged, or not the pinned one.
        """
        pinned = self._newest().snapshot.encoder
        if self._encoder is None or self._encoder_is != pinned:
            from nearkin.encoders.encoder import Encoder

            try:
                encoder = Encoder.from_pretrained(self.place.folder(encoder_folder(pinned)))
            except ArtefactError as error:
                raise ArtefactError(
                    f"gallery '{self.place}' has lost its copy of the model {pinned}: put it back into "
                    f"{encoder_folder(pinned)}, or pass it to Gallery.open ({error})"
                ) from error
            if encoder.fingerprint != pinned:
                raise ArtefactError(
                    f"gallery '{self.place}': the model in {encoder_folder(pinned)} is {encoder.fingerprint}: put the "
                    "right one back, or pass it to Gallery.open"
                )
            self._encoder, self._encoder_is = encoder, pinned
        return self._encoder

    def add(
        self,
        source: str | Path | Items,
        *,
        label: str | None = None,
        captions: str | Sequence[str] | None = None,
        strict: bool = False,
        progress: Progress | None = None,
    ) -> AddSummary:
        """Add pictures, or bring those that are there up to date.

        A picture is known by its uri. One whose size and time, or else content, are unchanged is not embedded again;
        changed content is, under its old id. Labels, captions and metadata become what the source says; a column that
        the source does not fill stays as it is. Each chunk of pictures is committed at once: if the process is killed,
        the same call later does the rest, and nothing is lost or doubled.

        Args:
            source: a folder, a table, `hf://name`, or items, as `read_items` takes them.
            label, captions: as in `read_items`.
            strict: stop at a picture that cannot be read, instead of skipping it. What was added before it stays.
            progress: called with the pictures done and all pictures.

        Returns:
            What became of the pictures; the skipped ones by name.

        Raises:
            SourceError: the source cannot be read.
            InvalidInput: a picture occurs twice, or a column cannot be stored; nothing is added.
            PictureError: `strict`, and a picture cannot be read.

        Example: see the class.
        """
        items = read_items(source, label=label, captions=captions)
        with self._writing():
            return ingest(items, self._store, self.encoder, strict=strict, progress=progress)

    def add_vectors(
        self, items: Items | Sequence[str], vectors: npt.ArrayLike, *, progress: Progress | None = None
    ) -> AddSummary:
        """Add items with the vectors that the gallery's encoder made of them elsewhere; no picture is read.

        Args:
            items: with labels, captions and metadata, or only their uris.
            vectors: `[n, dim]`, of any length but zero; they are scaled to length 1.
            progress: called with the items done and all items.

        Returns:
            What became of the items.

        Raises:
            InvalidInput: another count of vectors, or of numbers in one; NaN or a zero vector; an item occurs twice.

        Example:
            >>> Gallery.open("flowers").add_vectors(["a.jpg", "b.jpg"], np.load("vectors.npy"))  # doctest: +SKIP
        """
        if not isinstance(items, Items):
            items = Items.build([Picture(uri) for uri in items], source="uris")
        checked = as_vectors(vectors, "vectors", dim=self.dim)
        if len(checked) != len(items):
            raise InvalidInput(f"{len(checked)} vectors for {len(items)} items: wanted one for each")
        if len(zero := np.flatnonzero(~checked.any(axis=1))):
            raise InvalidInput(f"vectors: row {zero[0]} is the zero vector, which has no direction")
        with self._writing():
            return ingest_vectors(items, unit(checked), self._store, progress=progress)

    def delete(self, ids: Ids | None = None, *, where: str | None = None) -> int:
        """Delete items, in one commit. Their pictures stay where they are; their ids are not used again.

        Args:
            ids: which; no id may be unknown.
            where: or those that pass a filter, as in `search`.

        Returns:
            How many items were deleted.

        Raises:
            InvalidInput: neither ids nor a filter, or both; an unknown id; a malformed filter.
            UnknownName: the filter names a column that there is not.

        Example:
            >>> Gallery.open("flowers").delete(where="label = 'rose' AND year < 2020")  # doctest: +SKIP
        """
        with self._writing():
            return self._store.delete(self._condition(ids, where))

    def update(
        self,
        values: Mapping[str, Any],
        ids: Ids | None = None,
        *,
        where: str | None = None,
        create: bool = False,
    ) -> int:
        """Set label, captions or metadata of items, in one commit. Nothing is embedded again.

        Args:
            values: by column; None for no value.
            ids, where: of which items, as in `delete`.
            create: make the columns that the gallery lacks.

        Returns:
            How many items were meant.

        Raises:
            InvalidInput: as in `delete`; no values, or one that does not fit its column.
            UnknownName: no such column; near names are suggested.

        Example:
            >>> Gallery.open("flowers").update({"label": "tulip", "checked": True}, [3, 7])  # doctest: +SKIP
        """
        if not values:
            raise InvalidInput("no values to set: wanted a column and its value, such as label = 'mug'")
        with self._writing():
            condition = self._condition(ids, where)
            if create:
                self._store.add_columns(new_columns(values, self._store.snapshot().schema))
            return self._store.update(as_sql(values, self._store.snapshot().schema), condition)

    def get(self, ids: Ids) -> list[Item]:
        """Items by their ids, in the order asked for.

        Raises:
            InvalidInput: no item has one of the ids.

        Example:
            >>> Gallery.open("flowers").get([3])[0].label  # doctest: +SKIP
            'rose'
        """
        return self._newest().items(_numbers(ids))

    def vectors(self, ids: Ids) -> Float[np.ndarray, "n dim"]:
        """Vectors of items by their ids, in the order asked for.

        Raises:
            InvalidInput: no item has one of the ids.
        """
        return self._newest().vectors(_numbers(ids))

    def thumbnail(self, id: int) -> Image.Image:
        """The small picture that is kept of an item, at most 96 pixels a side.

        Raises:
            InvalidInput: no item has this id, or it was added without its picture.
        """
        encoded = self._newest().thumbnail(id)
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
    ) -> Hits:
        """The items most alike to a picture, a text, a vector, another item, or a mixture of them.

        Args:
            query: a picture (path, Pillow picture, pixels); words (a string that is no file's name); the id of an
                item; a vector `[dim]` of this gallery's encoder, of any length but zero; or a mixture: a string such as
                `photo.jpg + 0.5 * "red" - #7`, or pairs `[("photo.jpg", 1.0), ("red", 0.5), (7, -1.0)]`.
            k: hits wanted, k >= 1.
            where: only items that pass this filter: an SQL expression over the columns, such as
                `label = 'mug' AND price < 10`.
            threshold: only items with this score or more.
            offset: leave out so many of the best: the hits of an earlier page.
            honest: only items that reach the calibrated threshold of the encoder, so that there may be no hit. A number
                is the false accept rate of a comparison that the threshold is for; True stands for the calibration's.

        Returns:
            At most k hits, best first; of equal scores the lower id comes first.

        Raises:
            InvalidInput: k < 1, offset < 0, a threshold of NaN, the gallery is empty, no such picture file or item;
                a vector with another count of numbers, with NaN, or zero; words for an encoder of pictures only; a
                malformed filter; `honest` for words, or without a calibration.
            UnknownName: the filter names a column that there is not.
            PictureError: the picture cannot be decoded.

        Example:
            >>> Gallery.open("flowers").search("red rose", k=3, where="year >= 2020")  # doctest: +SKIP
        """
        queries = query[None] if isinstance(query, np.ndarray) and query.ndim == 1 else [query]
        return self.search_many(queries, k, where=where, threshold=threshold, offset=offset, honest=honest)[0]

    def search_many(
        self,
        queries: Sequence[Query] | Float[np.ndarray, "q dim"],
        k: int = 10,
        *,
        where: str | None = None,
        threshold: float | None = None,
        offset: int = 0,
        honest: bool | float = False,
    ) -> list[Hits]:
        """The answers to several queries, found together, which is faster than one by one.

        Args:
            queries: of any kinds, or vectors `[q, dim]`.
            k, where, threshold, offset, honest: as in `search`.

        Returns:
            Hits for each query.

        Raises:
            As `search`.

        Example:
            >>> red, seven = Gallery.open("flowers").search_many(["red rose", 7], k=3)  # doctest: +SKIP
        """
        if k < 1:
            raise InvalidInput(f"k is {k}, wanted at least 1")
        if offset < 0:
            raise InvalidInput(f"offset is {offset}, wanted 0 or more")
        if threshold is not None and np.isnan(threshold):
            raise InvalidInput("threshold is NaN, wanted a score, -1 to 1")
        view = self._newest()
        if not len(view.snapshot):
            raise InvalidInput(f"gallery '{self.place}' is empty: add pictures with Gallery.add or `nearkin index`")
        least = -np.inf if threshold is None else threshold
        if honest is not False:
            least = max(least, honest_threshold(queries, self.encoder, honest))
        vectors = embed_queries(queries, view, lambda: self.encoder)
        return view.search(vectors, k, offset=offset, threshold=least, where=where)

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
            path: the file; one that is there is replaced when the new one is complete.
            where: only items that pass a filter, as in `search`.
            vectors, thumbnails: whether these columns are written too.
            progress: called with the items done and all items.

        Returns:
            How many items were written.

        Raises:
            InvalidInput: the file cannot be written, or a malformed filter.
            UnknownName: the filter names a column that there is not.

        Example:
            >>> Gallery.open("flowers").export("flowers.parquet")  # doctest: +SKIP
        """
        return export_parquet(
            self._newest().snapshot, Path(path), where, vectors=vectors, thumbnails=thumbnails, progress=progress
        )

    def build(self, kind: str = "auto", *, recall: float = 0.99) -> IndexInfo:
        """Choose the index of the gallery, and build it.

        The choice stays with the gallery. When more than a tenth of the items has changed, the recall is measured
        again; when it falls short, the process that notices builds the index anew while searches go on.

        Args:
            kind: "exact", "lsh", "pq", "hnsw", "ivf", "ivf-pq", or "auto": chosen by size and by what is measured.
            recall: share of the true 10 nearest that an approximate index shall find, 0 < recall < 1.

        Returns:
            What was built, and the recall that it reaches.

        Raises:
            InvalidInput: recall out of range.
            UnknownName: no such kind.

        Example:
            >>> Gallery.open("flowers").build("lsh", recall=0.99).recall.value  # doctest: +SKIP
            0.993
        """
        if kind not in KINDS:
            raise UnknownName("kind of index", kind, KINDS)
        setting = IndexSetting(kind, recall)
        with self._writing():
            self._store.configure({INDEX: setting.to_json()})
        self._index_anew()
        return self.index

    @property
    def index(self) -> IndexInfo:
        """The index that searches use."""
        view = self._newest()
        return IndexInfo.of(view.index, view.recall)

    def hashes(self, ids: Ids) -> list[str]:
        """Hashes of items, as strings of 0 and 1: on which side of random hyperplanes their vectors lie.

        Args:
            ids: of the items.

        Raises:
            InvalidInput: an unknown id, or the index is of another kind than "lsh".

        Example:
            >>> Gallery.open("flowers").hashes([3])[0][:8]  # doctest: +SKIP
            '10110100'
        """
        return self._newest().hashes(_numbers(ids))

    def buckets(self, bits: int) -> dict[str, list[int]]:
        """Ids of the items whose hashes begin alike, the fullest bucket first.

        Args:
            bits: how many first bits are compared: 1 to those of a hash, which `index.setting` tells.

        Raises:
            InvalidInput: bits out of range, or the index is of another kind than "lsh".

        Example:
            >>> Gallery.open("flowers").buckets(2)  # doctest: +SKIP
            {'01': [0, 3, 5], '11': [1, 4], '00': [2]}
        """
        return self._newest().buckets(bits)

    def check(self, *, read_pictures: bool = False, progress: Progress | None = None) -> CheckReport:
        """Look whether the gallery is sound, and repair what can be made again from the items.

        Args:
            read_pictures: compare the contents of the pictures, and not only size and time of their files.
            progress: called with the pictures done and all pictures.

        Example:
            >>> Gallery.open("flowers").check().missing  # doctest: +SKIP
            ('/pictures/rose-7.jpg',)
        """
        view = self._newest()
        try:
            faults = check_items(view.snapshot)
        except ArtefactError as error:
            return CheckReport(len(view.snapshot), (f"{error}: restore {ITEMS}, or index anew",), (), (), ())
        repaired = view.repair()
        if repaired:
            self._renew()
        missing, changed = check_pictures(view.snapshot, read=read_pictures, progress=progress)
        return CheckReport(len(view.snapshot), tuple(faults), missing, changed, tuple(repaired))

    def reindex(
        self,
        encoder: Embedder,
        *,
        source: str | Path | Items | None = None,
        drop_missing: bool = False,
        progress: Progress | None = None,
    ) -> ReindexSummary:
        """Embed everything again with another encoder, from the pictures.

        The old vectors serve until all new ones are there; then one commit changes them. A call that was cut short is
        taken up where it was.

        Args:
            encoder: the new one; a copy goes into the gallery.
            source: where the pictures are, if not all are files at their uris, such as `hf://name`.
            drop_missing: delete the items whose pictures cannot be read, instead of giving up.
            progress: called with the items done and all items.

        Returns:
            What was done, and how far old and new neighbours agree.

        Raises:
            InvalidInput: the gallery has this encoder already, or pictures cannot be read; what was embedded is kept.

        Example:
            >>> Gallery.open("flowers").reindex(Encoder.from_pretrained("runs/better"))  # doctest: +SKIP
        """
        new = encoder.fingerprint
        if new == self.fingerprint:
            raise InvalidInput(f"gallery '{self.place}' has encoder {new} already: pass another one")
        try:
            _put_encoder(self.place, encoder)
        except OSError as error:
            raise ArtefactError(f"gallery '{self.place}' cannot be written: {error.strerror or error}") from error
        name = f"staging/{encoder_folder(new).partition('/')[2]}.lance"
        items = None if source is None else read_items(source)
        staging = Staging(self.place.uri(name), encoder, items, self.place.storage)
        staging.embed_missing(self._newest().snapshot, progress)
        staging.check_complete(drop_missing)
        with self._writing():
            # What was written meanwhile.
            staging.embed_missing(self._store.snapshot())
            staging.check_complete(drop_missing)
            if staging.broken:
                self._store.delete(any_of("uri", staging.broken))
            snapshot = self._store.snapshot()
            ids, old = snapshot.ids(), snapshot.vectors()
            vectors = staging.vectors(ids)
            self._store.change_encoder(as_column(vectors, new), new)
        if self._given:
            self._encoder, self._encoder_is = encoder, new
        self.place.remove(name)
        agree = agreement(old, vectors)
        self._index_anew()
        return ReindexSummary(len(ids), staging.embedded, tuple(staging.broken.values()), agree)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """No other process of this machine writes meanwhile; afterwards this gallery sees what was written."""
        with self.place.alone():
            self._store.settle()
            try:
                yield
                self._store.clean_up()
            finally:
                self._looked = -LOOK
            for folder in self.place.folders("encoders") - {Path(encoder_folder(self._store.snapshot().encoder)).name}:
                self.place.remove(f"encoders/{folder}")

    def _newest(self) -> View:
        """The items as the newest commit left them, whichever process made it."""
        if self.place.shared and monotonic() < self._looked + LOOK:
            return self._view
        if self._view.snapshot.version != self._store.version:
            view = self._view_of(self._store.snapshot())
            if self._given and view.snapshot.encoder != self._encoder_is:
                raise EncoderMismatch(
                    f"gallery '{self.place}' has changed over to encoder {view.snapshot.encoder}: open it again"
                )
            self._view = view
        self._looked = monotonic()
        return self._view

    def _view_of(self, snapshot: Snapshot) -> View:
        return View(snapshot, self.place.derived, self._rebuilder)

    def _index_anew(self) -> None:
        """Build the index that was asked for, at once."""
        self._rebuilder.build(self._newest().snapshot)
        self._renew()

    def _renew(self) -> None:
        """See the same items anew, since there is a better index or a better file."""
        self._view = self._view_of(self._view.snapshot)

    def _condition(self, ids: Ids | None, where: str | None) -> str:
        """The items that are meant, for the store."""
        if (ids is None) == (where is None):
            raise InvalidInput("which items? Wanted either their ids, or a filter (where)")
        if where is not None:
            return self._store.snapshot().condition(where)
        wanted = _numbers(() if ids is None else ids)
        self._newest().rows_of(wanted)
        return any_of(ID, wanted.tolist())


def _numbers(ids: Ids) -> Int[np.ndarray, " n"]:
    return np.fromiter(ids, dtype=np.int64)


def _put_encoder(place: Place, encoder: Embedder) -> None:
    with TemporaryDirectory() as folder:
        encoder.save_pretrained(Path(folder, "encoder"))
        place.put_folder(encoder_folder(encoder.fingerprint), Path(folder, "encoder"))
