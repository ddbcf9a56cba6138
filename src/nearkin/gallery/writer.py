"""Changing a gallery: items are added, updated and deleted, its index chosen, its encoder changed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nearkin.arrays import as_unit_vectors
from nearkin.arrow import pa
from nearkin.data.items import Items, Picture
from nearkin.data.sources import read_items
from nearkin.data.vector_files import check_fingerprint
from nearkin.encoders.embedder import Embedder
from nearkin.errors import ArtefactError, InvalidInput
from nearkin.gallery.change_encoder import ReindexSummary, Staging, agreement, as_column
from nearkin.gallery.classes.carry_over import carry_items_over, carry_over, check_classes, remove_vectors_but
from nearkin.gallery.format import encoder_folder
from nearkin.gallery.index import check_kind
from nearkin.gallery.index.info import IndexInfo, IndexSetting
from nearkin.gallery.items.changes import as_sql, edited_column, new_columns
from nearkin.gallery.items.check import CheckReport, check_items, check_pictures
from nearkin.gallery.items.columns import ID
from nearkin.gallery.items.gone import (
    PruneSummary,
    RelinkSummary,
    apply_moves,
    empty_folders,
    file_records,
    gone_below,
    missing_of,
    plan_relink,
    records_below,
    relative_to,
)
from nearkin.gallery.items.history import ADD, Change, History
from nearkin.gallery.items.ingest import ingest, ingest_vectors
from nearkin.gallery.items.rows import AddSummary
from nearkin.gallery.items.store import INDEX, Snapshot, any_of
from nearkin.gallery.own_encoder import put_encoder, take_calibration
from nearkin.gallery.reader import ITEMS, RECHECK_SECONDS, GalleryReader, Ids, as_id_array
from nearkin.progress import Progress


class GalleryWriter(GalleryReader):
    """What changes a gallery; see `nearkin.Gallery`. Arguments as `GalleryReader`."""

    def add(
        self,
        source: Any,
        *,
        label: str | None = None,
        captions: str | Sequence[str] | None = None,
        path_column: str | None = None,
        strict: bool = False,
        overwrite_labels: bool = False,
        prune: bool = False,
        progress: Progress | None = None,
    ) -> AddSummary:
        """Add pictures, or bring those that are already there up to date.

        A picture is identified by its uri. If its size and time, or else its content, are unchanged, it is not embedded
        again; if its content has changed, it is, under the same id. A picture at a new uri with the content of one that
        is gone is taken as the same picture, moved: its item keeps id and labels. Labels, captions and metadata become
        what the source says, except those that `update` has set; columns that the source does not fill stay as they
        are. Each chunk of pictures is one commit: if the process is killed, the same call does the rest later, and
        nothing is lost or duplicated.

        Args:
            source: a folder, a table, a frame, a picture, a list of pictures, `hf://name`, ..., as `read_items` takes.
            label, captions, path_column: as in `read_items`.
            strict: stop at a picture that cannot be read, instead of skipping it. What was added before it stays.
            overwrite_labels: take the values of the source even where `update` has set others.
            prune: if the source is a folder, delete the items of pictures in it that are gone; not where a folder has
                lost all of its pictures, as when a disk is not mounted.
            progress: called with the number of pictures done and of all pictures.

        Returns:
            How many pictures were added, replaced, updated and unchanged; the skipped ones by name.

        Raises:
            SourceError: the source cannot be read.
            InvalidInput: a picture occurs twice, or a column cannot be stored; nothing is added.
            PictureError: `strict`, and a picture cannot be read.

        Example: see `nearkin.Gallery`.
        """
        items = read_items(source, label=label, captions=captions, path_column=path_column)
        with self._writing(ADD) as change:
            calibrated = self._passed and take_calibration(self.location, self.encoder)
            summary = ingest(
                items, self._store, self.encoder, strict=strict, overwrite=overwrite_labels, progress=progress
            )
            change.only_added = not (summary.replaced or summary.updated or summary.moved)
        gone = gone_below(items.source, items.uris, self._newest().snapshot) if Path(items.source).is_dir() else []
        pruned = 0
        if prune and gone:
            with self._writing("prune"):
                doubtful = empty_folders(file_records(self._store.snapshot()), gone)
                lost = [record[ID] for record in gone if not any(relative_to(each)(record["uri"]) for each in doubtful)]
                pruned = self._store.delete(any_of(ID, lost))
        uris = tuple(record["uri"] for record in gone)
        return replace(summary, gone=uris, pruned=pruned, calibrated=calibrated)

    def add_vectors(
        self,
        items: Items | Sequence[str],
        vectors: npt.ArrayLike,
        *,
        fingerprint: str | None = None,
        hashes: Sequence[str] | None = None,
        overwrite_labels: bool = False,
        progress: Progress | None = None,
    ) -> AddSummary:
        """Add items with vectors that the gallery's encoder made of them elsewhere; no picture is read.

        Args:
            items: with labels, captions and metadata, or only their uris.
            vectors: `[n, dim]`, of any length but zero; they are scaled to length 1.
            fingerprint: of the encoder that made them, to be checked.
            hashes: of the contents of the pictures, as `read_vectors` has them: then `add` embeds none of them again.
            overwrite_labels: as in `add`.
            progress: called with the number of items done and of all items.

        Returns:
            How many items were added, replaced, updated and unchanged.

        Raises:
            InvalidInput: another number of vectors, or another dimension; NaN or a zero vector; an item occurs twice.
            EncoderMismatch: the vectors are another encoder's.

        Example:
            >>> Gallery.open("flowers").add_vectors(["a.jpg", "b.jpg"], np.load("vectors.npy"))  # doctest: +SKIP
        """
        if not isinstance(items, Items):
            items = Items.build([Picture(uri) for uri in items], source="uris")
        if fingerprint is not None:
            check_fingerprint(fingerprint, self.fingerprint)
        checked = as_unit_vectors(vectors, "vectors", dim=self.dim)
        if len(checked) != len(items):
            raise InvalidInput(f"{len(checked)} vectors for {len(items)} items: expected one for each")
        if len(zero := np.flatnonzero(~checked.any(axis=1))):
            raise InvalidInput(f"vectors: row {zero[0]} is the zero vector, which has no direction")
        with self._writing(ADD) as change:
            summary = ingest_vectors(
                items, checked, self._store, hashes=hashes, overwrite=overwrite_labels, progress=progress
            )
            change.only_added = not (summary.replaced or summary.updated)
        return summary

    def delete(self, ids: Ids | None = None, *, where: str | None = None, dry_run: bool = False) -> int:
        """Delete items, in one commit. Their pictures stay where they are; their ids are not used again.

        `restore` undoes it.

        Args:
            ids: which; no id may be unknown.
            where: or those that pass a filter, as in `search`.
            dry_run: only count them.

        Returns:
            How many items were deleted, or would be.

        Raises:
            InvalidInput: neither ids nor a filter, or both; an unknown id; a malformed filter.
            UnknownName: the filter names a column that does not exist.

        Example:
            >>> Gallery.open("flowers").delete(where="label = 'rose' AND year < 2020")  # doctest: +SKIP
        """
        ids = None if ids is None else as_id_array(ids)
        if dry_run:
            self._condition(ids, where)
            return len(self.select(ids, where=where))
        with self._writing("delete"):
            return self._store.delete(self._condition(ids, where))

    def update(
        self,
        values: Mapping[str, Any],
        ids: Ids | None = None,
        *,
        where: str | None = None,
        create: bool = False,
        dry_run: bool = False,
    ) -> int:
        """Set label, captions or metadata of items, in one commit. Nothing is embedded again.

        Later calls of `add` keep these values, unless `overwrite_labels`. `restore` undoes the update.

        Args:
            values: by column; None for no value.
            ids, where: of which items, as in `delete`.
            create: create the columns that the gallery lacks.
            dry_run: only check the values and count the items.

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
        ids = None if ids is None else as_id_array(ids)
        if dry_run:
            self._condition(ids, where)
            schema = self._newest().snapshot.schema
            as_sql(values, pa.unify_schemas([schema, new_columns(values, schema)]) if create else schema)
            return len(self.select(ids, where=where))
        with self._writing("update"):
            condition = self._condition(ids, where)
            schema = self._store.snapshot().schema
            new = new_columns(values, schema) if create else pa.schema([])
            # All is checked before a column is made.
            expressions = as_sql(values, pa.unify_schemas([schema, new]))
            self._store.add_columns(pa.unify_schemas([new, edited_column()]))
            return self._store.update(expressions, condition)

    def restore(self, version: int) -> None:
        """Take the gallery back to an earlier version: the state before a change, as `versions` lists them.

        This is itself a change that can be undone. Ids assigned since then are not reused. Picture files stay as they
        are.

        Args:
            version: its number.

        Raises:
            InvalidInput: it is not kept.
            ArtefactError: it has vectors of another encoder, whose copy the gallery has lost.

        Example:
            >>> gallery = Gallery.open("flowers")                               # doctest: +SKIP
            >>> gallery.restore(gallery.versions()[0].version)                  # doctest: +SKIP
        """
        with self._writing("restore"):
            history = History(self._store)
            earlier = next((each for each in history.versions() if each.version == version), None)
            if earlier and earlier.encoder != self._store.snapshot().encoder:
                folder = encoder_folder(earlier.encoder)
                if Path(folder).name not in self.location.folders("encoders"):
                    raise ArtefactError(
                        f"version {version} has vectors of encoder {earlier.encoder}, which is no longer in the "
                        f"gallery: put a copy of it into {folder}"
                    )
            history.restore(version)
        # An encoder that the caller passed may be another one now.
        if self._store.snapshot().encoder != self._encoder_name:
            self._passed, self._encoder = False, None

    def relink(
        self, old: str | Path, new: str | Path, *, dry_run: bool = False, progress: Progress | None = None
    ) -> RelinkSummary:
        """Update the paths of pictures after their folder was moved or renamed.

        A picture is looked for at the same relative path in the new folder, and must have the same content. Ids,
        labels and vectors stay. Nothing is embedded.

        Args:
            old: the folder as it was.
            new: the folder as it is.
            dry_run: only say what would be done.
            progress: called with the number of pictures looked for and of all.

        Returns:
            What was found, and what was not.

        Raises:
            InvalidInput: no item is below the old folder, or there is no new folder.

        Example:
            >>> Gallery.open("flowers").relink("/old/disk/flowers", "/photos/flowers")  # doctest: +SKIP
        """
        if dry_run:
            return plan_relink(self._newest().snapshot, old, new, progress)[1]
        with self._writing("relink"):
            moves, summary = plan_relink(self._store.snapshot(), old, new, progress)
            apply_moves(moves, self._store)
        return summary

    def prune(
        self,
        *,
        below: str | Path | None = None,
        dry_run: bool = False,
        whole_folders: bool = False,
        progress: Progress | None = None,
    ) -> PruneSummary:
        """Delete the items whose pictures are gone. A picture that may not be looked at does not count as gone.

        Args:
            below: only pictures in this folder, or in folders below it.
            dry_run: only say which.
            whole_folders: also where a folder has lost all of its pictures, as when a disk is not mounted.
            progress: called with the number of pictures looked for and of all.

        Returns:
            Which they are.

        Raises:
            InvalidInput: a folder has lost all of its pictures, and `whole_folders` was not given; or no picture of the
                gallery is below the folder.

        Example:
            >>> len(Gallery.open("flowers").prune(dry_run=True).pruned)                 # doctest: +SKIP
            3
        """
        if dry_run:
            return self._prunable(self._newest().snapshot, below, progress)[1]
        with self._writing("prune"):
            ids, summary = self._prunable(self._store.snapshot(), below, progress)
            if summary.empty_folders and not whole_folders:
                raise InvalidInput(
                    f"no picture is left in {', '.join(summary.empty_folders)}: mount the disk, or name the new folder "
                    "with `relink`; if they were deleted, pass whole_folders=True (--yes)"
                )
            self._store.delete(any_of(ID, ids))
        return summary

    @staticmethod
    def _prunable(
        snapshot: Snapshot, below: str | Path | None, progress: Progress | None
    ) -> tuple[list[int], PruneSummary]:
        records = file_records(snapshot) if below is None else records_below(below, snapshot)
        missing = missing_of(records, progress)
        uris = tuple(record["uri"] for record in missing)
        summary = PruneSummary(uris, len(snapshot), tuple(empty_folders(records, missing)))
        return [record[ID] for record in missing], summary

    def build(self, kind: str = "auto", *, recall: float = 0.99) -> IndexInfo:
        """Choose and build the index of the gallery.

        The gallery keeps the choice. When more than a tenth of the items has changed, recall is measured again; if it
        falls short, the process that notices rebuilds the index while searches continue.

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
        """Check whether the gallery is intact, and repair what can be derived from its items.

        Args:
            read_pictures: compare the contents of the pictures, and not only size and time of their files.
            progress: called with the number of pictures done and of all pictures.

        Example:
            >>> Gallery.open("flowers").check().missing  # doctest: +SKIP
            ('/pictures/rose-7.jpg',)
        """
        version = self._newest()
        try:
            faults = check_items(version.snapshot) + check_classes(self.location, self.fingerprint, self.dim)
        except ArtefactError as error:
            fault = f"{error}: restore {ITEMS}, or index the pictures again"
            return CheckReport(len(version.snapshot), (fault,), (), (), ())
        repaired = version.repair()
        if repaired:
            self._reload()
        found = check_pictures(version.snapshot, read=read_pictures, progress=progress)
        return CheckReport(
            len(version.snapshot),
            tuple(faults),
            found["missing"],
            found["changed"],
            tuple(repaired),
            pictures=sum(map(len, found.values())),
            unreadable=found["unreadable"],
        )

    def reindex(
        self,
        encoder: Embedder,
        *,
        source: str | Path | Items | None = None,
        drop_missing: bool = False,
        progress: Progress | None = None,
    ) -> ReindexSummary:
        """Embed all pictures again with another encoder, and all examples of classes.

        Searches use the old vectors until all new ones are there; then one commit replaces them. An interrupted call
        can be repeated, and continues where it stopped.

        Args:
            encoder: the new one; a copy goes into the gallery.
            source: the pictures, such as `hf://name`, if some are not files at their uris.
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
            with self._writing():
                calibrated = take_calibration(self.location, encoder)
            if not calibrated:
                raise InvalidInput(f"gallery '{self.location}' has encoder {new} already: pass another one")
            self._encoder = encoder if self._passed else None
            return ReindexSummary(len(self), 0, (), None, calibrated=True)
        try:
            put_encoder(self.location, encoder)
            # The gallery may hold a copy already, for an earlier version.
            take_calibration(self.location, encoder)
        except OSError as error:
            raise ArtefactError(f"gallery '{self.location}' cannot be written: {error.strerror or error}") from error
        name = f"staging/{encoder_folder(new).partition('/')[2]}.lance"
        items = None if source is None else read_items(source)
        staging = Staging(self.location.uri(name), encoder, items, self.location.storage)
        staging.embed_missing(self._newest().snapshot, progress)
        staging.check_complete(drop_missing)
        carry_over(self.location, encoder, alone=False)
        with self._writing("reindex"):
            # What was written meanwhile.
            examples = carry_over(self.location, encoder, alone=True)
            staging.embed_missing(self._store.snapshot())
            staging.check_complete(drop_missing)
            if staging.broken:
                self._store.delete(any_of("uri", staging.broken))
            snapshot = self._store.snapshot()
            ids, old = snapshot.ids(), snapshot.vectors()
            vectors = staging.vectors(ids)
            left = carry_items_over(self.location, encoder, ids, vectors)
            self._store.change_encoder(as_column(vectors, new), new)
        if self._passed:
            self._encoder, self._encoder_name = encoder, new
        self.location.remove(name)
        agree = agreement(old, vectors)
        self._build_index()
        return ReindexSummary(
            len(ids),
            staging.embedded,
            tuple(staging.broken.values()),
            agree,
            examples=examples,
            examples_left=left.total(),
            why_left=dict(left),
        )

    @contextmanager
    def _writing(self, change: str | None = None) -> Iterator[Change]:
        """No other process of this machine writes meanwhile; afterwards this gallery sees what was written.

        Args:
            change: what is done to the items, so that the state before can be restored.
        """
        with self.location.alone():
            self._store.settle()
            history = History(self._store)
            try:
                with history.before(change) if change else nullcontext(Change()) as done:
                    yield done
                self._store.clean_up()
            finally:
                self._checked = -RECHECK_SECONDS
            needed = {self._store.snapshot().encoder} | history.encoders()
            for folder in self.location.folders("encoders") - {Path(encoder_folder(each)).name for each in needed}:
                self.location.remove(f"encoders/{folder}")
            remove_vectors_but(self.location, needed)

    def _build_index(self) -> None:
        """Build the chosen index now."""
        self._rebuilder.build(self._newest().snapshot)
        self._reload()

    def _condition(self, ids: Ids | None, where: str | None) -> str:
        """The selected items, as a filter for the store."""
        if (ids is None) == (where is None):
            raise InvalidInput("say which items: pass ids or where, not both")
        if where is not None:
            snapshot = self._store.snapshot()
            # Read before anything is written: a filter may fail on an item.
            snapshot.ids_where(where)
            return snapshot.condition(where)
        selected = as_id_array(() if ids is None else ids)
        self._newest().rows_of(selected)
        return any_of(ID, selected.tolist())
