"""The protocols, each on several models at once: what is measured, what chance would give, what must be said."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from nearkin.calibration.pair_scores import Classes
from nearkin.errors import InvalidInput
from nearkin.evaluation.metrics.all_pairs import score_all_pairs
from nearkin.evaluation.metrics.clustering import score_clustering
from nearkin.evaluation.metrics.cross_modal import cross_modal_by_chance, score_cross_modal
from nearkin.evaluation.metrics.few_shot import WAYS, Episode, FewShot, draw_episodes, score_episodes
from nearkin.evaluation.metrics.retrieval import measure_retrieval, retrieval_by_chance, roles
from nearkin.evaluation.metrics.verification import score_pairs, supported_fars
from nearkin.intervals.bootstrap import Figure
from nearkin.intervals.paired_samples import Measured
from nearkin.similarity.clustering import MOST_AGGLOMERATED, agglomerate, k_means
from nearkin.similarity.ranking import ROUNDING

# Below, an interval says little: chance decides which classes one happened to have.
FEW_CLASSES = 10

# Above, a protocol takes minutes and runs only if it is asked for by name.
MANY_PICTURES = 50_000
MANY_TO_CLUSTER = 200_000_000  # pictures x clusters


class Contestant(NamedTuple):
    """What one model, or one baseline, makes of the pictures and texts.

    Args:
        images: embeddings of the pictures `[n, dim]`.
        texts: embeddings of the texts, if it can embed texts.
        shown: embeddings of the pictures of the fixed few-shot episodes, if there are any.
    """

    images: Float[np.ndarray, "n dim"]
    texts: Float[np.ndarray, "m dim"] | None = None
    shown: Float[np.ndarray, "k dim"] | None = None


@dataclass(frozen=True, eq=False)
class LabelledPairs:
    """Pairs to be told apart.

    Args:
        rows: the two pictures of each `[p, 2]`.
        same: whether they show the same.
        people: the two classes of each.
        folds: the fold of each, if the protocol has folds.
    """

    rows: Int[np.ndarray, "p 2"]
    same: Bool[np.ndarray, " p"]
    people: Int[np.ndarray, "p 2"]
    folds: Int[np.ndarray, " p"] | None = None


@dataclass(frozen=True, eq=False)
class Subject:
    """What is known of the pictures, whoever embeds them.

    Args:
        label_ids: class ids, -1 for none.
        is_query, is_gallery: roles in retrieval; every picture has both by default.
        image_of_text: for each text the row of its picture.
        pairs: pairs for verification; all pairs of labelled pictures by default.
        few_shot: the random episodes wanted.
        within: a group for each picture, which the classes of an episode share.
        episodes: fixed episodes, with rows of `Contestant.shown`, in place of random ones.
        quick: see `measure_retrieval`.
    """

    label_ids: Int[np.ndarray, " n"] | None = None
    is_query: Bool[np.ndarray, " n"] | None = None
    is_gallery: Bool[np.ndarray, " n"] | None = None
    image_of_text: Int[np.ndarray, " m"] | None = None
    pairs: LabelledPairs | None = None
    few_shot: Sequence[FewShot] = (FewShot(shots=1), FewShot(shots=5))
    within: np.ndarray | None = None
    episodes: Sequence[Episode] = ()
    quick: bool = False


@dataclass(frozen=True, eq=False)
class Part:
    """What one protocol found.

    Args:
        measured: metrics of each contestant; none where it cannot take part.
        chance: computes what random embeddings give, as far as they take part.
        counts: what was counted.
        notes: what the reader must know.
    """

    measured: list[dict[str, Measured]]
    chance: Callable[[], Mapping[str, Figure]]
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


Run = Callable[[Sequence[Contestant], Subject, int], Part]


def why_not(protocol: str, contestants: Sequence[Contestant], subject: Subject) -> str | None:
    """Why the protocol is not run unasked on this data; None if it is."""
    ids = np.empty(0, dtype=np.int64) if subject.label_ids is None else subject.label_ids
    labelled, classes = int((ids >= 0).sum()), len(np.unique(ids[ids >= 0]))
    if protocol == "cross_modal":
        return None if contestants[0].texts is not None and len(contestants[0].texts) else "there are no texts"
    if (protocol == "verification" and subject.pairs is not None) or (protocol == "few_shot" and subject.episodes):
        return None
    if not labelled:
        return "there are no labels"
    if protocol == "retrieval":
        return None
    if classes < 2:
        return "there is one class only"
    if labelled == classes:
        return "no class has two pictures"
    if protocol == "verification" and labelled > MANY_PICTURES:
        return f"{labelled:,} pictures make {labelled * (labelled - 1) // 2:,} pairs; ask for it by name"
    if protocol == "clustering" and labelled * classes > MANY_TO_CLUSTER:
        return f"{labelled:,} pictures in {classes:,} clusters take long; ask for it by name"
    return None


def run_retrieval(contestants: Sequence[Contestant], subject: Subject, seed: int) -> Part:
    """Retrieval among the labelled pictures; nothing is measured if no query has a right answer."""
    chosen, labels = _labelled(subject)
    asks, answers = (None if flags is None else flags[chosen] for flags in (subject.is_query, subject.is_gallery))
    part = roles(labels, is_query=asks, is_gallery=answers)
    classes = len(np.unique(labels[part.queries]))
    counts = {
        "classes": len(np.unique(labels)),
        "queries": len(part.queries),
        "queries_without_match": part.without_match,
        "gallery": len(part.gallery),
    }
    notes = []
    if not chosen.all():
        notes.append(f"Pictures without a label, which take no part in retrieval: {(~chosen).sum():,}.")
    if part.without_match:
        notes.append(f"Queries with no other picture of their class to find, left out: {part.without_match:,}.")
    if not classes:
        return Part([{} for _ in contestants], dict, counts, tuple(notes))
    if len(np.unique(labels[part.gallery])) == 1:
        notes.append("All answers are of one class, so that every order is right: retrieval measures nothing here.")
    elif classes < FEW_CLASSES:
        notes.append(f"Queries come from few classes ({classes}): the intervals say little about other classes.")
    measured: list[dict[str, Any]] = [
        measure_retrieval(one.images[chosen], labels, is_query=asks, is_gallery=answers, quick=subject.quick)
        for one in contestants
    ]
    chance = partial(retrieval_by_chance, labels, is_query=asks, is_gallery=answers)
    return Part(measured, chance, counts, tuple(notes))


def run_verification(contestants: Sequence[Contestant], subject: Subject, seed: int) -> Part:
    """Verification on the given pairs, or on all pairs of labelled pictures."""
    measured: list[dict[str, Any]]
    if subject.pairs is None:
        chosen, labels = _labelled(subject)
        measured = [dict(one) for one in score_all_pairs([one.images[chosen] for one in contestants], labels)]
        different, accuracy = Classes.of(labels).different, None
    else:
        pairs = subject.pairs
        measured = [
            dict(score_pairs(_score(one.images, pairs.rows), pairs.same, classes=pairs.people, folds=pairs.folds))
            for one in contestants
        ]
        different, accuracy = int((~pairs.same).sum()), max(pairs.same.mean(), 1 - pairs.same.mean())
    n = next(iter(measured[0].values())).n
    carried, refused = supported_fars(different)
    known = {"auc": 0.5, "eer": 0.5, **dict(zip([name for name in measured[0] if "far" in name], carried, strict=True))}
    chance = {name: Figure(float(value), None, None, n) for name, value in known.items()}
    if accuracy is not None and "accuracy" in measured[0]:
        chance["accuracy"] = Figure(float(accuracy), None, None, n)
    return Part(measured, lambda: chance, {"pairs": n}, _about(refused))


def run_few_shot(contestants: Sequence[Contestant], subject: Subject, seed: int) -> Part:
    """The fixed episodes, or random ones of each kind that the classes are large enough for."""
    measured: list[dict[str, Measured]] = [{} for _ in contestants]
    chance: dict[str, Figure] = {}
    notes = []

    def add(name: str, episodes: Sequence[Episode], vectors: list[np.ndarray], over: str) -> None:
        by_chance = float(np.mean([1 / len(np.unique(episode.shown_classes)) for episode in episodes]))
        for found, one in zip(measured, vectors, strict=True):
            found |= {f"{name}/{way}": m for way, m in score_episodes(one, episodes, unit_of_interval=over).items()}
        chance.update({f"{name}/{way}": Figure(by_chance, None, None, len(episodes)) for way in WAYS})

    if subject.episodes:
        ways = sorted({len(np.unique(episode.shown_classes)) for episode in subject.episodes})
        name = f"{'-'.join(map(str, ways))}-way fixed runs"
        shown = [one.shown if one.shown is not None else one.images for one in contestants]
        add(name, subject.episodes, shown, "episodes")
        return Part(measured, lambda: chance, {"episodes": len(subject.episodes)})
    chosen, labels = _labelled(subject)
    within = None if subject.within is None else subject.within[chosen]
    for settings in subject.few_shot:
        try:
            episodes = draw_episodes(labels, settings, within=within, seed=seed)
        except InvalidInput as error:
            notes.append(f"{settings} left out: {error}.")
            continue
        add(str(settings), episodes, [one.images[chosen] for one in contestants], "classes")
    if not chance:
        raise InvalidInput(" ".join(notes))
    return Part(measured, lambda: chance, {"episodes": max(figure.n for figure in chance.values())}, tuple(notes))


def run_clustering(contestants: Sequence[Contestant], subject: Subject, seed: int) -> Part:
    """As many clusters as there are classes, by k-means and, of not too many pictures, by average linkage."""
    chosen, labels = _labelled(subject)
    classes = len(np.unique(labels))
    random = np.random.default_rng(seed).standard_normal((len(labels), 16), dtype=np.float32)
    vectors = [*(one.images[chosen] for one in contestants), random]
    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {"k-means": lambda one: k_means(one, classes, seed=seed)}
    notes = []
    if len(labels) <= MOST_AGGLOMERATED:
        ways["agglomerative"] = lambda one: agglomerate(one, clusters=classes)
    else:
        notes.append(f"Agglomerative clustering left out: more than {MOST_AGGLOMERATED:,} pictures.")
    found: list[dict[str, Measured]] = [
        {f"{way}/{m}": one for way, make in ways.items() for m, one in score_clustering(make(some), labels).items()}
        for some in vectors
    ]
    chance = {name: Figure(one.figure().value, None, None, len(labels)) for name, one in found[-1].items()}
    return Part(found[:-1], lambda: chance, {"clusters": classes}, tuple(notes))


def run_cross_modal(contestants: Sequence[Contestant], subject: Subject, seed: int) -> Part:
    """Texts by pictures and pictures by texts, for those that embed texts."""
    owners = subject.image_of_text
    if owners is None or not len(owners):
        raise InvalidInput("there are no texts: cross-modal retrieval needs pictures with captions")
    measured = [{} if one.texts is None else score_cross_modal(one.images, one.texts, owners) for one in contestants]
    chance = partial(cross_modal_by_chance, owners, images=len(contestants[0].images))
    return Part(measured, chance, {"texts": len(owners)})


RUNS: dict[str, Run] = {
    "retrieval": run_retrieval,
    "verification": run_verification,
    "few_shot": run_few_shot,
    "clustering": run_clustering,
    "cross_modal": run_cross_modal,
}


def _about(refused: Sequence[str]) -> tuple[str, ...]:
    """A note on rates that the data cannot carry: the first, and that there are more."""
    more = ", and smaller rates more" if len(refused) > 1 else ""
    return (f"Left out: {refused[0]}{more}.",) if refused else ()


def _labelled(subject: Subject) -> tuple[Bool[np.ndarray, " n"], Int[np.ndarray, " k"]]:
    """Which pictures have a label, and the labels of these."""
    if subject.label_ids is None or not (subject.label_ids >= 0).any():
        raise InvalidInput("there are no labels: name the column with the classes")
    chosen = subject.label_ids >= 0
    return chosen, subject.label_ids[chosen]


def _score(images: np.ndarray, rows: Int[np.ndarray, "p 2"]) -> Float[np.ndarray, " p"]:
    """Scores of pairs, to the rounding error of float32, so that equal vectors score equal."""
    lengths = np.linalg.norm(images, axis=1)
    a, b = (images[rows[:, side]] / np.maximum(lengths[rows[:, side], None], 1e-30) for side in (0, 1))
    scores = np.einsum("pd,pd->p", a, b, dtype=np.float64)
    return np.rint(scores / ROUNDING) * float(ROUNDING)
