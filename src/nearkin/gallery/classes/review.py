"""The review at enrolment: each example is taken, or there is a reason why not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nearkin.data.preprocessing import Preprocessing
from nearkin.gallery.classes.copies import OF_VECTORS, SUSPICIOUS, copy_scores, look_alike
from nearkin.gallery.classes.events import PICTURES, Kind
from nearkin.gallery.classes.names import name_key
from nearkin.gallery.classes.payload import Payload
from nearkin.gallery.classes.registry import Registered
from nearkin.gallery.classes.summaries import Reason, Refused

# A picture that must be enlarged more than this to reach the size that the model wants is too small.
ENLARGED = 3
# Scores at once.
_BLOCK = 1 << 24


@dataclass(frozen=True, eq=False)
class Candidate:
    """An example that asks to be taken.

    Args:
        name: of the class, as it is shown.
        payload: what is to be kept.
    """

    name: str
    payload: Payload

    def refused(self, reason: Reason, detail: str) -> Refused:
        return Refused(self.name, self.payload.shown, reason, detail)


def too_small(candidate: Candidate, preprocessing: Preprocessing) -> Refused | None:
    """Whether a picture has far fewer pixels than the model can use."""
    if candidate.payload.size is None:
        return None
    (width, height), wanted = candidate.payload.size, (preprocessing.width, preprocessing.height)
    if ENLARGED * width >= wanted[0] and ENLARGED * height >= wanted[1]:
        return None
    return candidate.refused(
        "too small",
        f"{width} x {height} pixels: the model sees {wanted[0]} x {wanted[1]}, and can use a third of that or more",
    )


def there_already(candidates: Sequence[Candidate], registered: Registered) -> list[Refused | None]:
    """Which candidates are, byte for byte, examples of their class already."""
    contents = registered.of_contents([one.payload.content_hash for one in candidates])
    found: list[Refused | None] = []
    for candidate in candidates:
        rows = [row for row in contents.get(candidate.payload.content_hash, ()) if registered.state.positive[row]]
        own = [row for row in rows if name_key(registered.name(row) or "") == name_key(candidate.name)]
        found.append(_said(candidate, own[0], registered) if own else None)
    return found


def known_already(
    candidates: Sequence[Candidate],
    vectors: Float[np.ndarray, "n dim"],
    registered: Registered,
    embed_copies: Callable[[Sequence[Payload]], np.ndarray],
) -> list[Refused | None]:
    """Which candidates are copies of what there is: of an example, of the same class or of another one; of a picture
    that was rejected for this class; of a picture to be ignored; or of an earlier candidate.

    Args:
        candidates: in their order.
        vectors: of the candidates.
        registered: what there is.
        embed_copies: gives the vectors `[n, copies, dim]` of copies of some pictures.
    """
    found: list[Refused | None] = [None] * len(candidates)
    contents = registered.of_contents([one.payload.content_hash for one in candidates])
    for number, candidate in enumerate(candidates):
        for row in contents.get(candidate.payload.content_hash, ()):
            found[number] = found[number] or _said(candidate, row, registered)
    asked = [number for number, one in enumerate(found) if one is None and candidates[number].payload.kind != Kind.TEXT]
    if not asked:
        return _among(candidates, vectors, found, np.full(len(candidates), 2.0, np.float32))
    limits = np.full(len(candidates), 2.0, np.float32)
    best = np.full(len(candidates), -1.0, np.float32)
    known = registered.vectors
    step = max(1, _BLOCK // (len(known) + len(vectors)))
    for start in range(0, len(asked), step):
        part = asked[start : start + step]
        among = vectors[part] @ vectors.T
        among[np.arange(len(part)), part] = -1
        best[part] = np.maximum(among.max(axis=1), (vectors[part] @ known.T).max(axis=1, initial=-1))
    suspicious = [number for number in asked if best[number] >= SUSPICIOUS]
    pictures = [number for number in suspicious if candidates[number].payload.kind in PICTURES]
    limits[[number for number in suspicious if candidates[number].payload.kind == Kind.VECTOR]] = OF_VECTORS
    if pictures:
        copies = embed_copies([candidates[number].payload for number in pictures])
        limits[pictures] = copy_scores(vectors[pictures], copies)
    for number in suspicious:
        scores = known @ vectors[number]
        for row in np.argsort(-scores, kind="stable")[:8].tolist():
            if found[number] is None and scores[row] >= min(limits[number], registered.copy_limits[row]):
                if not look_alike(candidates[number].payload.picture, registered.payload(row).picture):
                    continue
                found[number] = found[number] or _said(candidates[number], row, registered)
    return _among(candidates, vectors, found, limits)


def _among(
    candidates: Sequence[Candidate],
    vectors: Float[np.ndarray, "n dim"],
    found: list[Refused | None],
    limits: Float[np.ndarray, " n"],
) -> list[Refused | None]:
    """The same, with copies of earlier candidates that are taken."""
    first: dict[str, int] = {}
    for number, candidate in enumerate(candidates):
        if found[number] is not None:
            continue
        twin = first.setdefault(candidate.payload.content_hash, number)
        if twin == number and limits[number] <= 1 and number:
            scores = vectors[:number] @ vectors[number]
            taken = [
                other
                for other in np.flatnonzero(scores >= limits[number]).tolist()
                if found[other] is None and look_alike(candidate.payload.picture, candidates[other].payload.picture)
            ]
            twin = max(taken, key=lambda other: scores[other], default=number)
        if twin != number:
            other = candidates[twin]
            same = name_key(other.name) == name_key(candidate.name)
            what = f"near copy of {other.payload.shown}{'' if same else f', an example of {other.name!r}'}"
            found[number] = candidate.refused("near copy" if same else "another name", what)
    return found


def _said(candidate: Candidate, row: int, registered: Registered) -> Refused | None:
    """What an example there is, of which this is a copy, means for the candidate; None if nothing."""
    number, known, own = registered.number(row), registered.shown(row), registered.name(row)
    same = own is not None and name_key(own) == name_key(candidate.name)
    change = registered.change(row)
    if own is None:
        return candidate.refused(
            "ignored", f"copy of {known}, which is to be ignored: undo {change} takes that back, or use force"
        )
    if not registered.state.positive[row]:
        if not same:
            return None
        return candidate.refused(
            "rejected",
            f"copy of {known}, which was rejected for {own!r}: undo {change} takes that back, or use force",
        )
    if same:
        return candidate.refused("near copy", f"near copy of {known}, an example already there (number {number})")
    return candidate.refused(
        "another name",
        f"near copy of {known}, an example of {own!r}: reject it there if that is wrong, merge the two names if they "
        "are one, or use force",
    )
