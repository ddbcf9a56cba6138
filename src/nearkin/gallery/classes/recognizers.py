"""From what counts in the class registry to a recognizer, which is kept and grows with the registry."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
from jaxtyping import Float, Int

from nearkin.data.items import Broken
from nearkin.files import write_whole
from nearkin.gallery.classes.copies import look_alike
from nearkin.gallery.classes.events import Kind
from nearkin.gallery.classes.payload import Payload
from nearkin.gallery.classes.registry import Registered
from nearkin.gallery.classes.state import ClassState
from nearkin.recognition import examples as recognition
from nearkin.recognition.decision import Evidence, Recognition, decide
from nearkin.recognition.recognizer import Measured, Recognizer, Strangers

# What an example is to recognition.
_KINDS = {
    Kind.PICTURE: recognition.Kind.PICTURE,
    Kind.REGION: recognition.Kind.PICTURE,
    Kind.TEXT: recognition.Kind.TEXT,
    Kind.ATTRIBUTES: recognition.Kind.ATTRIBUTES,
    Kind.VECTOR: recognition.Kind.VECTOR,
}
# Files of what was measured that are kept.
_KEPT = 8


@dataclass(frozen=True)
class Example(Evidence):
    """An example of a class, as evidence.

    Args:
        number: of the event that brought it.
        kind: picture, region, text, attributes or vector.
        what: its path or its words.
    """

    number: int
    kind: str
    what: str


@dataclass(frozen=True, eq=False)
class Setting:
    """What a recognizer is made with, beside the examples.

    Args:
        scorer: name of the way to score; None for the default.
        strangers: of whom pictures are known beside those in the registry.
        background: vectors of any pictures, to tell the centre by; None for none.
    """

    scorer: str
    strangers: tuple[Strangers, ...] = ()
    background: Float[np.ndarray, "m dim"] | None = None

    @property
    def key(self) -> str:
        """Equal for equal settings."""
        digest = blake2b(self.scorer.encode(), digest_size=8)
        for group in self.strangers:
            digest.update(group.source.encode() + np.ascontiguousarray(group.vectors).tobytes())
            digest.update(b"" if group.ids is None else group.ids.tobytes())
        if self.background is not None:
            digest.update(self.background.tobytes())
        return digest.hexdigest()


class Recognizers:
    """The recognizers of a gallery, in memory, and what they have measured, in the cache.

    Args:
        folder: for what was measured. If it cannot be written, it is measured again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._found: dict[str, tuple[Registered, Recognizer]] = {}
        # Whose measurements were written last.
        self._kept: Registered | None = None

    def of(self, registered: Registered, setting: Setting, fingerprint: str) -> Recognizer:
        """The recognizer of what counts: the last one with further examples, or else a new one."""
        key = f"{fingerprint} {setting.key}"
        last = self._found.get(key)
        if last is not None and last[0] is registered:
            return last[1]
        state, count = registered.state, 0 if last is None else len(last[0].state.rows)
        if last is not None and _begins_with(state, last[0].state):
            found = last[1] if count == len(state.rows) else _grown(last[1], registered, count)
        else:
            found = self._made(registered, setting, key)
        self._found = {key: (registered, found)}
        return found

    def keep(self, registered: Registered, recognizer: Recognizer, setting: Setting, fingerprint: str) -> None:
        """Write what the recognizer has measured, so that the next process need not measure it."""
        if self._kept is registered:
            return
        self._kept = registered
        path = self._path(f"{fingerprint} {setting.key}")
        count = len(registered.state.rows)
        stamp = {"examples": count, "hash": _hash(registered.state, count)}
        if _stamp(path) == stamp:
            return
        encoded = BytesIO()
        arrays: dict[str, Any] = {**recognizer.measured.to_arrays(), "stamp": np.array(json.dumps(stamp))}
        np.savez(encoded, **arrays)
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, encoded.getvalue())
            by_age = sorted(self._folder.glob("*.npz"), key=lambda each: each.stat().st_mtime)
            for old in by_age[:-_KEPT]:
                old.unlink(missing_ok=True)

    def _made(self, registered: Registered, setting: Setting, key: str) -> Recognizer:
        """A new one; with what an earlier process measured, if it did so for the first of these examples."""
        state, path = registered.state, self._path(key)
        measured, count = None, len(state.rows)
        # A damaged file is measured again.
        with suppress(OSError, ValueError, KeyError, TypeError):
            stamp = _stamp(path)
            if stamp and stamp["examples"] <= count and stamp["hash"] == _hash(state, stamp["examples"]):
                with np.load(path, allow_pickle=False) as arrays:
                    measured = Measured.from_arrays({name: arrays[name] for name in arrays.files if name != "stamp"})
                count = stamp["examples"]
        first = _examples(registered, np.arange(count))
        names = state.names[: first.count]
        found = Recognizer.of(
            names,
            first,
            scorer=setting.scorer,
            strangers=setting.strangers,
            background=setting.background,
            measured=measured,
        )
        return found if count == len(state.rows) else _grown(found, registered, count)

    def _path(self, key: str) -> Path:
        return self._folder / f"{blake2b(key.encode(), digest_size=8).hexdigest()}.npz"


def kinds_of(candidates: Sequence[Any]) -> Int[np.ndarray, " n"]:
    """What the payloads of candidates are to recognition."""
    return np.array([_KINDS[one.payload.kind] for one in candidates], np.int64)


def recognized(
    payloads: Sequence[Payload | Broken],
    vectors: Float[np.ndarray, "n dim"],
    recognizer: Recognizer,
    registered: Registered,
    *,
    fpir: float | None,
    k: int,
) -> list[Recognition | Broken]:
    """What is said of each picture; corrections bind whatever the scores say.

    Args:
        payloads: the pictures, or why one cannot be read.
        vectors: of those that can be.
        recognizer: of the registry.
        registered: what counts.
        fpir: as in `Recognizer.threshold`.
        k: how many candidates.
    """
    readable = [one for one in payloads if isinstance(one, Payload)]
    bans = [_banned(one, vector, registered) for one, vector in zip(readable, vectors, strict=True)]
    more = max((len(each) for each, _ in bans), default=0)
    found = iter(recognizer.recognize(vectors, fpir=fpir, k=k + more) if readable else ())
    answers: list[Recognition | Broken] = []
    corrected = iter(bans)
    for payload in payloads:
        if isinstance(payload, Broken):
            answers.append(payload)
            continue
        banned, ignored = next(corrected)
        answers.append(_corrected(next(found), banned, ignored, k, registered))
    return answers


def _corrected(
    answer: Recognition, banned: Mapping[int, int], ignored: int | None, k: int, registered: Registered
) -> Recognition:
    """An answer without the classes that the picture was rejected for, and with its evidence as people know it."""
    if ignored is not None:
        reason = f"a near copy of {registered.shown(ignored)}, which is to be ignored"
        return replace(answer, decision="unknown", name=None, candidates=(), score=-np.inf, reason=reason)
    first = answer.candidates[0].class_id if answer.candidates else -1
    kept = tuple(
        replace(one, evidence=tuple(_example(each, registered) for each in one.evidence))
        for one in answer.candidates
        if one.class_id not in banned
    )[:k]
    if not banned:
        return replace(answer, candidates=kept)
    score = kept[0].score if kept else -np.inf
    decision = decide(score, answer.threshold)
    named = first if first in banned else next(iter(banned))
    reason = f"a near copy of {registered.shown(banned[named])}, which was rejected for '{_name(named, registered)}'"
    return replace(
        answer,
        decision=decision,
        name=kept[0].name if decision == "name" else None,
        candidates=kept,
        score=score,
        reason=reason,
    )


def _name(class_id: int, registered: Registered) -> str:
    return registered.state.names[class_id]


def _example(evidence: Evidence, registered: Registered) -> Example:
    row = evidence.row
    return Example(row, evidence.score, registered.number(row), registered.kind(row), registered.shown(row))


def _banned(
    payload: Payload, vector: Float[np.ndarray, " dim"], registered: Registered
) -> tuple[dict[int, int], int | None]:
    """Which classes a picture was rejected for, and which example says so; and which one says that it is ignored."""
    state = registered.state
    rows = np.flatnonzero(~state.positive)
    if not len(rows):
        return {}, None
    contents = state.column("content_hash", state.rows[rows])
    same = np.asarray(pc.equal(contents, payload.content_hash)).astype(bool)
    near = (registered.vectors[rows] @ vector >= registered.copy_limits[rows]) & ~same
    near[near] = [look_alike(payload.picture, registered.payload(row).picture) for row in rows[near].tolist()]
    banned: dict[int, int] = {}
    ignored = None
    for row in rows[same | near].tolist():
        own = int(state.classes[row])
        if own < 0:
            ignored = row
        else:
            banned.setdefault(own, row)
    return banned, ignored


def _examples(registered: Registered, rows: Int[np.ndarray, " m"]) -> recognition.Examples:
    """Some of the examples, as recognition takes them; of the classes up to the highest one among them."""
    state = registered.state
    kinds = state.column("kind", state.rows[rows]).combine_chunks().dictionary_encode()
    codes = np.array([_KINDS[Kind(kind)] for kind in kinds.dictionary.to_pylist()], np.int64)
    classes = state.classes[rows]
    return recognition.Examples(
        registered.vectors[rows],
        classes,
        codes[kinds.indices.to_numpy()] if len(rows) else np.empty(0, np.int64),
        state.positive[rows],
        len(state.names) if len(rows) == len(state.rows) else int(classes.max(initial=-1)) + 1,
    )


def _grown(recognizer: Recognizer, registered: Registered, start: int) -> Recognizer:
    """With the examples from `start` on."""
    state = registered.state
    more = _examples(registered, np.arange(start, len(state.rows)))
    return recognizer.with_examples(replace(more, count=len(state.names)), state.names)


def _begins_with(state: ClassState, before: ClassState) -> bool:
    """Whether there are only further examples, and perhaps classes."""
    count = len(before.rows)
    return (
        count <= len(state.rows)
        and state.names[: len(before.names)] == before.names
        and np.array_equal(state.rows[:count], before.rows)
        and np.array_equal(state.classes[:count], before.classes)
        and np.array_equal(state.positive[:count], before.positive)
    )


def _hash(state: ClassState, count: int) -> str:
    """Of the first examples: which they are, of which classes."""
    digest = blake2b(digest_size=16)
    numbers = state.log["number"].to_numpy()[state.rows[:count]]
    for array in (numbers, state.classes[:count], state.positive[:count]):
        digest.update(np.ascontiguousarray(array).tobytes())
    # Numbers are of one log: another gallery of the same place has other examples, at other times.
    ends = [int(state.rows[at]) for at in ({0, count - 1} if count else ())]
    for name in ("payload_key", "at"):
        digest.update(str([state.log[name][row].as_py() for row in ends]).encode())
    return digest.hexdigest()


def _stamp(path: Path) -> dict[str, Any] | None:
    """What a file of the cache was measured with; None if there is none."""
    with suppress(OSError, ValueError, KeyError), np.load(path, allow_pickle=False) as arrays:
        found: dict[str, Any] = json.loads(str(arrays["stamp"]))
        return found
    return None
