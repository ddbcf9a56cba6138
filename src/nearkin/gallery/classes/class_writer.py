"""Changing the class registry: examples are enrolled and corrected, classes renamed, merged and forgotten."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from getpass import getuser
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float

from nearkin.arrow import pa

# isort: split
import pyarrow.compute as pc

from nearkin.data.items import Broken
from nearkin.data.names import plain_text
from nearkin.errors import InvalidInput
from nearkin.gallery.classes.bulk import named_examples, named_items
from nearkin.gallery.classes.class_reader import ClassReader, several
from nearkin.gallery.classes.copies import OF_VECTORS, copy_keys, copy_scores, look_alike
from nearkin.gallery.classes.events import PICTURES, Action, Kind
from nearkin.gallery.classes.gather import gather
from nearkin.gallery.classes.misplaced import misplaced
from nearkin.gallery.classes.names import checked_name, name_key
from nearkin.gallery.classes.payload import (
    Payload,
    attributes_payload,
    text_payload,
    vector_payloads,
)
from nearkin.gallery.classes.recognizers import Setting
from nearkin.gallery.classes.registry import Registered, embed_copies
from nearkin.gallery.classes.review import Candidate, known_already, there_already, too_small
from nearkin.gallery.classes.state import ClassState
from nearkin.gallery.classes.summaries import EnrollSummary, Refused, RegistryChange, Taken
from nearkin.gallery.classes.vectors import delete_vectors
from nearkin.gallery.reader import Ids, as_id_array
from nearkin.progress import Progress

# Examples that are embedded at once and committed together: what a killed process has to do again.
CHUNK = 256


@dataclass(frozen=True, eq=False)
class Correction:
    """What is to be written of some pictures.

    Args:
        row: the columns that all of its events have in common.
        what: it does, in a sentence.
        twins: rows of examples that are copies of the pictures, of which the same is said.
    """

    row: Mapping[str, Any]
    what: str
    twins: list[int]


class ClassWriter(ClassReader):
    """What can be taught to a gallery by names; see `nearkin.Gallery`. Arguments as `GalleryReader`."""

    def enroll(
        self,
        name: str,
        pictures: Any = (),
        *,
        texts: str | Sequence[str] = (),
        attributes: Any = None,
        items: Ids = (),
        vectors: npt.ArrayLike | None = None,
        force: bool = False,
        by: str | None = None,
        why: str | None = None,
    ) -> EnrollSummary:
        """Teach a name by examples, the first ones or further ones.

        Each example is reviewed. One that is refused is named with the reason: it cannot be read; it has far fewer
        pixels than the model can use; it is a near copy of an example that is there already, of this class or another
        one; it was rejected for this name, or is to be ignored; it is nearer to another class than to its own, or far
        from its own. What is taken is written in one commit.

        Args:
            name: of the class. Case, spaces and Unicode form do not make another class.
            pictures: one or several: paths, pictures in memory, or `Region`s of pictures.
            texts: wordings of the class, for an encoder with words.
            attributes: of the class, for an encoder with attributes: numbers in their order, or a mapping by name.
            items: ids of items of the gallery.
            vectors: `[n, dim]`, of the gallery's encoder.
            force: take what the review would refuse, except what cannot be read.
            by: who says so; the user's name by default.
            why: a remark that is kept.

        Returns:
            What was taken, and what was not and why.

        Raises:
            InvalidInput: no example at all; a name that is empty or too long; an empty text; words or attributes that
                the encoder does not know; NaN, another number of attributes or another dimension; no such item.

        Example:
            >>> Gallery.open("people").enroll("Anna", ["anna1.jpg", "anna2.jpg"]).taken[0].number  # doctest: +SKIP
            1
        """
        written = checked_name(name)
        sources = [*several(pictures), *(int(id) for id in as_id_array(items))]
        wordings = [texts] if isinstance(texts, str) else list(texts)
        payloads: list[Any] = [text_payload(text, number) for number, text in enumerate(wordings)]
        if wordings:
            self._check_words()
        if attributes is not None:
            payloads.append(attributes_payload(attributes, self.encoder))
        if vectors is not None:
            payloads += vector_payloads(vectors, self.dim)
        payloads = [*sources, *payloads]
        if not payloads:
            raise InvalidInput(f"no example of '{written}': expected pictures, texts, attributes, items or vectors")
        return self._enroll([(written, payload) for payload in payloads], force=force, by=by, why=why)

    def enroll_many(
        self,
        source: Any = None,
        *,
        column: str | None = None,
        where: str | None = None,
        force: bool = False,
        by: str | None = None,
        why: str | None = None,
        progress: Progress | None = None,
    ) -> EnrollSummary:
        """Teach many names at once. Each chunk of 256 examples is one commit, and all of them one change for `undo`.

        A call that was interrupted is made again: what was taken is there already.

        Args:
            source: a folder with a folder of pictures per class; a table with a column `name` (or `label`) and any of
                `path`, `text` (or `text_*`) and the encoder's attributes; or a mapping from names to pictures.
            column: instead, a column of the gallery that names its items, such as "label".
            where: with a column, only items that pass a filter, as in `search`.
            force, by, why: as in `enroll`.
            progress: called with the number of examples done and of all examples.

        Returns:
            As `enroll`. Pictures without a name are refused by name.

        Raises:
            SourceError: the source cannot be read, or a row is at fault: it is named.
            InvalidInput: neither a source nor a column, or both; a name that cannot be one.
            UnknownName: no such column.

        Example:
            >>> Gallery.open("people").enroll_many("photos/")  # doctest: +SKIP
        """
        if (source is None) == (column is None):
            raise InvalidInput("say what to enrol: pass a source, or the column of the gallery that has the names")
        if where is not None and column is None:
            raise InvalidInput("a filter chooses items of the gallery: pass the column that has their names, too")
        if column is not None:
            named, nameless = named_items(column, where, self._newest())
        else:
            named, nameless = named_examples(source, lambda: self.encoder)
        if any(isinstance(one, Payload) and one.text is not None for _, one in named):
            self._check_words()
        named = [(checked_name(name), one) for name, one in named]
        summary = self._enroll(named, force=force, by=by, why=why, progress=progress)
        refused = [Refused("", what, "no name", "it has no name") for what in nameless]
        return replace(summary, refused=(*refused, *summary.refused))

    def reject(self, picture: Any, name: str, *, by: str | None = None, why: str | None = None) -> RegistryChange:
        """ "Not this one": a picture, and near copies of it, never get this name again.

        If it is an example of the class, it is one no longer. The border of the class learns from it.

        Args:
            picture: a path, a picture in memory, a `Region`, or the id of an item.
            name: of the class.
            by, why: as in `enroll`.

        Raises:
            UnknownName: no such class; near names are suggested.
            PictureError: the picture cannot be read.

        Example:
            >>> Gallery.open("people").reject("visitor.jpg", "Anna").what  # doctest: +SKIP
            "visitor.jpg is not 'Anna'"
        """
        self._registry.state().class_id(name)
        payloads = self._readable([picture])

        def rejected(registered: Registered, vectors: np.ndarray, limits: np.ndarray) -> Correction:
            id = registered.state.class_id(name)
            shown = registered.state.names[id]
            twins = _examples_like(payloads[0], vectors[0], limits[0], registered, id)
            there = _equal_content(payloads[0], registered) & (registered.state.classes == id)
            gone = len(twins) + int((there & registered.state.positive).any())
            also = f": {gone} example{'' if gone == 1 else 's'} less" if gone else ""
            row = {"action": Action.REJECT, "class": shown, "key": name_key(shown), **_who(by, why)}
            return Correction(row, f"{payloads[0].shown} is not '{shown}'{also}", twins)

        return self._correct(payloads, rejected)

    def ignore(self, pictures: Any, *, by: str | None = None, why: str | None = None) -> RegistryChange:
        """ "Never name this one": pictures of strangers, and near copies of them, get no name from now on.

        They count as strangers where the threshold for "unknown" is measured. An example that is ignored is of no class
        any longer.

        Args:
            pictures: one or several, as `reject` takes one.
            by, why: as in `enroll`.

        Raises:
            PictureError: a picture cannot be read; nothing was written.

        Example:
            >>> Gallery.open("people").ignore(["passer-by.jpg"]).examples  # doctest: +SKIP
            1
        """
        payloads = self._readable(several(pictures))
        if not payloads:
            raise InvalidInput("no picture to ignore: expected one or several")

        def ignored(registered: Registered, vectors: np.ndarray, limits: np.ndarray) -> Correction:
            twins = {
                twin: None
                for one, vector, limit in zip(payloads, vectors, limits, strict=True)
                for twin in _examples_like(one, vector, limit, registered, None)
            }
            several = f" and {len(payloads) - 1} more" if len(payloads) > 1 else ""
            row = {"action": Action.IGNORE, **_who(by, why)}
            return Correction(row, f"{payloads[0].shown}{several} will get no name", list(twins))

        return self._correct(payloads, ignored)

    def forget(
        self, name: str, *, erase: bool = False, by: str | None = None, why: str | None = None
    ) -> RegistryChange:
        """The examples of a class count no more; `undo` takes that back.

        Args:
            name: of the class.
            erase: remove all that was said of the class from the disk, pictures and vectors too. This cannot be undone.
                Items of the gallery that were its examples stay; the change names them.
            by, why: as in `enroll`.

        Raises:
            UnknownName: no such class; near names are suggested.

        Example:
            >>> Gallery.open("people").forget("Anna").what  # doctest: +SKIP
            "'Anna' is forgotten: 3 examples count no more"
        """
        with self.location.alone():
            if erase:
                return self._erase(name, by, why)
            state = self._registry.state()
            id = state.class_id(name)
            shown, count = state.names[id], int(state.sizes()[id])
            row = {"action": Action.FORGET, "class": shown, "key": name_key(shown), **_who(by, why)}
            what = f"'{shown}' is forgotten: {count} example{' counts' if count == 1 else 's count'} no more"
            return self._written(row, what, count)

    def rename(self, name: str, new: str, *, by: str | None = None, why: str | None = None) -> RegistryChange:
        """Give a class another name, or another spelling of its name.

        Args:
            name: of the class.
            new: its new name.
            by, why: as in `enroll`.

        Raises:
            UnknownName: no such class; near names are suggested.
            InvalidInput: there is another class of the new name: `merge` joins them.

        Example:
            >>> Gallery.open("people").rename("Ana", "Anna").what  # doctest: +SKIP
            "'Ana' is 'Anna' now"
        """
        written = checked_name(new)
        with self.location.alone():
            state = self._registry.state()
            id = state.class_id(name)
            shown = state.names[id]
            other = state.ids.get(name_key(written), id)
            if other != id:
                raise InvalidInput(
                    f"there is a class '{state.names[other]}' already: `merge` makes one class of '{shown}' and it"
                )
            if written == shown:
                raise InvalidInput(f"'{shown}' is its name already: nothing to do")
            row = {"action": Action.RENAME, "class": shown, "key": name_key(shown), "to": written, **_who(by, why)}
            return self._written(row, f"'{shown}' is '{written}' now", int(state.sizes()[id]))

    def merge(self, name: str, into: str, *, by: str | None = None, why: str | None = None) -> RegistryChange:
        """Two classes are one: what was said of the first is said of the second.

        Args:
            name: of the class that goes.
            into: of the class that stays.
            by, why: as in `enroll`.

        Raises:
            UnknownName: no such class; near names are suggested.
            InvalidInput: both names are of one class.

        Example:
            >>> Gallery.open("people").merge("Annie", "Anna").what  # doctest: +SKIP
            "'Annie' is part of 'Anna' now: 5 examples"
        """
        with self.location.alone():
            state = self._registry.state()
            id, to = state.class_id(name), state.class_id(into)
            shown, kept = state.names[id], state.names[to]
            if id == to:
                raise InvalidInput(f"'{shown}' and '{kept}' are one class already: nothing to do")
            count = int(state.sizes()[[id, to]].sum())
            row = {"action": Action.MERGE, "class": shown, "key": name_key(shown), "to": kept, **_who(by, why)}
            return self._written(row, f"'{shown}' is part of '{kept}' now: {count} examples", count)

    def undo(self, change: int | None = None, *, by: str | None = None, why: str | None = None) -> RegistryChange:
        """Take back what a call did: the last one, or one by its number. An undo can be undone by its own number.

        Args:
            change: number of the call, as summaries and `class_changes` say it; by default the last one that still
                counts and is no undo itself.
            by, why: as in `enroll`.

        Raises:
            InvalidInput: no such number; it was undone already; there is nothing to undo; it was erased.

        Example:
            >>> Gallery.open("people").undo().what  # doctest: +SKIP
            "enroll 'Anna' (change 1) is taken back"
        """
        with self.location.alone():
            state = self._registry.state()
            changes = state.changes()
            if change is None:
                counting = [
                    one for one in changes if not one["undone"] and one["action"] not in (Action.UNDO, Action.ERASE)
                ]
                if not counting:
                    raise InvalidInput("there is nothing to undo: no change of the class registry counts")
                found = counting[-1]
            else:
                found = _of_event(change, state, changes)
            number = found["change"]
            if found["undone"]:
                raise InvalidInput(f"change {number} was undone already: undo that undo to have it again")
            if found["action"] == Action.ERASE:
                raise InvalidInput(f"change {number} erased examples: that cannot be undone")
            what = f"{found['action']}{'' if found['class'] is None else ' ' + repr(found['class'])}"
            row = {"action": Action.UNDO, "event": number, **_who(by, why)}
            return self._written(row, f"{what} (change {number}) is taken back", found["events"])

    def _enroll(
        self,
        named: Sequence[tuple[str, Any]],
        *,
        force: bool,
        by: str | None,
        why: str | None,
        progress: Progress | None = None,
    ) -> EnrollSummary:
        """Review and write examples, chunk by chunk; the calls of one enrolment are one change."""
        taken: list[Taken] = []
        refused: list[Refused] = []
        notes: dict[str, None] = {}
        change: int | None = None
        for start in range(0, len(named), CHUNK):
            payloads = gather([one for _, one in named[start : start + CHUNK]], self._newest(), lambda: self.encoder)
            part = [(name, one) for (name, _), one in zip(named[start : start + CHUNK], payloads, strict=True)]
            broken = [(name, one) for name, one in part if isinstance(one, Broken)]
            refused += [Refused(name, one.uri, "unreadable", one.reason) for name, one in broken]
            asked = [Candidate(name, one) for name, one in part if isinstance(one, Payload)]
            small = [None if force else self._too_small(one) for one in asked]
            refused += [one for one in small if one is not None]
            asked = [one for one, reason in zip(asked, small, strict=True) if reason is None]
            if asked:
                new, reasons = self._take(asked, _who(by, why), notes, force=force, change=change)
                taken += new
                refused += reasons
                if change is None and new:
                    change = new[0].number
            if progress:
                progress(start + len(part), len(named))
        if not force:
            self._reviewers.keep()
        return EnrollSummary(tuple(taken), tuple(refused), change, tuple(notes))

    def _take(
        self,
        asked: Sequence[Candidate],
        who: Mapping[str, Any],
        notes: dict[str, None],
        *,
        force: bool,
        change: int | None,
    ) -> tuple[list[Taken], list[Refused]]:
        """Write those of some examples that pass the review, in one commit."""
        payloads = [one.payload for one in asked]
        fingerprint, vectors = self.fingerprint, self._embedded(payloads)
        with self.location.alone():
            registered = self._registered_of(fingerprint)
            asked = [_as_known(one, registered.state, notes) for one in asked]
            reasons = (
                there_already(asked, registered)
                if force
                else known_already(asked, vectors, registered, lambda some: embed_copies(some, self.encoder))
            )
            kept = [number for number, reason in enumerate(reasons) if reason is None]
            if kept and not force:
                setting = Setting("prototype", background=self._background(registered))
                recognizer = self._reviewers.of(registered, setting, fingerprint)
                for number, doubt in zip(
                    kept,
                    misplaced([asked[at] for at in kept], vectors[kept], recognizer, registered.state.ids),
                    strict=True,
                ):
                    reasons[number] = doubt
                kept = [number for number in kept if reasons[number] is None]
            if not kept:
                return [], [reason for reason in reasons if reason is not None]
            self._registry.keep(fingerprint, [payloads[number].key for number in kept], vectors[kept])
            rows = [
                {
                    "action": Action.ENROLL,
                    "class": asked[number].name,
                    "key": name_key(asked[number].name),
                    **payloads[number].fields(),
                    **who,
                }
                for number in kept
            ]
            numbers = self._registry.log.append(rows, change=change)
        taken = [Taken(asked[at].name, payloads[at].shown, number) for at, number in zip(kept, numbers, strict=True)]
        return taken, [reason for reason in reasons if reason is not None]

    def _correct(
        self, payloads: Sequence[Payload], correct: Callable[[Registered, np.ndarray, np.ndarray], Correction]
    ) -> RegistryChange:
        """Write what is said of some pictures, and of examples that are copies of them, in one commit."""
        fingerprint, encoder = self.fingerprint, self.encoder
        vectors, limits = self._embedded(payloads), np.full(len(payloads), OF_VECTORS, np.float32)
        pictures = [number for number, one in enumerate(payloads) if one.picture is not None]
        copies = embed_copies([payloads[number] for number in pictures], encoder)
        limits[pictures] = copy_scores(vectors[pictures], copies)
        with self.location.alone():
            registered = self._registered_of(fingerprint)
            correction = correct(registered, vectors, limits)
            twins = self._registry.payloads(registered.state.rows[correction.twins].tolist())
            keys = [key for number in pictures for key in copy_keys(payloads[number].key)]
            self._registry.keep(
                fingerprint,
                [*(one.key for one in payloads), *keys],
                np.concatenate([vectors, copies.reshape(-1, vectors.shape[1])]),
            )
            self._registry.keep_copies(twins, encoder)
            rows = [{**correction.row, **one.fields()} for one in (*payloads, *twins)]
            numbers = self._registry.log.append(rows)
        return RegistryChange(numbers[0], str(correction.row["action"]), correction.what, len(rows))

    def _written(self, row: Mapping[str, Any], what: str, examples: int) -> RegistryChange:
        [number] = self._registry.log.append([row])
        return RegistryChange(number, str(row["action"]), what, examples)

    def _erase(self, name: str, by: str | None, why: str | None) -> RegistryChange:
        """Remove what was said of a class, and the vectors that nothing else has; also of one that was forgotten."""
        state, written = self._registry.state(), checked_name(name)
        log, owner = state.log, state.known.get(name_key(written), -1)
        gone = (state.owners == owner) & (owner >= 0)
        if not gone.any():
            state.class_id(written)
        # A rename leads from a name; where nothing else has that name, it goes too.
        keys = np.array(log["key"].to_pylist(), dtype=object)
        is_example = np.asarray(log["kind"].is_valid())
        names = {*keys[gone], name_key(written)} - {*keys[~gone & is_example]}
        gone |= ~is_example & np.isin(keys, list(names)) & (keys != None)  # noqa: E711
        payloads = np.array(log["payload_key"].to_pylist(), dtype=object)
        of_items = {id for id in log["item_id"].filter(pa.array(gone)).to_pylist() if id is not None}
        count = self._registry.log.delete(log["number"].to_numpy()[gone].tolist())
        delete_vectors(self.location, sorted({*payloads[gone]} - {*payloads[~gone]} - {None}))
        self._registry.reload()
        change = self._written(
            {"action": Action.ERASE, **_who(by, why)},
            f"'{written}' is erased: {count} event{' is' if count == 1 else 's are'} gone for good",
            count,
        )
        return replace(change, items=tuple(sorted(of_items & set(self._newest().snapshot.ids().tolist()))))

    def _too_small(self, candidate: Candidate) -> Refused | None:
        return None if candidate.payload.size is None else too_small(candidate, self.encoder.preprocessing)

    def _check_words(self) -> None:
        if not self.encoder.has_text:
            raise InvalidInput(
                f"encoder {self.fingerprint} embeds pictures only, so that a class cannot be told by words: train one "
                "with captions for texts"
            )


def _who(by: str | None, why: str | None) -> dict[str, str | None]:
    """Who says so, and why."""
    by = _user() if by is None else by
    return {"by": by and plain_text(by), "why": why and plain_text(why)}


@cache
def _user() -> str | None:
    # A container may have no name for its user.
    with suppress(OSError, KeyError, ImportError):
        return getuser()
    return None


def _as_known(candidate: Candidate, state: ClassState, notes: dict[str, None]) -> Candidate:
    """The candidate under the name that its class is known by."""
    id = state.ids.get(name_key(candidate.name))
    if id is None or state.names[id] == candidate.name:
        return candidate
    notes.setdefault(f"'{candidate.name}' is known as '{state.names[id]}': `rename` changes how it is written")
    return Candidate(state.names[id], candidate.payload)


def _examples_like(
    payload: Payload, vector: Float[np.ndarray, " dim"], limit: Any, registered: Registered, id: int | None
) -> list[int]:
    """Examples of a class, or of all, that are near copies of a picture, but not the same file."""
    state = registered.state
    pictures = np.asarray(pc.is_in(state.column("kind"), pa.array([*PICTURES, Kind.VECTOR], pa.string()))).astype(bool)
    # What is said of a content is said of all examples that have it.
    alike = pictures & (registered.vectors @ vector >= limit) & ~_equal_content(payload, registered) & state.positive
    rows = np.flatnonzero(alike & ((state.classes == id) if id is not None else True)).tolist()
    return [row for row in rows if look_alike(payload.picture, registered.payload(row).picture)]


def _equal_content(payload: Payload, registered: Registered) -> Bool[np.ndarray, " n"]:
    return np.asarray(pc.equal(registered.state.column("content_hash"), payload.content_hash)).astype(bool)


def _of_event(number: int, state: ClassState, changes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The change that an event belongs to.

    Raises:
        InvalidInput: there is no such event.
    """
    rows = np.flatnonzero(state.log["number"].to_numpy() == number)
    if not len(rows):
        last = f"the last one is {changes[-1]['change']}" if changes else "there is none yet"
        raise InvalidInput(f"no change {number}: {last}; `nearkin classes GALLERY --changes` lists them")
    change = state.log["change"][int(rows[0])].as_py()
    return next(one for one in changes if one["change"] == change)
