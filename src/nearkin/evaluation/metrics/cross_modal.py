"""Pictures by their texts and texts by their pictures: recall@k and median rank, by the Flickr30K / COCO protocol."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nearkin.arrays import as_ids, as_vectors, unit
from nearkin.errors import InvalidInput
from nearkin.evaluation.metrics.retrieval import found_by_chance
from nearkin.intervals.bootstrap import Figure
from nearkin.intervals.paired_samples import Mean, Measured, Median
from nearkin.progress import Progress
from nearkin.similarity.ranking import rank_right_answers


def cross_modal(
    images: npt.ArrayLike,
    texts: npt.ArrayLike,
    image_of_text: npt.ArrayLike,
    *,
    ks: Sequence[int] = (1, 5, 10),
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Figure]:
    """Does a text find its picture among all pictures, and a picture one of its texts among all texts?

    Only a text's own picture is right, even where another picture has the same words (the protocol's rule; such
    twins tie, and with ties the wrong answers come first, see `ranking`). For a picture with several texts the
    best-ranked counts. Pictures without a text ask nothing but may be answers.

    Args:
        images, texts: embeddings `[n, dim]` and `[m, dim]` in one space; scaled to unit length here.
        image_of_text: for each text the row of its picture `[m]`.
        ks: cut-offs of recall@k.
        seed: of the bootstrap, which draws pictures with all their texts.
        progress: called with queries done and queries in all, both ways together.

    Returns:
        "text_to_image/recall@k", "text_to_image/median_rank" and the same for "image_to_text".

    Raises:
        InvalidInput: no texts, NaN, vectors of two lengths, k < 1, or a row of no picture.

    Example:
        >>> figures = cross_modal(np.eye(2), np.eye(2), np.array([0, 1]))
        >>> figures["text_to_image/recall@1"].value, figures["image_to_text/median_rank"].value
        (1.0, 1.0)

    Source: Karpathy & Fei-Fei 2015, arXiv:1412.2306, section 4.1.
    """
    measured = score_cross_modal(images, texts, image_of_text, ks=ks, progress=progress)
    return {metric: one.figure(seed=seed) for metric, one in measured.items()}


def score_cross_modal(
    images: npt.ArrayLike,
    texts: npt.ArrayLike,
    image_of_text: npt.ArrayLike,
    *,
    ks: Sequence[int] = (1, 5, 10),
    progress: Progress | None = None,
) -> dict[str, Measured]:
    """What `cross_modal` makes figures of, for paired comparison."""
    pictures = unit(as_vectors(images, "images"))
    words = unit(as_vectors(texts, "texts", dim=pictures.shape[1]))
    owners = as_ids(image_of_text, "image_of_text", length=len(words))
    _check(owners, len(pictures), ks)
    asking = np.unique(owners)
    total = len(words) + len(asking)
    text_ranks, image_ranks = (
        np.concatenate([ranking.first for ranking in rank_right_answers(*sides, progress=advance)])
        for sides, advance in (
            ((words, owners, pictures, np.arange(len(pictures))), _shifted(progress, 0, total)),
            ((pictures[asking], asking, words, owners), _shifted(progress, len(words), total)),
        )
    )
    return {
        **_measured("text_to_image", text_ranks, owners, ks),
        **_measured("image_to_text", image_ranks, asking, ks),
    }


def cross_modal_by_chance(
    image_of_text: npt.ArrayLike, *, images: int, ks: Sequence[int] = (1, 5, 10)
) -> dict[str, Figure]:
    """What `cross_modal` gives on average if answers come in random order: exact, hence without an interval.

    Args:
        image_of_text: for each text the row of its picture.
        images: how many pictures there are.
        ks: cut-offs of recall@k.

    Example:
        >>> cross_modal_by_chance(np.array([0, 1, 2, 3]), images=4)["text_to_image/recall@1"].value
        0.25
    """
    owners = as_ids(image_of_text, "image_of_text", length=np.size(image_of_text))
    _check(owners, images, ks)
    texts = len(owners)
    several = np.bincount(owners)
    return {
        **_chances("text_to_image", np.ones(texts, dtype=np.int64), images, ks),
        **_chances("image_to_text", several[several > 0], texts, ks),
    }


def _check(owners: np.ndarray, images: int, ks: Sequence[int]) -> None:
    if not len(owners):
        raise InvalidInput("no texts: cross-modal retrieval needs at least one picture with a text")
    if owners.min() < 0 or owners.max() >= images:
        raise InvalidInput(f"image_of_text names rows {owners.min()} to {owners.max()}, there are {images} pictures")
    if not ks or min(ks) < 1:
        raise InvalidInput(f"ks is {list(ks)}, wanted whole numbers of at least 1")


def _measured(way: str, ranks: np.ndarray, groups: np.ndarray, ks: Sequence[int]) -> dict[str, Measured]:
    recall = {f"{way}/recall@{k}": Mean((ranks <= k).astype(np.float64), groups) for k in ks}
    return {**recall, f"{way}/median_rank": Median(ranks.astype(np.float64), groups)}


def _chances(way: str, right: np.ndarray, answers: int, ks: Sequence[int]) -> dict[str, Figure]:
    """Expected recall, and the first rank that half of the queries reach; `right` answers for each query."""
    kinds, count = np.unique(right, return_counts=True)

    def recall(k: int) -> float:
        return float(np.average([found_by_chance(int(kind), answers, k) for kind in kinds], weights=count))

    low, high = 1, answers
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if recall(middle) >= 0.5 else (middle + 1, high)
    values = {**{f"recall@{k}": recall(k) for k in ks}, "median_rank": float(low)}
    return {f"{way}/{metric}": Figure(value, None, None, len(right)) for metric, value in values.items()}


def _shifted(progress: Progress | None, before: int, total: int) -> Progress | None:
    """The progress of one part of a work that has `before` behind it."""
    return None if progress is None else lambda done, _: progress(before + done, total)
