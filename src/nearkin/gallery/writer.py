"""Changing a gallery: items are added, updated and deleted, its index chosen, its encoder changed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from nearkin.arrays import as_unit_vectors
from nearkin.data.items import Items, Picture
from nearkin.data.sources import read_items
from nearkin.encoders.embedder import Embedder
from nearkin.errors import ArtefactError, InvalidInput
from nearkin.gallery.change_encoder import ReindexSummary, Staging, agreement, as_column
from nearkin.gallery.format import encoder_folder
from nearkin.gallery.index import check_kind
from nearkin.gallery.index.info import IndexInfo, IndexSetting
from nearkin.gallery.items.changes import as_sql, new_columns
from nearkin.gallery.items.check import CheckReport, check_items, check_pictures
from nearkin.gallery.items.columns import ID
from nearkin.gallery.items.ingest import ingest, ingest_vectors
from nearkin.gallery.items.rows import AddSummary
from nearkin.gallery.items.store import INDEX, any_of
from nearkin.gallery.location import Location
from nearkin.gallery.reader import ITEMS, RECHECK_SECONDS, GalleryReader, Ids, as_id_array
from nearkin.progress import Progress


class GalleryWriter(GalleryReader):
    """What changes a gallery; see `nearkin.Gallery`. Arguments as `GalleryReader`."""

    def add(
        self,
        source: str | Path | Items,
        *,
        label: str | None = None,
        captions: str | Sequence[str] | None = None,
        strict: bool = False,
        progress: Progress | None = None,
    ) -> AddSummary:
        """Add pictures, or bring those that are already there up to date.

        A picture is identified by its uri. One whose size and time, or else content, are unchanged is not embedded
        again; changed content is, under its old id. Labels, captions and metadata become what the source says; a column
        that the source does not fill stays as it is. Each chunk of pictures is committed at once: if the process is
        killed, the same call later does the rest, and nothing is lost or doubled.

        Args:
            source: a folder, a table, `hf://name`, or items, as `read_items` takes them.
            label, captions: as in `read_items`.
            strict: stop at a picture that cannot be read, instead of skipping it. What was added before it stays.
            progress: called with the number of pictures done and of all pictures.

        Returns:
            How many pictures were added, replaced, updated and unchanged; the skipped ones by name.

        Raises:
            SourceError: the source cannot be read.
            InvalidInput: a picture occurs twice, or a column cannot be stored; nothing is added.
            PictureError: `strict`, and a picture cannot be read.

        Example: see `nearkin.Gallery`.
        """
        items = read_items(source, label=label, captions=captions)
        with self._writing():
            return ingest(items, self._store, self.encoder, strict=strict, progress=progress)

    def add_vectors(
        self, items: Items | Sequence[str], vectors: npt.ArrayLike, *, progress: Progress | None = None
    ) -> AddSummary:
        """Add items with vectors that the gallery's encoder made of them elsewhere; no picture is read.

        Args:
            items: with labels, captions and metadata, or only their uris.
            vectors: `[n, dim]`, of any length but zero; they are scaled to length 1.
            progress: called with the number of items done and of all items.

        Returns:
            How many items were added, replaced, updated and unchanged.

        Raises:
            InvalidInput: another number of vectors, or another dimension; NaN or a zero vector; an item occurs twice.

        Example:
            >>> Gallery.open("flowers").add_vectors(["a.jpg", "b.jpg"], np.load("vectors.npy"))  # doctest: +SKIP
        """
        if not isinstance(items, Items):
            items = Items.build([Picture(uri) for uri in items], source="uris")
        checked = as_unit_vectors(vectors, "vectors", dim=self.dim)
        if len(checked) != len(items):
            raise InvalidInput(f"{len(checked)} vectors for {len(items)} items: expected one for each")
        if len(zero := np.flatnonzero(~checked.any(axis=1))):
            raise InvalidInput(f"vectors: row {zero[0]} is the zero vector, which has no direction")
        with self._writing():
            return ingest_vectors(items, checked, self._store, progress=progress)

    def delete(self, ids: Ids | None = None, *, where: str | None = None) -> int:
        """Delete items, in one commit. Their pictures stay where they are; their ids are not used again.

        Args:
            ids: which; no id may be unknown.
            where: or those that pass a filter, as in `search`.

        Returns:
            How many items were deleted.

        Raises:
            InvalidInput: neither ids nor a filter, or both; an unknown id; a malformed filter.
            UnknownName: the filter names a column that does not exist.

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
            How many items were selected.

        Raises:
            InvalidInput: as in `delete`; no values, or one that does not fit its column.
            UnknownName: no such column; near names are suggested.

        Example:
            >>> Gallery.open("flowers").update({"label": "tulip", "checked": True}, [3, 7])  # doctest: +SKIP
        """
        if not values:
            raise InvalidInput("no values to set: expected a column and its value, such as label = 'mug'")
        with self._writing():
            condition = self._condition(ids, where)
            if create:
                self._store.add_columns(new_columns(values, self._store.snapshot().schema))
            return self._store.update(as_sql(values, self._store.snapshot().schema), condition)

    def build(self, kind: str = "auto", *, recall: float = 0.99) -> IndexInfo:
        """Choose the index of the gallery, and build it.

        The choice stays with the gallery. When more than a tenth of the items has changed, the recall is measured
        again; when it falls short, the process that notices builds the index again while searches go on.

        Args:
            kind: one of `nearkin.gallery.index.kind_names()`; "auto" chooses by size and by measurement.
            recall: share of the true 10 nearest neighbours that an approximate index is to find, 0 < recall < 1.

        Returns:
            What was built, and the recall that it reaches.

        Raises:
            InvalidInput: recall out of range.
            UnknownName: no such kind.

        Example:
            >>> Gallery.open("flowers").build("lsh", recall=0.99).recall.value  # doctest: +SKIP
            0.993
        """
        check_kind(kind)
        setting = IndexSetting(kind, recall)
        with self._writing():
            self._store.configure({INDEX: setting.to_json()})
        self._build_index()
        return self.index

    def check(self, *, read_pictures: bool = False, progress: Progress | None = None) -> CheckReport:
        """Check whether the gallery is intact, and repair what can be made again from the items.

        Args:
            read_pictures: compare the contents of the pictures, and not only size and time of their files.
            progress: called with the number of pictures done and of all pictures.

        Example:
            >>> Gallery.open("flowers").check().missing  # doctest: +SKIP
            ('/pictures/rose-7.jpg',)
        """
        version = self._newest()
        try:
            faults = check_items(version.snapshot)
        except ArtefactError as error:
            fault = f"{error}: restore {ITEMS}, or index the pictures again"
            return CheckReport(len(version.snapshot), (fault,), (), (), ())
        repaired = version.repair()
        if repaired:
            self._reload()
        missing, changed = check_pictures(version.snapshot, read=read_pictures, progress=progress)
        return CheckReport(len(version.snapshot), tuple(faults), missing, changed, tuple(repaired))

    def reindex(
        self,
        encoder: Embedder,
        *,
        source: str | Path | Items | None = None,
        drop_missing: bool = False,
        progress: Progress | None = None,
    ) -> ReindexSummary:
        """Embed all pictures again with another encoder.

        The old vectors serve until all new ones are there; then one commit replaces them. A call that was interrupted
        is taken up where it stopped.

        Args:
            encoder: the new one; a copy goes into the gallery.
            source: where the pictures are, if not all are files at their uris, such as `hf://name`.
            drop_missing: delete the items whose pictures cannot be read, instead of giving up.
            progress: called with the number of items done and of all items.

        Returns:
            What was done, and how far old and new neighbours agree.

        Raises:
            InvalidInput: the gallery has this encoder already, or pictures cannot be read; what was embedded is kept.

        Example:
            >>> Gallery.open("flowers").reindex(Encoder.from_pretrained("runs/better"))  # doctest: +SKIP
        """
        new = encoder.fingerprint
        if new == self.fingerprint:
            raise InvalidInput(f"gallery '{self.location}' has encoder {new} already: pass another one")
        try:
            put_encoder(self.location, encoder)
        except OSError as error:
            raise ArtefactError(f"gallery '{self.location}' cannot be written: {error.strerror or error}") from error
        name = f"staging/{encoder_folder(new).partition('/')[2]}.lance"
        items = None if source is None else read_items(source)
        staging = Staging(self.location.uri(name), encoder, items, self.location.storage)
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
        if self._passed:
            self._encoder, self._encoder_name = encoder, new
        self.location.remove(name)
        agree = agreement(old, vectors)
        self._build_index()
        return ReindexSummary(len(ids), staging.embedded, tuple(staging.broken.values()), agree)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """No other process of this machine writes meanwhile; afterwards this gallery sees what was written."""
        with self.location.alone():
            self._store.settle()
            try:
                yield
                self._store.clean_up()
            finally:
                self._checked = -RECHECK_SECONDS
            current = Path(encoder_folder(self._store.snapshot().encoder)).name
            for folder in self.location.folders("encoders") - {current}:
                self.location.remove(f"encoders/{folder}")

    def _build_index(self) -> None:
        """Build the chosen index now."""
        self._rebuilder.build(self._newest().snapshot)
        self._reload()

    def _condition(self, ids: Ids | None, where: str | None) -> str:
        """The selected items, as a filter for the store."""
        if (ids is None) == (where is None):
            raise InvalidInput("say which items: pass ids or where, not both")
        if where is not None:
            return self._store.snapshot().condition(where)
        selected = as_id_array(() if ids is None else ids)
        self._newest().rows_of(selected)
        return any_of(ID, selected.tolist())


def put_encoder(location: Location, encoder: Embedder) -> None:
    """Save a copy of the encoder in the gallery."""
    with TemporaryDirectory() as folder:
        encoder.save_pretrained(Path(folder, "encoder"))
        location.put_folder(encoder_folder(encoder.fingerprint), Path(folder, "encoder"))
