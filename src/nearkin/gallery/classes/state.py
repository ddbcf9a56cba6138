"""What counts after all events: which examples each class has, which are rejected, which are strangers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int

from nearkin.errors import InvalidInput, UnknownName
from nearkin.gallery.classes.events import Action
from nearkin.gallery.classes.names import checked_name, name_key

# Further events are looked at one by one up to so many.
_FEW = 2_000
_STRUCTURE = (Action.FORGET, Action.RENAME, Action.MERGE)


@dataclass(frozen=True, eq=False)
class ClassState:
    """The classes, and the examples that count.

    Args:
        log: all events but their pictures, in the order of their numbers.
        names: of the classes, as they are shown; a class's id is its position.
        rows: for each example that counts its row in the log.
        classes: its class; -1 of a stranger.
        positive: whether it is one of the class, and not one that was rejected; False of a stranger.
        cancelled: changes that were undone.
        owners: for each row of the log the name that it is of in the end, as a number, -1 of none; also of what was
            forgotten or undone.
        known: these numbers by the keys of the names.
        ids: class ids by the keys of the names.
    """

    log: pa.Table
    names: tuple[str, ...]
    rows: Int[np.ndarray, " n"]
    classes: Int[np.ndarray, " n"]
    positive: Bool[np.ndarray, " n"]
    cancelled: frozenset[int]
    owners: Int[np.ndarray, " events"]
    known: Mapping[str, int]
    ids: Mapping[str, int]

    @property
    def strangers(self) -> Bool[np.ndarray, " n"]:
        """Which examples are of no class."""
        return self.classes < 0

    @property
    def rejected(self) -> Bool[np.ndarray, " n"]:
        """Which examples say what a class is not."""
        return (self.classes >= 0) & ~self.positive

    def column(self, name: str, rows: Int[np.ndarray, " m"] | None = None) -> pa.ChunkedArray:
        """A column of the log, of the examples that count or of other rows."""
        return self.log[name].take(pa.array(self.rows if rows is None else rows))

    def sizes(self) -> Int[np.ndarray, " classes"]:
        """Positive examples of each class."""
        return np.bincount(self.classes[self.positive], minlength=len(self.names))

    def class_id(self, name: Any) -> int:
        """The class of a name, however it is written.

        Raises:
            UnknownName: there is none; near names are suggested.
        """
        written = checked_name(name)
        if (key := name_key(written)) not in self.ids:
            if not self.names:
                raise InvalidInput(f"unknown class '{written}': no class is enrolled yet: `nearkin enroll` makes one")
            raise UnknownName("class", written, self.names)
        return self.ids[key]

    def select(self, kept: Int[np.ndarray, " m"]) -> "ClassState":
        """With some of the examples only."""
        return replace(self, rows=self.rows[kept], classes=self.classes[kept], positive=self.positive[kept])

    def changes(self) -> list[dict[str, Any]]:
        """The calls that wrote events, in their order: number, action, names, events, and whether it was undone."""
        numbers = self.log["change"].to_numpy()
        _, starts, counts = np.unique(numbers, return_index=True, return_counts=True)
        columns = ["change", "action", "class", "to", "event", "at", "by", "why"]
        firsts = self.log.select(columns).take(pa.array(starts)).to_pylist()
        return [
            {**first, "events": int(count), "undone": first["change"] in self.cancelled}
            for first, count in zip(firsts, counts, strict=True)
        ]


def fold(log: pa.Table) -> ClassState:
    """What counts after these events.

    Of a class and a content the last word counts: what was enrolled and then rejected is rejected, what was rejected
    and then enrolled (by force) is an example again. What is ignored is of no class until it is enrolled again.

    Args:
        log: all events, in the order of their numbers.
    """
    count = len(log)
    actions = {action: _equal(log["action"], action) for action in Action}
    cancelled = _cancelled(log, actions[Action.UNDO])
    stands = ~np.isin(log["change"].to_numpy(), list(cancelled)) if cancelled else np.ones(count, bool)
    codes, keys = _codes(log["key"])
    known = {key: code for code, key in enumerate(keys)}
    structure, shown = _structure(log, actions, stands, codes, known)
    members = _followed(codes, structure, len(known), forgets=True)
    others = _followed(codes, structure, len(known), forgets=False)

    place = np.arange(count)
    enrolled = stands & actions[Action.ENROLL] & (members >= 0)
    rejected, ignored = stands & actions[Action.REJECT], stands & actions[Action.IGNORE]
    # Most logs have many contents and few corrections, or none.
    corrected = bool(rejected.any() or ignored.any())
    content, contents = _codes(log["content_hash"]) if corrected else (np.full(count, -1), [])
    last_enrolled, last_ignored = np.full(len(contents) + 1, -1), np.full(len(contents) + 1, -1)
    np.maximum.at(last_enrolled, content[enrolled], place[enrolled])
    np.maximum.at(last_ignored, content[ignored], place[ignored])
    live = enrolled & (place > last_ignored[content])
    ignored &= (place == last_ignored[content]) & (place > last_enrolled[content])
    if rejected.any():
        width = len(contents) + 1
        pairs, enrolled_pairs = others * width + content, members * width + content
        last_rejected = dict(zip(pairs[rejected].tolist(), place[rejected].tolist(), strict=True))
        met = np.flatnonzero(enrolled & np.isin(enrolled_pairs, list(last_rejected)))
        last_met = {int(enrolled_pairs[row]): int(row) for row in met}
        for row in met:
            live[row] &= row > last_rejected[int(enrolled_pairs[row])]
        for row in np.flatnonzero(rejected):
            pair = int(pairs[row])
            rejected[row] = last_rejected[pair] == row and last_met.get(pair, -1) < row
    live &= _first_of_each(members, _codes(log["payload_key"])[0], live)

    # Classes in the order in which they were first enrolled.
    found, first = np.unique(members[enrolled], return_index=True)
    order = found[np.argsort(first, kind="stable")]
    id_of = np.full(len(known) + 1, -1)
    id_of[order] = np.arange(len(order))
    first_row = np.flatnonzero(enrolled)[np.sort(first)] if len(order) else np.empty(0, np.int64)
    typed = log["class"].take(pa.array(first_row)).to_pylist()
    names = tuple(shown.get(int(code)) or name for code, name in zip(order, typed, strict=True))
    # A name that has only been rejected is no class.
    rejected &= id_of[others] >= 0
    examples = np.flatnonzero(live | rejected | ignored)
    classes = np.where(live, id_of[members], np.where(rejected, id_of[others], -1))
    key_of = list(known)
    return ClassState(
        log,
        names,
        examples,
        classes[examples],
        live[examples],
        frozenset(cancelled),
        others,
        known,
        {key_of[code]: id for id, code in enumerate(order.tolist())},
    )


def extended(state: ClassState, log: pa.Table) -> ClassState:
    """What counts after further events: as `fold`, in the time that these take where they are plain enrolments.

    Args:
        state: what counted.
        log: its log, and further events behind it.
    """
    start = len(state.log)
    news = log.slice(start).select(["action", "key", "class", "content_hash", "payload_key"]).to_pylist()
    plain = all(each["action"] == Action.ENROLL for each in news)
    negative = state.rows[~state.positive]
    if not plain or len(news) > _FEW or _meets(state.log, negative, "content_hash", news):
        return fold(log)
    names, known, ids = list(state.names), dict(state.known), dict(state.ids)
    classes, owners = [], []
    for each in news:
        if each["key"] in known and each["key"] not in ids:
            # The name had a spelling of its own before it went.
            return fold(log)
        owners.append(known.setdefault(each["key"], len(known)))
        if each["key"] not in ids:
            ids[each["key"]] = len(names)
            names.append(each["class"])
        classes.append(ids[each["key"]])
    if len({(id, each["payload_key"]) for id, each in zip(classes, news, strict=True)}) < len(news):
        return fold(log)
    if _meets(state.log, state.rows[np.isin(state.classes, classes)], "payload_key", news):
        return fold(log)
    return replace(
        state,
        log=log,
        names=tuple(names),
        rows=np.concatenate([state.rows, np.arange(start, len(log))]),
        classes=np.concatenate([state.classes, np.array(classes, np.int64)]),
        positive=np.concatenate([state.positive, np.ones(len(news), bool)]),
        owners=np.concatenate([state.owners, np.array(owners, np.int64)]),
        known=known,
        ids=ids,
    )


def _meets(log: pa.Table, rows: Int[np.ndarray, " m"], column: str, news: list[dict[str, Any]]) -> bool:
    """Whether one of these rows has the same as a new one."""
    there = set(log[column].take(pa.array(rows)).to_pylist())
    return any(each[column] in there for each in news)


def _equal(column: pa.ChunkedArray, value: str) -> Bool[np.ndarray, " n"]:
    return pc.equal(column, value).to_numpy().astype(bool)


def _codes(column: pa.ChunkedArray) -> tuple[Int[np.ndarray, " n"], list[str]]:
    """A column of text as numbers of its values, -1 for none; and the values."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return pc.fill_null(encoded.indices, -1).to_numpy().astype(np.int64), encoded.dictionary.to_pylist()


def _cancelled(log: pa.Table, undo: Bool[np.ndarray, " n"]) -> set[int]:
    """Changes that were undone; an undo that was itself undone counts no more."""
    some = log.select(["change", "event"]).filter(pa.array(undo)).to_pylist()
    cancelled: set[int] = set()
    for row in reversed(some):
        if row["change"] not in cancelled:
            cancelled.add(row["event"])
    return cancelled


def _structure(
    log: pa.Table,
    actions: dict[Action, Bool[np.ndarray, " n"]],
    stands: Bool[np.ndarray, " n"],
    codes: Int[np.ndarray, " n"],
    known: dict[str, int],
) -> tuple[list[tuple[int, int, int]], dict[int, str]]:
    """What moves names: row, name, and the name that it goes to, -1 where it is forgotten; and how names are shown
    after that. Names that only such an event has become known."""
    moves: list[tuple[int, int, int]] = []
    shown: dict[int, str] = {}
    rows = np.flatnonzero(stands & np.any([actions[action] for action in _STRUCTURE], axis=0))
    targets = log["to"].take(pa.array(rows)).to_pylist()
    for row, target in zip(rows.tolist(), targets, strict=True):
        code = int(codes[row])
        if actions[Action.FORGET][row]:
            moves.append((row, code, -1))
            shown.pop(code, None)
            continue
        to = known.setdefault(name_key(target), len(known))
        shown.pop(code, None)
        shown[to] = target
        if to != code:
            moves.append((row, code, to))
    return moves, shown


def _followed(
    codes: Int[np.ndarray, " n"], moves: list[tuple[int, int, int]], count: int, *, forgets: bool
) -> Int[np.ndarray, " n"]:
    """For each row the name that what it says is of in the end; -1 if that was forgotten."""
    # What is said of a name lands in its current box; a move pours a box into another one and puts a new one there. The
    # last box is for what is said of no name.
    current, poured_into, boxes = np.arange(count + 1), {}, count + 1
    box = np.empty(len(codes), np.int64)
    start = 0
    for row, code, to in moves:
        box[start:row], start = current[codes[start:row]], row
        if to < 0 and not forgets:
            continue
        if to >= 0:
            poured_into[int(current[code])] = int(current[to])
        current[code], boxes = boxes, boxes + 1
    box[start:] = current[codes[start:]]
    name_of = np.full(boxes, -1)
    name_of[current[:count]] = np.arange(count)
    for old in reversed(poured_into):
        name_of[old] = name_of[poured_into[old]]
    return name_of[box]


def _first_of_each(
    classes: Int[np.ndarray, " n"], payloads: Int[np.ndarray, " n"], live: Bool[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """Which rows are the first ones of their class and payload."""
    rows = np.flatnonzero(live)
    pairs = classes[rows] * (payloads.max(initial=0) + 1) + payloads[rows]
    first = np.zeros(len(live), bool)
    first[rows[np.unique(pairs, return_index=True)[1]]] = True
    return first
