"""From what counts in the class registry to a recognizer, which is kept and grows with the registry."""

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pyarrow.compute as pc
from jaxtyping import Float, Int

from nearkin.data.items import Broken
from nearkin.files import written_whole
from nearkin.gallery.classes.copies import look_alike
from nearkin.gallery.classes.events import Kind
from nearkin.gallery.classes.payload import Payload
from nearkin.gallery.classes.registry import Registered
from nearkin.gallery.classes.state import ClassState
from nearkin.recognition import examples as recognition
from nearkin.recognition.as_arrays import from_arrays, to_arrays
from nearkin.recognition.decision import Candidate, Evidence, Recognition, decide
from nearkin.recognition.recognizer import ANEW, Made, Recognizer, Strangers
from nearkin.recognition.scorer import SCORERS

# What an example is to recognition.
_KINDS = {
    Kind.PICTURE: recognition.Kind.PICTURE,
    Kind.REGION: recognition.Kind.PICTURE,
    Kind.TEXT: recognition.Kind.TEXT,
    Kind.ATTRIBUTES: recognition.Kind.ATTRIBUTES,
    Kind.VECTOR: recognition.Kind.VECTOR,
}
# Files that are kept, and how they are written.
_FILES, _FORMAT = 4, 2
# A file is written again when there are more further examples than this part of all.
FEW_MORE = 1 / 64
# What reading a damaged file may raise.
_DAMAGED = (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile)


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


@dataclass(eq=False)
class _Found:
    """A recognizer by its encoder and setting, what it is of, and the stamp of its file; empty if there is none."""

    key: str
    registered: Registered
    recognizer: Recognizer
    stamp: dict[str, Any]


class Recognizers:
    """The recognizers of a gallery, in memory, and what they were made of, in the cache.

    Args:
        folder: for what was made. If it cannot be written, it is made again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last: _Found | None = None

    def of(self, registered: Registered, setting: Setting, fingerprint: str) -> Recognizer:
        """The recognizer of what counts: the last one with further examples, or else a new one."""
        key = f"{fingerprint} {setting.key}"
        last = self._last if self._last is not None and self._last.key == key else None
        if last is not None and last.registered is registered:
            return last.recognizer
        if last is not None and _begins_with(registered.state, last.registered.state):
            found = _grown(last.recognizer, registered, len(last.registered.state.rows)), last.stamp
        else:
            found = self._made(registered, setting, key)
        self._last = _Found(key, registered, *found)
        return found[0]

    def keep(self) -> None:
        """Write what took time to be made for the last recognizer, so that the next process need not make it."""
        if (found := self._last) is None:
            return
        state, made, there = found.registered.state, found.recognizer.made, found.stamp
        count = len(state.rows)
        measured = made.measured is not None
        # Of few examples all is made sooner than read; and a few further ones are added sooner than all is written.
        if (count <= ANEW and not measured) or (
            there and there["measured"] >= measured and count - there["examples"] <= FEW_MORE * count
        ):
            return
        path = self._path(found.key)
        found.stamp = {"format": _FORMAT, "examples": count, "hash": _hash(state, count), "measured": measured}
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(path) as file:
                np.savez(file, stamp=np.array(json.dumps(found.stamp)), **to_arrays(made))  # type: ignore[arg-type]
            by_age = sorted(self._folder.glob("*.npz"), key=lambda each: each.stat().st_mtime)
            for old in by_age[:-_FILES]:
                old.unlink(missing_ok=True)

    def _made(self, registered: Registered, setting: Setting, key: str) -> tuple[Recognizer, dict[str, Any]]:
        """A new one, and the stamp of what an earlier process made, if it did so of the first of these examples."""
        state, made, stamp = registered.state, None, {}
        first = _examples(registered, 0, len(state.rows))
        # A damaged file is made again. NumPy would leave one open that it cannot read.
        with suppress(*_DAMAGED), self._path(key).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            there = json.loads(str(arrays["stamp"]))
            count = there["examples"]
            if there["format"] == _FORMAT and count <= len(state.rows) and there["hash"] == _hash(state, count):
                found = from_arrays(Made, arrays, fitted=SCORERS[setting.scorer].kind)
                of_these = _examples(registered, 0, count)
                if found.fitted.count == of_these.count:
                    made, first, stamp = found, of_these, there
        recognizer = Recognizer.of(
            state.names[: first.count],
            first,
            scorer=setting.scorer,
            strangers=setting.strangers,
            background=setting.background,
            made=made,
        )
        return _grown(recognizer, registered, len(first)), stamp

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
    found = recognizer.recognize(vectors, fpir=fpir, k=k + more) if readable else []
    examples = _as_known(found, registered)
    corrected = iter(
        [
            _corrected(answer, banned, ignored, k, registered, examples)
            for answer, (banned, ignored) in zip(found, bans, strict=True)
        ]
    )
    return [one if isinstance(one, Broken) else next(corrected) for one in payloads]


def _corrected(
    answer: Recognition,
    banned: Mapping[int, int],
    ignored: int | None,
    k: int,
    registered: Registered,
    examples: Mapping[int, tuple[int, str, str]],
) -> Recognition:
    """An answer without the classes that the picture was rejected for, and with its evidence as people know it."""
    if ignored is not None:
        reason = f"a near copy of {registered.shown(ignored)}, which is to be ignored"
        return replace(answer, decision="unknown", name=None, candidates=(), score=-np.inf, reason=reason)
    first = answer.candidates[0].class_id if answer.candidates else -1
    kept = tuple(
        replace(one, evidence=tuple(Example(each.row, each.score, *examples[each.row]) for each in one.evidence))
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


def without(candidates: Sequence[Candidate], banned: Collection[int]) -> list[Candidate]:
    """Those that are not banned; the probabilities of the others go to them and to strangers, in proportion.

    Example:
        >>> three = [Candidate("", one, 0.0, share) for one, share in enumerate([0.5, 0.25, 0.125])]
        >>> [one.probability for one in without(three, {0})]
        [0.5, 0.25]
    """
    left = 1 - sum(one.probability for one in candidates if one.class_id in banned)
    return [
        replace(one, probability=min(1.0, one.probability / max(left, 1e-12)))
        for one in candidates
        if one.class_id not in banned
    ]


def _name(class_id: int, registered: Registered) -> str:
    return registered.state.names[class_id]


def _as_known(answers: Sequence[Recognition], registered: Registered) -> dict[int, tuple[int, str, str]]:
    """Number, kind and name of the examples that speak for some answers, by their rows; all are read at once."""
    rows = sorted({each.row for answer in answers for one in answer.candidates for each in one.evidence})
    return dict(zip(rows, registered.known(rows), strict=True))


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


def _examples(registered: Registered, start: int, stop: int) -> recognition.Examples:
    """Some of the examples, as recognition takes them; of the classes up to the highest one among them."""
    state = registered.state
    kinds = state.column("kind", state.rows[start:stop]).combine_chunks().dictionary_encode()
    codes = np.array([_KINDS[Kind(kind)] for kind in kinds.dictionary.to_pylist()], np.int64)
    classes = state.classes[start:stop]
    return recognition.Examples(
        registered.vectors[start:stop],
        classes,
        codes[kinds.indices.to_numpy()] if stop > start else np.empty(0, np.int64),
        state.positive[start:stop],
        len(state.names) if stop == len(state.rows) else int(classes.max(initial=-1)) + 1,
    )


def _grown(recognizer: Recognizer, registered: Registered, start: int) -> Recognizer:
    """With the examples from `start` on."""
    if start == len(registered.state.rows):
        return recognizer
    more = _examples(registered, start, len(registered.state.rows))
    return recognizer.with_examples(more, registered.state.names)


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
