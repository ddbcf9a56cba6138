"""Asking the class registry: who is on a picture, which classes there are, how good their examples are."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

# isort: split
import pyarrow.compute as pc

from nearkin.data.decoding import decode_bytes
from nearkin.data.items import Broken, Picture
from nearkin.data.sources import read_items
from nearkin.encoders.embedder import Embedder
from nearkin.errors import EncoderMismatch, InvalidInput, PictureError
from nearkin.gallery.classes.gather import gather
from nearkin.gallery.classes.names import name_key
from nearkin.gallery.classes.payload import (
    Payload,
    Region,
    embed,
    vector_payloads,
)
from nearkin.gallery.classes.recognizers import Recognizers, Setting, recognized
from nearkin.gallery.classes.registry import ClassRegistry, Registered
from nearkin.gallery.classes.shown_health import shown_health
from nearkin.gallery.classes.summaries import ClassInfo
from nearkin.gallery.items.columns import ID
from nearkin.gallery.location import Location
from nearkin.gallery.version import GalleryVersion
from nearkin.gallery.writer import GalleryWriter
from nearkin.recognition.decision import Recognition
from nearkin.recognition.health import Health, health
from nearkin.recognition.open_set import MOST_TRIALS
from nearkin.recognition.recognizer import DEFAULT_SCORER, Recognizer, Strangers
from nearkin.recognition.scorer import SCORERS

# In the cache.
RECOGNITION = "recognition"
# Names the items of no class as strangers.
UNNAMED = "unnamed"
# Up to so many examples, items of the gallery help to tell the centre, so many of them at most; if there are enough.
FEW, FEWEST_ITEMS = 1_000, 50


class ClassReader(GalleryWriter):
    """What can be asked of a gallery by names; see `nearkin.Gallery`. Arguments as `GalleryReader`."""

    def __init__(self, location: Location, encoder: Embedder | None) -> None:
        super().__init__(location, encoder)
        self._registry = ClassRegistry(location)
        self._recognizers = Recognizers(location.cache / RECOGNITION)
        self._reviewers = Recognizers(location.cache / RECOGNITION)
        self._embedded_strangers: dict[str, Strangers] = {}
        self._background_of: tuple[GalleryVersion, np.ndarray] | None = None

    def recognize(
        self,
        queries: Any,
        *,
        fpir: float | None = None,
        k: int = 3,
        scorer: str | None = None,
        strangers: Any = None,
        strict: bool = True,
    ) -> list[Recognition | Broken]:
        """Who or what pictures show: a name, "unknown", or "not sure"; with candidates and the evidence for them.

        A picture that was rejected for a name does not get it, and one that is to be ignored gets none; nor do near
        copies of them.

        Args:
            queries: one or several: paths, pictures in memory, `Region`s, ids of items, or vectors.
            fpir: share of strangers' pictures that may get a name, the false positive identification rate. By default
                1 %, or the lowest rate that can be measured with what is in the registry.
            k: how many candidates.
            scorer: name of a way to score, one of `nearkin.recognition.scorer.SCORERS`.
            strangers: pictures of strangers to measure the threshold with, beside those that are ignored and the
                classes themselves: a source as `read_items` takes (pictures of one label are of one stranger), or
                "unnamed" for the items of the gallery that are examples of no class.
            strict: raise for a picture that cannot be read; else a `Broken` stands in its place.

        Returns:
            One answer for each picture.

        Raises:
            InvalidInput: no class is enrolled; a rate that cannot be measured with so few strangers, or none; k < 1;
                words, or a vector of another dimension; no such item.
            UnknownName: no such way to score.
            PictureError: strict, and a picture cannot be read.

        Example:
            >>> Gallery.open("people").recognize("visitor.jpg")[0].name  # doctest: +SKIP
            'Anna'
        """
        if k < 1:
            raise InvalidInput(f"k is {k}: expected 1 or more")
        self._check_classes(scorer)
        payloads = gather(_queries(queries, self.dim), self._newest(), lambda: self.encoder)
        broken = [one for one in payloads if isinstance(one, Broken)]
        if broken and strict:
            raise PictureError(str(broken[0]))
        vectors = self._embedded([one for one in payloads if isinstance(one, Payload)])
        with self._recognizer(scorer, strangers) as (registered, recognizer):
            return recognized(payloads, vectors, recognizer, registered, fpir=fpir, k=k)

    def classes(self) -> list[ClassInfo]:
        """The classes, in the order in which they were first enrolled. No encoder is loaded.

        Example:
            >>> [each.name for each in Gallery.open("people").classes()]  # doctest: +SKIP
            ['Anna', 'Bob']
        """
        state = self._registry.state()
        count, members = len(state.names), np.flatnonzero(state.positive)
        codes = state.column("kind").combine_chunks().dictionary_encode()
        kinds = codes.dictionary.to_pylist()
        of_kind = np.zeros((count, len(kinds)), np.int64)
        np.add.at(of_kind, (state.classes[members], codes.indices.to_numpy()[members]), 1)
        rejected = np.bincount(state.classes[state.rejected], minlength=count)
        first: list[datetime | None] = [None] * count
        found, places = np.unique(state.classes[members], return_index=True)
        times = state.column("at", state.rows[members[places]]).to_pylist()
        for id, at in zip(found.tolist(), times, strict=True):
            first[id] = at
        return [
            ClassInfo(
                name,
                int(of_kind[id].sum()),
                {kind: int(number) for kind, number in zip(kinds, of_kind[id], strict=True) if number},
                int(rejected[id]),
                first[id],
            )
            for id, name in enumerate(state.names)
        ]

    def class_health(self, *, fpir: float | None = None, scorer: str | None = None, strangers: Any = None) -> Health:
        """How good the examples of the classes are: told by each example without itself.

        Args:
            fpir, scorer, strangers: as in `recognize`.

        Returns:
            Accuracy, classes that are taken for each other, examples that do not fit, classes with too little, and what
            one more picture brings. Examples are told by number and path: see `UnfitExample` and `ConfusedClasses`.

        Raises:
            As `recognize`.

        Example:
            >>> [each.names for each in Gallery.open("people").class_health().siblings]  # doctest: +SKIP
            [('Anna', 'Annette')]
        """
        self._check_classes(scorer)
        with self._recognizer(scorer, strangers) as (registered, recognizer):
            return shown_health(health(recognizer, fpir=fpir), registered)

    def example_picture(self, number: int) -> Image.Image | None:
        """The picture that is kept of an example, at most 512 pixels a side; None of words, attributes and vectors.

        Args:
            number: of the event that brought it, as evidence and summaries say it.

        Raises:
            InvalidInput: no such event.
        """
        found = self._registry.log.pictures([number])
        if number not in found:
            raise InvalidInput(f"no example has the number {number}: take numbers from evidence")
        encoded = found[number]
        return None if encoded is None else decode_bytes(encoded)

    def class_changes(self) -> list[dict[str, Any]]:
        """All that was ever said to the class registry, call by call in its order: number, action, class, to, event (of
        an undo), at, by, why, how many events, and whether it was undone."""
        return self._registry.state().changes()

    def _registered_of(self, fingerprint: str) -> Registered:
        """What counts, with vectors of the gallery's encoder. Nobody else may write meanwhile.

        Raises:
            EncoderMismatch: the gallery has another encoder by now.
        """
        if self.fingerprint != fingerprint:
            raise EncoderMismatch(f"gallery '{self.location}' has changed to encoder {self.fingerprint}: try again")
        if self._registry.missing(fingerprint, self.dim):
            self._registry.embed_missing(self.encoder)
        return self._registry.registered(fingerprint, self.dim)

    def _embedded(self, payloads: Sequence[Payload]) -> np.ndarray:
        """Vectors of payloads; the encoder is loaded only if it is needed."""
        if not payloads:
            return np.empty((0, self.dim), np.float32)
        if all(one.vector is not None for one in payloads):
            return np.stack([np.asarray(one.vector) for one in payloads])
        return embed(payloads, self.encoder)

    def _check_classes(self, scorer: str | None) -> None:
        if scorer is not None:
            SCORERS.check(scorer)
        if not self._registry.state().names:
            raise InvalidInput(
                f"gallery '{self.location}' knows no class yet: teach it one with Gallery.enroll or `nearkin enroll`"
            )

    @contextmanager
    def _recognizer(self, scorer: str | None, strangers: Any) -> Iterator[tuple[Registered, Recognizer]]:
        """What counts, and its recognizer; what that measures is kept."""
        fingerprint = self.fingerprint
        if self._registry.missing(fingerprint, self.dim):
            with self.location.alone():
                self._registry.embed_missing(self.encoder)
        registered = self._registry.registered(fingerprint, self.dim)
        others = self._strangers(strangers, registered)
        setting = Setting(scorer or DEFAULT_SCORER, others, self._background(registered))
        recognizer = self._recognizers.of(registered, setting, fingerprint)
        yield registered, recognizer
        self._recognizers.keep()

    def _strangers(self, strangers: Any, registered: Registered) -> tuple[Strangers, ...]:
        """Pictures of strangers with their vectors."""
        if strangers is None:
            return ()
        if isinstance(strangers, str) and strangers == UNNAMED:
            return self._unnamed(registered)
        items = read_items(strangers)
        key = blake2b("\n".join(items.uris).encode()).hexdigest()
        if key not in self._embedded_strangers:
            payloads = gather(items.pictures[:MOST_TRIALS], self._newest(), lambda: self.encoder)
            kept = [row for row, one in enumerate(payloads) if isinstance(one, Payload)]
            if not kept:
                raise InvalidInput(f"strangers: no picture of {items.source} can be read")
            vectors = self._embedded([one for one in payloads if isinstance(one, Payload)])
            ids = items.label_ids()[0][kept] if items.has_labels else np.full(len(kept), -1)
            # A picture without a label is of a stranger of its own.
            ids = np.where(ids < 0, len(ids) + np.arange(len(ids)), ids)
            self._embedded_strangers = {key: Strangers(vectors, ids, f"pictures of {items.source}")}
        return (self._embedded_strangers[key],)

    def _unnamed(self, registered: Registered) -> tuple[Strangers, ...]:
        """Items that are, by their contents and labels, of no class."""
        snapshot = self._newest().snapshot
        known = pc.unique(registered.state.column("content_hash"))
        table = snapshot.read([ID, "content_hash", "label"])
        rows = np.flatnonzero(~np.asarray(pc.is_in(table["content_hash"], known)))
        labels = table["label"].take(rows).to_pylist()
        ids = registered.state.ids
        rows = rows[[label is None or name_key(label) not in ids for label in labels]][:MOST_TRIALS]
        if not len(rows):
            raise InvalidInput("strangers: all items of the gallery are examples of classes, or bear their names")
        return (Strangers(snapshot.vectors(rows), None, "items of no class in the gallery"),)

    def _background(self, registered: Registered) -> np.ndarray | None:
        """Vectors of items, to tell the centre by where there are few examples."""
        version = self._newest()
        count = len(version.snapshot)
        if len(registered.state.rows) > FEW or count < FEWEST_ITEMS:
            return None
        if self._background_of is None or self._background_of[0] is not version:
            rows = np.unique(np.linspace(0, count - 1, FEW).astype(np.int64))
            self._background_of = version, version.snapshot.vectors(rows)
        return self._background_of[1]

    def _readable(self, sources: Sequence[Any]) -> list[Payload]:
        """Pictures and items, all of which can be read."""
        payloads = gather(sources, self._newest(), lambda: self.encoder)
        for payload in payloads:
            if isinstance(payload, Broken):
                raise PictureError(str(payload))
        return [payload for payload in payloads if isinstance(payload, Payload)]


def _queries(queries: Any, dim: int) -> list[Any]:
    """One query or several; vectors as payloads."""
    if isinstance(queries, np.ndarray) and queries.ndim <= 2 and queries.dtype.kind == "f":
        return list(vector_payloads(queries, dim))
    return [
        vector_payloads(one, dim)[0] if isinstance(one, np.ndarray) and one.ndim == 1 else one
        for one in several(queries)
    ]


def several(pictures: Any) -> list[Any]:
    """One picture or several, as a list."""
    one = isinstance(pictures, str | Path | Picture | Region | bytes) or hasattr(pictures, "ndim")
    one |= isinstance(pictures, int) or hasattr(pictures, "getbands")
    return [pictures] if one else list(pictures)
