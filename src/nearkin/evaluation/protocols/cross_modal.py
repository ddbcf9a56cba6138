"""Cross-modal retrieval: pictures by their texts, and texts by their pictures; in all languages, and in each."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Int

from nearkin.errors import InvalidInput
from nearkin.evaluation.metrics.cross_modal import cross_modal_by_chance, same_first_hit, score_cross_modal
from nearkin.evaluation.protocol import Embeddings, GroundTruth, NoOptions, Outcome, Protocol
from nearkin.intervals.figure import Figure
from nearkin.intervals.paired_samples import Estimate

# A language of fewer texts is not told apart: a foreign word in one caption makes none.
LEAST_TEXTS = 10


def why_not_unasked(truth: GroundTruth, options: NoOptions) -> str | None:
    """Runs where there are texts."""
    return None if truth.image_of_text is not None and len(truth.image_of_text) else "there are no texts"


def run(models: Sequence[Embeddings], truth: GroundTruth, options: NoOptions, seed: int) -> Outcome:
    """Both ways, for those that embed texts."""
    owners = truth.image_of_text
    if owners is None or not len(owners):
        raise InvalidInput("there are no texts: cross-modal retrieval needs pictures with captions")
    words = np.arange(len(owners)) if truth.text_ids is None else truth.text_ids
    languages = _languages(truth.text_languages)
    pairs = {two: _two_wordings(owners, *(languages[one] for one in two)) for two in combinations(languages, 2)}
    pairs = {two: wordings for two, wordings in pairs.items() if len(wordings) >= LEAST_TEXTS}
    estimates = [{} if one.texts is None else _scored(one, owners, words, languages, pairs) for one in models]
    chance = partial(_chance, owners, words, languages, list(pairs), images=len(models[0].images))
    counts = {"texts": len(owners)} | {f"texts [{name}]": int(of.sum()) for name, of in languages.items()}
    return Outcome(estimates, chance, counts, _about_texts(truth))


def _scored(
    model: Embeddings,
    owners: Int[np.ndarray, " m"],
    words: Int[np.ndarray, " m"],
    languages: Mapping[str, Bool[np.ndarray, " m"]],
    pairs: Mapping[tuple[str, str], Int[np.ndarray, "n 2"]],
) -> dict[str, Estimate]:
    """All texts together, the texts of each language, and two languages' wordings of one picture."""
    texts = model.texts
    assert texts is not None
    found = score_cross_modal(model.images, texts, owners, text_ids=words)
    for name, of in languages.items():
        some = score_cross_modal(model.images, texts[of], owners[of], text_ids=words[of])
        found |= {_in_language(metric, name): one for metric, one in some.items()}
    for two, wordings in pairs.items():
        found[_both(two)] = same_first_hit(model.images, texts[wordings[:, 0]], texts[wordings[:, 1]])
    return found


def _chance(
    owners: Int[np.ndarray, " m"],
    words: Int[np.ndarray, " m"],
    languages: Mapping[str, Bool[np.ndarray, " m"]],
    pairs: Sequence[tuple[str, str]],
    *,
    images: int,
) -> dict[str, Figure]:
    found = cross_modal_by_chance(owners, images=images, text_ids=words)
    for name, of in languages.items():
        some = cross_modal_by_chance(owners[of], images=images, text_ids=words[of])
        found |= {_in_language(metric, name): one for metric, one in some.items()}
    return found | {_both(two): Figure(1 / images, None, None, images) for two in pairs}


def _in_language(metric: str, language: str) -> str:
    """
    Example:
        >>> _in_language("text_to_image/recall@1", "ru")
        'text_to_image[ru]/recall@1'
    """
    way, _, what = metric.partition("/")
    return f"{way}[{language}]/{what}"


def _both(two: tuple[str, str]) -> str:
    return f"same_first_hit[{','.join(two)}]"


def _languages(languages: Sequence[str]) -> dict[str, Bool[np.ndarray, " m"]]:
    """The texts of each language; none if they are all of one."""
    names, counts = np.unique([name for name in languages if name], return_counts=True)
    several = [str(name) for name, count in zip(names, counts, strict=True) if count >= LEAST_TEXTS]
    return {name: np.array(languages) == name for name in several} if len(several) > 1 else {}


def _two_wordings(
    owners: Int[np.ndarray, " m"], one: Bool[np.ndarray, " m"], other: Bool[np.ndarray, " m"]
) -> Int[np.ndarray, "n 2"]:
    """Of each picture with texts in both languages the first of either."""
    firsts = [
        dict(zip(owners[rows][::-1].tolist(), rows[::-1].tolist(), strict=True))
        for rows in (np.flatnonzero(one), np.flatnonzero(other))
    ]
    shared = sorted(set(firsts[0]) & set(firsts[1]))
    return np.array([[first[image] for first in firsts] for image in shared], dtype=np.int64).reshape(-1, 2)


def _about_texts(truth: GroundTruth) -> tuple[str, ...]:
    """A note if several pictures have the same words."""
    if truth.text_ids is None or truth.image_of_text is None:
        return ()
    pairs = np.unique(np.stack([truth.text_ids, truth.image_of_text]), axis=1)
    words, pictures = np.unique(pairs[0], return_counts=True)
    shared = int(np.isin(truth.text_ids, words[pictures > 1]).sum())
    if not shared:
        return ()
    total = len(truth.text_ids)
    return (f"{shared:,} of {total:,} texts are also those of another picture; any picture with the words is right.",)


PROTOCOL = Protocol(
    summary="text to picture and picture to text, as for Flickr30K and COCO: the best-ranked of a picture's texts "
    "counts, and equal texts are equally right; with texts in several languages (columns `caption_en`, `caption_ru`, "
    "or else by script) also for each, and how often two wordings of one picture find the same first",
    metrics="recall@k both ways, median rank; same_first_hit",
    order=50,
    headline=("text_to_image/recall@1", "text_to_image/recall@5", "image_to_text/recall@1"),
    why_not_unasked=why_not_unasked,
    run=run,
    quick=True,
)
