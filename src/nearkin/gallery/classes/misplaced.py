"""The second half of the review: whether an example fits its class better than others, and at all."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from nearkin.gallery.classes.events import PICTURES, Kind
from nearkin.gallery.classes.names import name_key
from nearkin.gallery.classes.recognizers import kinds_of
from nearkin.gallery.classes.review import Candidate
from nearkin.gallery.classes.summaries import Refused
from nearkin.recognition.examples import Examples
from nearkin.recognition.recognizer import Recognizer
from nearkin.recognition.scorer import NEVER

# With fewer classes of several pictures than this, how far pictures of a class are apart is not known from them.
ENOUGH_CLASSES = 10
# Prior probability that somebody gives an example the wrong name.
WRONG = 0.01


def misplaced(
    candidates: Sequence[Candidate],
    vectors: Float[np.ndarray, "n dim"],
    recognizer: Recognizer,
    ids: Mapping[str, int],
) -> list[Refused | None]:
    """Which pictures are more likely another class's, or a stranger's, than their own, though names are seldom wrong.

    A picture is compared with what its class has beside it, the other candidates among it; where that is nothing, there
    is nothing to say. Where all examples of a class contradict each other, the first one counts. With few classes an
    example is far only if most items of the gallery are as near.

    Args:
        candidates: in their order.
        vectors: of them.
        recognizer: of what is enrolled already. Its scores are log likelihood ratios.
        ids: of its classes, by the keys of their names.
    """
    found: list[Refused | None] = [None] * len(candidates)
    asked = [n for n, one in enumerate(candidates) if one.payload.kind in (*PICTURES, Kind.VECTOR)]
    if not asked:
        return found
    new: dict[str, str] = {name_key(one.name): one.name for one in candidates if name_key(one.name) not in ids}
    ids = {**ids, **{key: len(ids) + number for number, key in enumerate(new)}}
    own = np.array([ids[name_key(one.name)] for one in candidates], np.int64)
    shown = (*recognizer.names, *new.values())
    grown = recognizer
    if len(set(own.tolist())) == len(own):
        # Each is compared with what was there before.
        scores = recognizer.fitted.scores(vectors[asked])
        known = np.flatnonzero(own[asked] < scores.shape[1])
        mine = np.full(len(asked), NEVER)
        mine[known] = scores[known, own[asked][known]]
    else:
        more = Examples(vectors, own, kinds_of(candidates), np.ones(len(own), bool), len(ids))
        grown = recognizer.with_examples(more, shown)
        scores = grown.fitted.scores(vectors[asked])
        mine = grown.fitted.own_scores(grown.examples, len(recognizer.examples) + np.array(asked))
        known = np.arange(len(asked))
    scores[known, own[asked][known]] = NEVER
    others = scores.max(axis=1, initial=NEVER)
    alone = mine <= NEVER / 2
    doubt = np.log((1 - WRONG) / WRONG)
    nearer = ~alone & (others - mine > doubt + np.log(max(1, grown.classes)))
    far = ~alone & (mine < -doubt)
    if int((grown.examples.sizes() > 1).sum()) < ENOUGH_CLASSES:
        for at in np.flatnonzero(far).tolist():
            number = asked[at]
            itself = len(recognizer.examples) + number if grown is not recognizer else -1
            far[at] = _no_nearer_than_any(vectors[number], int(own[number]), itself, grown)
    for at, number in enumerate(asked):
        one = candidates[number]
        if nearer[at]:
            name = shown[int(scores[at].argmax())]
            found[number] = one.refused("nearer to another class", f"nearer to '{name}' than to '{one.name}'")
        elif far[at]:
            found[number] = one.refused("far from its class", f"far from the other examples of '{one.name}'")
    before = recognizer.examples.sizes()
    for id in np.unique(own).tolist():
        of_class = np.flatnonzero(own == id).tolist()
        if (id >= len(before) or not before[id]) and all(found[number] is not None for number in of_class):
            found[of_class[0]] = None
    return found


def _no_nearer_than_any(vector: Float[np.ndarray, " dim"], own: int, itself: int, recognizer: Recognizer) -> bool:
    """Whether an example is no nearer to its class than most pictures of the gallery; False without any."""
    if recognizer.background is None:
        return False
    examples, space = recognizer.examples, recognizer.space
    others = np.flatnonzero((examples.classes == own) & examples.member & examples.picture)
    others = others[others != itself]
    if not len(others):
        return False
    mean = space.seen(examples.vectors[others]).mean(axis=0)
    return bool(space.seen(vector[None])[0] @ mean <= np.median(space.seen(recognizer.background) @ mean))
