"""How a recipe's model is judged: each protocol gives its figure, and that of raw pixels."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import nearkin
from nearkin.data.images import stream_pixels
from nearkin.data.items import Items
from nearkin.data.pairs import Pairs
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.raw_pixels import raw_pixels
from nearkin.evaluation import few_shot, retrieval, verification


def judge_few_shot(
    encoder: Encoder, test: Items, data: Path, *, within: str | None = None, by: str = "prototype", **episodes: Any
) -> tuple[float, float]:
    """Accuracy over random episodes; `within` a column, each has classes of one of its values."""
    groups = None if within is None else np.unique(test.column(within), return_inverse=True)[1]
    labels = test.label_ids()[0]
    model, raw = (few_shot(vectors, labels, within=groups, **episodes)[by].value for vectors in _vectors(encoder, test))
    return model, raw


def judge_retrieval(encoder: Encoder, test: Items, data: Path, *, metric: str = "recall@1") -> tuple[float, float]:
    """Each picture asks for others of its class."""
    model, raw = (retrieval(vectors, test.label_ids()[0])[metric].value for vectors in _vectors(encoder, test))
    return model, raw


def judge_captions(
    encoder: Encoder, test: Items, data: Path, *, metric: str, first: int | None = None
) -> tuple[float, float]:
    """Pictures are searched by their captions (the `first` ones, such as names), and captions by their pictures.

    The second figure is that of chance.
    """
    test = replace(test, captions=tuple(captions[:first] for captions in test.captions))
    report = nearkin.evaluate(encoder, test, split="all", protocols=["cross-modal"])
    print(report.to_markdown(), file=sys.stderr)
    return report.figures["cross_modal"][metric].value, report.baselines["chance"]["cross_modal"][metric].value


def judge_zero_shot(encoder: Encoder, test: Items, data: Path, *, attributes: str, metric: str) -> tuple[float, float]:
    """Pictures of classes never seen, by their attributes; for raw pixels by those of the nearest picture's class."""
    report = nearkin.evaluate(encoder, test, split="all", protocols=["zero-shot"], attributes=attributes)
    raw = report.baselines["raw pixels"]["zero_shot"]["neighbour/unseen"]
    return report.figures["zero_shot"][metric].value, raw.value


def judge_pairs(
    encoder: Encoder, test: Items, data: Path, *, pairs: str, fold: int | None = None
) -> tuple[float, float]:
    """Share of a fold of LFW's pairs told right, at the threshold that is best for the held-out people of the training.

    Raw pixels get the threshold that is best for these very pairs. Without a fold, each fold is judged at the threshold
    that is best for the others.
    """
    if fold is None:
        return _judge_all_folds(encoder, test, data / pairs)
    first, second, same = _rows_of_pairs(read_fold(data / pairs, fold), test)
    model, raw = (
        np.einsum("pd,pd->p", vectors[first], vectors[second]) for vectors in map(_unit, _vectors(encoder, test))
    )
    curve = encoder.checked_calibration().curve
    threshold = curve.scores[int(np.argmax(np.array(curve.tar) - np.array(curve.far)))]
    return float(((model >= threshold) == same).mean()), max(float(((raw >= limit) == same).mean()) for limit in raw)


def _judge_all_folds(encoder: Encoder, test: Items, path: Path) -> tuple[float, float]:
    pairs = list(Pairs(path))
    row_of = {Path(uri).stem: row for row, uri in enumerate(test.uris)}
    rows = np.array([[row_of[Path(name).stem] for name in (pair.a, pair.b)] for pair in pairs])
    same, folds = [pair.same for pair in pairs], np.unique([pair.fold for pair in pairs], return_inverse=True)[1]
    model, raw = (
        verification(np.einsum("pd,pd->p", *vectors[rows.T]), same, folds=folds)["accuracy"].value
        for vectors in map(_unit, _vectors(encoder, test))
    )
    return model, raw


def read_fold(path: Path, fold: int) -> list[list[str]]:
    """Words of the lines of a fold, from 1: `name number number`, or `name number name number`."""
    header, *lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    size = 2 * int(header[1])
    return lines[(fold - 1) * size : fold * size]


JUDGES: dict[str, Callable[..., tuple[float, float]]] = {
    "captions": judge_captions,
    "few-shot": judge_few_shot,
    "pairs": judge_pairs,
    "retrieval": judge_retrieval,
    "zero-shot": judge_zero_shot,
}


def _vectors(encoder: Encoder, items: Items) -> tuple[np.ndarray, np.ndarray]:
    """Of each picture the embedding, and its raw pixels."""
    batches = list(stream_pixels(items.pictures, encoder.preprocessing, strict=True))
    rows = np.concatenate([batch.rows for batch in batches])
    embedded = np.concatenate([encoder.embed_pixels(batch.pixels) for batch in batches])
    raw = np.concatenate([raw_pixels(batch.pixels) for batch in batches])
    back = np.argsort(rows)
    return embedded[back], raw[back]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _rows_of_pairs(lines: list[list[str]], items: Items) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of both pictures of each pair, and whether they show the same person."""
    row_of = {Path(uri).stem: row for row, uri in enumerate(items.uris)}
    pairs = [(words[0], words[1], words[0] if len(words) == 3 else words[2], words[-1]) for words in lines]
    first = np.array([row_of[f"{name}_{int(number):04d}"] for name, number, _, _ in pairs])
    second = np.array([row_of[f"{name}_{int(number):04d}"] for _, _, name, number in pairs])
    return first, second, np.array([len(words) == 3 for words in lines])
