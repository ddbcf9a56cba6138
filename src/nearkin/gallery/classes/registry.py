"""The class registry on disk: the log, the vectors of its examples, and what counts."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from jaxtyping import Float

from nearkin.arrow import pa

# isort: split
import pyarrow.compute as pc

from nearkin.encoders.embedder import Embedder
from nearkin.gallery.classes.copies import COPIES, OF_VECTORS, copies_of, copy_keys, copy_scores
from nearkin.gallery.classes.events import PICTURES, Action, Kind
from nearkin.gallery.classes.log import ExampleLog
from nearkin.gallery.classes.payload import Payload, embed, embed_encoded, why_not
from nearkin.gallery.classes.state import ClassState, extended, fold
from nearkin.gallery.classes.vectors import ExampleVectors
from nearkin.gallery.location import Location

LOG = "examples.lance"
# Examples that are embedded together.
_CHUNK = 256


class Registered:
    """What counts at one version of the log, with the vectors of one encoder. Later writes do not change it.

    Args:
        state: what counts.
        vectors: unit length, one for each example of the state.
        copy_limits: for each the score from which on another picture is a copy of it, where it was rejected or ignored.
        payloads: gives what is kept of the examples in some rows of the log.
    """

    def __init__(
        self,
        state: ClassState,
        vectors: Float[np.ndarray, "n dim"],
        copy_limits: Float[np.ndarray, " n"],
        payloads: Callable[[Sequence[int]], list[Payload]],
    ) -> None:
        self._payloads = payloads
        self.state = state
        self.vectors = vectors
        self.copy_limits = copy_limits

    def of_contents(self, contents: Sequence[str]) -> dict[str, list[int]]:
        """The examples that have one of some contents, by content."""
        column = self.state.log["content_hash"]
        events = np.flatnonzero(np.asarray(pc.is_in(column, pa.array(contents, pa.string()))))
        place = np.searchsorted(self.state.rows, events)
        found: dict[str, list[int]] = {}
        for event, row in zip(events.tolist(), place.tolist(), strict=True):
            if row < len(self.state.rows) and self.state.rows[row] == event:
                found.setdefault(column[event].as_py(), []).append(row)
        return found

    def name(self, row: int) -> str | None:
        """The class of an example; None of a stranger."""
        id = int(self.state.classes[row])
        return None if id < 0 else self.state.names[id]

    def number(self, row: int) -> int:
        """The number of the event that brought an example."""
        return self._cell("number", row)

    def change(self, row: int) -> int:
        """The number of the call that brought an example."""
        return self._cell("change", row)

    def payload(self, row: int) -> Payload:
        """What is kept of an example."""
        return self._payloads([int(self.state.rows[row])])[0]

    def shown(self, row: int) -> str:
        """What an example is called."""
        return self.known([row])[0][2]

    def known(self, rows: Sequence[int]) -> list[tuple[int, str, str]]:
        """Of some examples the number of the event that brought each, its kind, and what it is called."""
        columns = self.state.log.select(["number", "kind", "uri", "text"]).take(pa.array(self.state.rows[list(rows)]))
        return [
            (each["number"], each["kind"], each["uri"] or each["text"] or f"{each['kind']} {each['number']}")
            for each in columns.to_pylist()
        ]

    def _cell(self, column: str, row: int) -> Any:
        return self.state.log[column][int(self.state.rows[row])].as_py()


class ClassRegistry:
    """The class registry of a gallery.

    Args:
        location: of the gallery.
    """

    def __init__(self, location: Location) -> None:
        self._location = location
        self.log = ExampleLog(location.uri(LOG), location.storage, shared=location.shared)
        self._vectors: dict[str, ExampleVectors] = {}
        self._state: ClassState | None = None
        self._epoch = 0
        self._registered: tuple[str, Registered] | None = None
        # For each encoder, at an epoch of the log, the rows of the vectors of its events; -1 where there is none.
        self._found: dict[str, tuple[int, np.ndarray]] = {}
        # Whether the examples that count have the first vectors of the store, in its order; else they are copied here.
        self._in_order = False
        self._room: Float[np.ndarray, "room dim"] = np.empty((0, 0), np.float32)

    def state(self) -> ClassState:
        """What counts now."""
        rows = self.log.rows()
        if self._state is None or self._state.log is not rows:
            further = self._state is not None and self._epoch == self.log.epoch
            self._state = extended(self._state, rows) if self._state is not None and further else fold(rows)
            self._epoch = self.log.epoch
        return self._state

    def reload(self) -> None:
        """Forget what was read: rows were removed."""
        self._vectors.clear()
        self._found.clear()
        self._registered = None

    def vectors(self, fingerprint: str, dim: int) -> ExampleVectors:
        """The store of an encoder's vectors."""
        if fingerprint not in self._vectors:
            self._vectors[fingerprint] = ExampleVectors(self._location, fingerprint, dim)
        return self._vectors[fingerprint]

    def missing(self, fingerprint: str, dim: int) -> list[int]:
        """Rows of the log whose examples have no vector of this encoder, whether or not they count now."""
        log, store = self.log.rows(), self.vectors(fingerprint, dim)
        epoch, found = self._found.get(fingerprint, (self.log.epoch, np.empty(0, np.int64)))
        if epoch != self.log.epoch or len(found) > len(log):
            found = found[:0]
        if len(found) < len(log):
            found = np.concatenate([found, store.rows(log["payload_key"].slice(len(found)))])
        without = np.flatnonzero(found < 0)
        if len(without):
            without = without[np.asarray(log["kind"].take(without).is_valid())]
            found[without] = store.rows(log["payload_key"].take(without))
            without = without[found[without] < 0]
        self._found[fingerprint] = self.log.epoch, found
        return without.tolist()

    def payloads(self, rows: Sequence[int]) -> list[Payload]:
        """What is kept of the examples in some rows of the log."""
        records = self._records(rows)
        pictures = self.log.pictures([record["number"] for record in records])
        return [_payload(record, pictures.get(record["number"])) for record in records]

    def bare_payloads(self, rows: Sequence[int]) -> list[Payload]:
        """The same, without pictures."""
        return [_payload(record, None) for record in self._records(rows)]

    def _records(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        return self.log.rows().take(list(rows)).to_pylist() if rows else []

    def embed_missing(
        self, encoder: Embedder, *, lock: Callable[[], AbstractContextManager[None]] | None = None
    ) -> None:
        """Embed the examples that have no vector of this encoder, and copies of those that were rejected or ignored.

        Args:
            encoder: it.
            lock: keeps others from writing; None if they are kept from it already.
        """
        rows = self.missing(encoder.fingerprint, encoder.dim)
        actions = self.log.rows()["action"].take(rows).to_pylist() if rows else []
        for start in range(0, len(rows), _CHUNK):
            payloads = self.payloads(rows[start : start + _CHUNK])
            able = [one for one in payloads if why_not(one, encoder) is None]
            corrected = [
                one
                for one, action in zip(payloads, actions[start : start + _CHUNK], strict=True)
                if action != Action.ENROLL and one.kind in PICTURES and one.picture is not None
            ]
            keys = [*(one.key for one in able), *(key for one in corrected for key in copy_keys(one.key))]
            vectors = np.concatenate([embed(able, encoder), _flat(embed_copies(corrected, encoder))])
            with lock() if lock else nullcontext():
                self.keep(encoder.fingerprint, keys, vectors)

    def keep(self, fingerprint: str, keys: Sequence[str], vectors: Float[np.ndarray, "n dim"]) -> None:
        """Keep vectors that are not kept yet, in one commit. Nobody else may write meanwhile."""
        store = self.vectors(fingerprint, vectors.shape[1])
        new = store.rows(list(keys)) < 0
        # Each key once.
        new &= np.isin(np.arange(len(keys)), list({key: number for number, key in enumerate(keys)}.values()))
        store.add([key for key, is_new in zip(keys, new, strict=True) if is_new], vectors[new])

    def keep_copies(self, payloads: Sequence[Payload], encoder: Embedder) -> None:
        """Keep the vectors of copies of pictures that were rejected or ignored."""
        pictures = [one for one in payloads if one.kind in PICTURES and one.picture is not None]
        if pictures:
            keys = [key for one in pictures for key in copy_keys(one.key)]
            self.keep(encoder.fingerprint, keys, _flat(embed_copies(pictures, encoder)))

    def registered(self, fingerprint: str, dim: int) -> Registered:
        """What counts, with the vectors of an encoder; examples without one are left out."""
        state = self.state()
        before = self._registered
        if before is not None and before[0] == fingerprint:
            if before[1].state is state:
                return before[1]
            if _only_further(before[1].state, state):
                return self._further(before[1], state, fingerprint)
        store = self.vectors(fingerprint, dim)
        self.missing(fingerprint, dim)
        rows = self._found[fingerprint][1][state.rows]
        whole = bool((rows >= 0).all())
        if not whole:
            kept = np.flatnonzero(rows >= 0)
            state, rows = state.select(kept), rows[kept]
        self._in_order = np.array_equal(rows, np.arange(len(rows)))
        if self._in_order:
            vectors = store.vectors[: len(rows)]
        else:
            # With room for more, so that one more example does not copy all.
            self._room = np.empty((len(rows) + len(rows) // 8 + 64, dim), np.float32)
            vectors = self._room[: len(rows)]
            np.take(store.vectors, rows, axis=0, out=vectors)
        registered = Registered(state, vectors, _copy_limits(state, vectors, store), self.payloads)
        self._registered = (fingerprint, registered) if whole else None
        return registered

    def _further(self, before: Registered, state: ClassState, fingerprint: str) -> Registered:
        """With further examples, all of them positive."""
        start, total = len(before.state.rows), len(state.rows)
        store = self.vectors(fingerprint, before.vectors.shape[1])
        rows = store.rows(state.column("payload_key", state.rows[start:]))
        if (rows < 0).any() or not (
            np.array_equal(rows, np.arange(start, total)) if self._in_order else total <= len(self._room)
        ):
            self._registered = None
            return self.registered(fingerprint, before.vectors.shape[1])
        if self._in_order:
            vectors = store.vectors[:total]
        else:
            self._room[start:total] = store.vectors[rows]
            vectors = self._room[:total]
        limits = np.concatenate([before.copy_limits, np.full(total - start, 2.0, np.float32)])
        registered = Registered(state, vectors, limits, self.payloads)
        self._registered = fingerprint, registered
        return registered


def _only_further(before: ClassState, state: ClassState) -> bool:
    """Whether there are only further examples, all of them positive."""
    count = len(before.rows)
    return (
        count <= len(state.rows)
        and bool(state.positive[count:].all())
        and np.array_equal(state.rows[:count], before.rows)
        and np.array_equal(state.classes[:count], before.classes)
        and np.array_equal(state.positive[:count], before.positive)
    )


def embed_copies(payloads: Sequence[Payload], encoder: Embedder) -> Float[np.ndarray, "n copies dim"]:
    """Unit vectors of copies of pictures."""
    if not payloads:
        return np.empty((0, COPIES, encoder.dim), np.float32)
    encoded = [copy for payload in payloads for copy in copies_of(payload.picture or b"")]
    return embed_encoded(encoded, encoder).reshape(len(payloads), -1, encoder.dim)


def _flat(copies: Float[np.ndarray, "n copies dim"]) -> Float[np.ndarray, "m dim"]:
    return copies.reshape(-1, copies.shape[-1])


def _copy_limits(
    state: ClassState, vectors: Float[np.ndarray, "n dim"], store: ExampleVectors
) -> Float[np.ndarray, " n"]:
    limits = np.full(len(vectors), 2.0, np.float32)
    some = np.flatnonzero(~state.positive)
    limits[some] = OF_VECTORS
    keys = state.column("payload_key", state.rows[some]).to_pylist()
    found = store.rows([copy for key in keys for copy in copy_keys(key)]).reshape(len(some), COPIES)
    whole = (found >= 0).all(axis=1)
    if whole.any():
        limits[some[whole]] = copy_scores(vectors[some[whole]], store.vectors[found[whole]])
    return limits


def _payload(record: Mapping[str, Any], picture: bytes | None) -> Payload:
    return Payload(
        Kind(record["kind"]),
        record["uri"] or record["text"] or record["kind"],
        record["content_hash"],
        picture=picture,
        uri=record["uri"],
        text=record["text"],
        attributes=None if record["attributes"] is None else tuple(record["attributes"]),
        attribute_names=tuple(record["attribute_names"] or ()),
        box=None if record["box"] is None else tuple(record["box"]),
        item_id=record["item_id"],
    )
