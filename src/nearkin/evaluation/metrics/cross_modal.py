"""Pictures by their texts and texts by their pictures: recall@k and median rank, by the Flickr30K / COCO protocol."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Int

from nearkin.arrays import as_ids, as_vectors, check_counts, check_seed, unit
from nearkin.errors import InvalidInput
from nearkin.evaluation.metrics.retrieval import found_by_chance
from nearkin.intervals.figure import Figure
from nearkin.intervals.paired_samples import Estimate, Mean, Median
from nearkin.progress import Progress
from nearkin.similarity import top_k
from nearkin.similarity.ranking import first_right_ranks


def cross_modal(
    images: npt.ArrayLike,
    texts: npt.ArrayLike,
    image_of_text: npt.ArrayLike,
    *,
    text_ids: npt.ArrayLike | None = None,
    ks: Sequence[int] = (1, 5, 10),
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Figure]:
    """Does a text find its picture among all pictures, and a picture one of its texts among all texts?

    Equal texts are equally right: where several pictures have the same words, any of these pictures is a right answer
    to the words, and the words are a right answer to each of them, whichever copy comes first. For a picture with
    several texts the best-ranked counts. Otherwise equal scores count as wrong (see `ranking`). Pictures without a
    text are no queries, but may be answers.

    Args:
        images, texts: embeddings `[n, dim]` and `[m, dim]` in one space; scaled to unit length here.
        image_of_text: for each text the row of its picture `[m]`.
        text_ids: for each text a number `[m]`, equal for equal words; all differ by default.
        ks: cut-offs of recall@k.
        seed: random seed of the bootstrap, which draws pictures with all their texts.
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
    seed = check_seed(seed)
    estimates = score_cross_modal(images, texts, image_of_text, text_ids=text_ids, ks=ks, progress=progress)
    return {metric: one.figure(seed=seed) for metric, one in estimates.items()}


def score_cross_modal(
    images: npt.ArrayLike,
    texts: npt.ArrayLike,
    image_of_text: npt.ArrayLike,
    *,
    text_ids: npt.ArrayLike | None = None,
    ks: Sequence[int] = (1, 5, 10),
    progress: Progress | None = None,
) -> dict[str, Estimate]:
    """What `cross_modal` makes figures of, for paired comparison."""
    pictures = unit(as_vectors(images, "images"))
    words = unit(as_vectors(texts, "texts", dim=pictures.shape[1]))
    owners = as_ids(image_of_text, "image_of_text", length=len(words))
    ks = _checked(owners, len(pictures), ks)
    right = _RightAnswers.of(owners, text_ids)
    total = len(words) + len(right.asking)
    text_ranks = first_right_ranks(words, pictures, right.images_of, progress=_shifted(progress, 0, total))
    image_ranks = first_right_ranks(
        pictures[right.asking], words, right.texts_of, progress=_shifted(progress, len(words), total)
    )
    return {
        **_measured("text_to_image", text_ranks, owners, ks),
        **_measured("image_to_text", image_ranks, right.asking, ks),
    }


def cross_modal_by_chance(
    image_of_text: npt.ArrayLike,
    *,
    images: int,
    text_ids: npt.ArrayLike | None = None,
    ks: Sequence[int] = (1, 5, 10),
) -> dict[str, Figure]:
    """What `cross_modal` gives on average if answers come in random order: exact, hence without an interval.

    Args:
        image_of_text, text_ids: for each text the row of its picture, and a number that equal words share.
        images: how many pictures there are.
        ks: cut-offs of recall@k.

    Example:
        >>> cross_modal_by_chance(np.array([0, 1, 2, 3]), images=4)["text_to_image/recall@1"].value
        0.25
    """
    owners = as_ids(image_of_text, "image_of_text", length=np.size(image_of_text))
    ks = _checked(owners, images, ks)
    right = _RightAnswers.of(owners, text_ids)
    return {
        **_chances("text_to_image", right.images_per_text, images, ks),
        **_chances("image_to_text", right.texts_per_image, len(owners), ks),
    }


def same_first_hit(images: npt.ArrayLike, texts: npt.ArrayLike, other_wordings: npt.ArrayLike, *, k: int = 1) -> Mean:
    """How often two wordings of one thing, such as an English and a Russian one, find the same picture first.

    Args:
        images, texts, other_wordings: embeddings `[n, dim]`, `[m, dim]` and `[m, dim]`; scaled to unit length here.
        k: how many first hits are compared: the share that is in both.

    Example:
        >>> same_first_hit(np.eye(2), np.eye(2), np.eye(2)[[0, 0]]).figure().value
        0.5
    """
    pictures = unit(as_vectors(images, "images"))
    one, other = (
        top_k(unit(as_vectors(several, "texts", dim=pictures.shape[1])), pictures, k)[1]
        for several in (texts, other_wordings)
    )
    return Mean((one[:, :, None] == other[:, None, :]).any(2).mean(1))


class _RightAnswers(NamedTuple):
    """Which pictures are right for a text, and which texts for a picture: those that share words.

    Args:
        words: of each text, as numbers.
        asking: rows of the pictures that have a text.
        texts: the texts of each words; images: the rows of the pictures that have them.
        words_of_image: of each picture that asks, the different words that it has.
    """

    words: Int[np.ndarray, " m"]
    asking: Int[np.ndarray, " q"]
    texts: list[Int[np.ndarray, " some"]]
    images: list[Int[np.ndarray, " some"]]
    words_of_image: list[Int[np.ndarray, " some"]]

    @staticmethod
    def of(owners: Int[np.ndarray, " m"], text_ids: npt.ArrayLike | None) -> "_RightAnswers":
        given = np.arange(len(owners)) if text_ids is None else as_ids(text_ids, "text_ids", length=len(owners))
        words = np.unique(given, return_inverse=True)[1]
        by_image, by_words = np.unique(np.stack([owners, words]), axis=1)
        asking = np.unique(by_image)
        return _RightAnswers(
            words,
            asking,
            _by(words, np.arange(len(words))),
            _by(by_words, by_image),
            _by(np.searchsorted(asking, by_image), by_words),
        )

    def images_of(self, text: int) -> Int[np.ndarray, " some"]:
        return self.images[self.words[text]]

    def texts_of(self, image: int) -> Int[np.ndarray, " some"]:
        return np.concatenate([self.texts[words] for words in self.words_of_image[image]])

    @property
    def images_per_text(self) -> Int[np.ndarray, " m"]:
        return np.array([len(rows) for rows in self.images])[self.words]

    @property
    def texts_per_image(self) -> Int[np.ndarray, " q"]:
        return np.array([sum(len(self.texts[words]) for words in several) for several in self.words_of_image])


def _by(keys: Int[np.ndarray, " n"], values: Int[np.ndarray, " n"]) -> list[Int[np.ndarray, " some"]]:
    """The values of key 0, of key 1, ..."""
    order = np.argsort(keys, kind="stable")
    return np.split(values[order], np.cumsum(np.bincount(keys))[:-1])


def _checked(owners: np.ndarray, images: int, ks: Sequence[int]) -> tuple[int, ...]:
    """The cut-offs, if there are texts of these pictures."""
    if not len(owners):
        raise InvalidInput("no texts: cross-modal retrieval needs at least one picture with a text")
    if owners.min() < 0 or owners.max() >= images:
        raise InvalidInput(f"image_of_text names rows {owners.min()} to {owners.max()}, there are {images} pictures")
    return check_counts(ks, "ks")


def _measured(way: str, ranks: np.ndarray, groups: np.ndarray, ks: Sequence[int]) -> dict[str, Estimate]:
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
