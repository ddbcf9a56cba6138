"""Embedded pictures and texts to a report: the protocols that the data allow, beside their baselines."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from nearkin.errors import InvalidInput
from nearkin.evaluation.cross_modal import cross_modal, cross_modal_by_chance
from nearkin.evaluation.intervals import Figure
from nearkin.evaluation.report import Report
from nearkin.evaluation.retrieval import retrieval, retrieval_by_chance, roles

BASELINES = ("raw pixels", "chance")

# A larger side is a weaker baseline: what is blurred away at 16 are shifts of a pixel or two.
RAW_SIDE = 16

# Below, an interval says little: chance decides which classes one happened to have.
FEW_CLASSES = 10


def judge(
    title: str,
    images: Float[np.ndarray, "n dim"],
    *,
    label_ids: Int[np.ndarray, " n"] | None = None,
    texts: Float[np.ndarray, "m dim"] | None = None,
    image_of_text: Int[np.ndarray, " m"] | None = None,
    is_query: Bool[np.ndarray, " n"] | None = None,
    is_gallery: Bool[np.ndarray, " n"] | None = None,
    raw: Float[np.ndarray, "n raw"] | None = None,
    chance: bool = True,
    notes: Sequence[str] = (),
    seed: int = 0,
) -> Report:
    """Retrieval by class where there are labels, cross-modal retrieval where there are texts.

    Args:
        title: what is judged on what.
        images: embeddings of the pictures.
        label_ids: class ids, -1 for none; such pictures take no part in retrieval.
        texts, image_of_text: embeddings of texts, and for each the row of its picture.
        is_query, is_gallery: roles in retrieval; every picture has both by default.
        raw: the pictures as `raw_pixels`, judged beside the embeddings.
        chance: whether to give what a random order would reach.
        notes: what else the reader must know; they come first.
        seed: of the bootstrap.

    Raises:
        InvalidInput: neither labels nor texts, or no class has two pictures.

    Example:
        >>> report = judge("corners", np.eye(2)[[0, 0, 1, 1]], label_ids=np.array([0, 0, 1, 1]))
        >>> report.figures["retrieval"]["recall@1"].value, report.counts["classes"]
        (1.0, 2)
    """
    parts: dict[str, _Part] = {}
    if label_ids is not None and (label_ids >= 0).any():
        parts["retrieval"] = _retrieval(images, label_ids, is_query, is_gallery, raw, chance, seed)
    if texts is not None and image_of_text is not None and len(texts):
        by_chance = {"chance": cross_modal_by_chance(image_of_text, images=len(images))} if chance else {}
        figures = cross_modal(images, texts, image_of_text, seed=seed)
        parts["cross_modal"] = _Part(figures, by_chance, {"texts": len(texts)}, [])
    judged = {protocol: part for protocol, part in parts.items() if part.figures}
    if not judged:
        raise InvalidInput(" ".join([f"{title}: nothing to judge, no texts and no two pictures of one class.", *notes]))
    baselines = {
        name: {protocol: part.baselines[name] for protocol, part in judged.items() if name in part.baselines}
        for name in BASELINES
    }
    return Report(
        title,
        {protocol: part.figures for protocol, part in judged.items()},
        baselines={name: figures for name, figures in baselines.items() if figures},
        counts={"pictures": len(images), **{name: n for part in parts.values() for name, n in part.counts.items()}},
        notes=(*notes, *(note for part in parts.values() for note in part.notes)),
    )


def raw_pixels(pixels: UInt8[np.ndarray, "n height width channels"]) -> Float[np.ndarray, "n raw"]:
    """Pictures as vectors whose cosine is the correlation of their pixels: what any encoder has to beat.

    Averaged down to at most 16 x 16 and each picture's mean taken off, which makes for a stronger baseline than
    plain pixels at full size.

    Example:
        >>> raw_pixels(np.zeros((1, 64, 64, 3), dtype=np.uint8)).shape
        (1, 768)
    """
    count, height, width, channels = pixels.shape
    tall, wide = -(-height // RAW_SIDE), -(-width // RAW_SIDE)
    rows, columns = height // tall, width // wide
    cells = pixels[:, : rows * tall, : columns * wide].reshape(count, rows, tall, columns, wide, channels)
    vectors = cells.mean(axis=(2, 4), dtype=np.float32).reshape(count, rows * columns * channels)
    return vectors - vectors.mean(axis=1, keepdims=True)


class _Part(NamedTuple):
    """What one protocol gives to the report."""

    figures: dict[str, Figure]
    baselines: dict[str, dict[str, Figure]]
    counts: dict[str, int]
    notes: list[str]


def _retrieval(
    images: np.ndarray,
    label_ids: np.ndarray,
    is_query: np.ndarray | None,
    is_gallery: np.ndarray | None,
    raw: np.ndarray | None,
    chance: bool,
    seed: int,
) -> _Part:
    """Retrieval among the labelled pictures; without figures if no query has a right answer."""
    has_label = label_ids >= 0
    labels = label_ids[has_label]
    asks, answers = (None if flags is None else flags[has_label] for flags in (is_query, is_gallery))
    part = roles(labels, is_query=asks, is_gallery=answers)
    classes = len(np.unique(labels[part.queries]))
    counts = {
        "classes": len(np.unique(labels)),
        "queries": len(part.queries),
        "queries_without_match": part.without_match,
        "gallery": len(part.gallery),
    }
    notes = []
    if not has_label.all():
        notes.append(f"Pictures without a label, which take no part in retrieval: {(~has_label).sum():,}.")
    if part.without_match:
        notes.append(f"Queries with no other picture of their class to find, left out: {part.without_match:,}.")
    if not classes:
        return _Part({}, {}, counts, notes)
    if len(np.unique(labels[part.gallery])) == 1:
        notes.append("All answers are of one class, so that every order is right: retrieval measures nothing here.")
    elif classes < FEW_CLASSES:
        notes.append(f"Queries come from few classes ({classes}): the intervals say little about other classes.")
    figures = retrieval(images[has_label], labels, is_query=asks, is_gallery=answers, seed=seed)
    baselines = {}
    if raw is not None:
        baselines["raw pixels"] = retrieval(raw[has_label], labels, is_query=asks, is_gallery=answers, seed=seed)
    if chance:
        baselines["chance"] = retrieval_by_chance(labels, is_query=asks, is_gallery=answers)
    return _Part(figures, baselines, counts, notes)
