"""Embedded pictures and texts to a report: the protocols that the data allow, beside their baselines."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from nearkin.errors import InvalidInput, UnknownName
from nearkin.evaluation.model_comparison import SideBySide
from nearkin.evaluation.protocols import RUNS, Contestant, Part, Subject, why_not
from nearkin.evaluation.report import Report
from nearkin.intervals.bootstrap import Figure

# What training looks at after every epoch: the cheap ones.
QUICK = ("retrieval", "cross_modal")

# A larger side is a weaker baseline: what is blurred away at 16 are shifts of a pixel or two.
RAW_SIDE = 16


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
    quick: bool = False,
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
        quick: for the values alone; see `measure_retrieval`.
        notes: what else the reader must know; they come first.
        seed: of the bootstrap.

    Raises:
        InvalidInput: neither labels nor texts, or no class has two pictures.

    Example:
        >>> report = judge("corners", np.eye(2)[[0, 0, 1, 1]], label_ids=np.array([0, 0, 1, 1]))
        >>> report.figures["retrieval"]["recall@1"].value, report.counts["classes"]
        (1.0, 2)
    """
    subject = Subject(label_ids, is_query, is_gallery, image_of_text, quick=quick)
    baselines = {} if raw is None else {"raw pixels": Contestant(raw)}
    found = judge_several(
        {title: Contestant(images, texts)}, subject, baselines, QUICK, chance=chance, notes=notes, seed=seed
    )
    return replace(found.reports[0], title=title)


def judge_several(
    models: Mapping[str, Contestant],
    subject: Subject,
    baselines: Mapping[str, Contestant],
    protocols: Sequence[str] | None = None,
    *,
    asked: bool = False,
    chance: bool = True,
    notes: Sequence[str] = (),
    seed: int = 0,
) -> SideBySide:
    """Several models, and baselines, on the same pictures by the same protocols.

    Args:
        models: by name; the others are compared with the first.
        subject: what is known of the pictures.
        baselines: by name.
        protocols: names in `RUNS`; all by default.
        asked: whether the protocols were asked for by name. One that cannot be run is left out, and a note says why,
            if it was asked for or all were meant; it is an error if it is all that was asked for.
        chance: whether to give what random embeddings would reach.
        notes: what else the reader must know; they come first.
        seed: of the bootstrap, of episodes and of clusters.

    Raises:
        UnknownName: no such protocol.
        InvalidInput: nothing can be judged, or not what was asked for.

    Example:
        >>> corners, subject = np.eye(2)[[0, 0, 1, 1]], Subject(np.array([0, 0, 1, 1]))
        >>> found = judge_several({"a": Contestant(corners), "b": Contestant(corners)}, subject, {}, ["retrieval"])
        >>> found.differences["b"]["retrieval"]["map"].value
        0.0
    """
    contestants = [*models.values(), *baselines.values()]
    parts: dict[str, Part] = {}
    left_out = []
    for protocol in RUNS if protocols is None else protocols:
        if protocol not in RUNS:
            raise UnknownName("protocol", protocol, RUNS)
        reason = None if asked else why_not(protocol, contestants, subject)
        try:
            if reason is None:
                parts[protocol] = RUNS[protocol](contestants, subject, seed)
        except InvalidInput as error:
            alone = protocols is not None and len(protocols) == 1
            if (asked and alone) or (not asked and protocol == "retrieval"):
                raise
            reason = str(error)
        if reason is not None:
            left_out.append(f"{protocol} ({reason})")
    judged = {protocol: part for protocol, part in parts.items() if part.measured[0]}
    about = [*notes, *(note for part in parts.values() for note in part.notes)]
    if asked:
        left_out += [f"{protocol} (no query has a right answer)" for protocol in parts if protocol not in judged]
    if not judged and asked and left_out:
        raise InvalidInput(f"{' and '.join(models)}: nothing that was asked for can be judged: {'; '.join(left_out)}")
    if not judged:
        names = " and ".join(models)
        raise InvalidInput(" ".join([f"{names}: nothing to judge, no texts and no two pictures of one class.", *notes]))
    if left_out and (asked or protocols is None):
        about.append(f"Protocols left out: {'; '.join(left_out)}.")
    figures = [
        {
            protocol: {m: one.figure(seed=seed) for m, one in part.measured[place].items()}
            for protocol, part in judged.items()
        }
        for place in range(len(contestants))
    ]
    beside = {name: _held(figures[len(models) + place]) for place, name in enumerate(baselines)}
    if chance:
        beside["chance"] = {protocol: dict(part.chance()) for protocol, part in judged.items()}
    counts = {"pictures": len(contestants[0].images)}
    counts |= {name: n for part in parts.values() for name, n in part.counts.items()}
    return SideBySide(
        tuple(models),
        tuple(
            Report(
                name,
                figures[place],
                baselines={b: f for b, f in beside.items() if f},
                counts=counts,
                notes=tuple(about),
            )
            for place, name in enumerate(models)
        ),
        {
            name: _held({protocol: _differences(part, place, seed) for protocol, part in judged.items()})
            for place, name in enumerate(models)
            if place
        },
    )


def _held(figures: Mapping[str, dict[str, Figure]]) -> dict[str, dict[str, Figure]]:
    """Without protocols that nothing was measured by."""
    return {protocol: metrics for protocol, metrics in figures.items() if metrics}


def _differences(part: Part, place: int, seed: int) -> dict[str, Figure]:
    """What this contestant has more than the first."""
    first, other = part.measured[0], part.measured[place]
    return {metric: one.minus(first[metric], seed=seed) for metric, one in other.items() if metric in first}


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
