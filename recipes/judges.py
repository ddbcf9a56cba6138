"""How a recipe's model is judged: each protocol gives its figure, and that of raw pixels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nearkin.data.images import stream_pixels
from nearkin.data.items import Items
from nearkin.encoders.encoder import Encoder
from nearkin.evaluation import few_shot, retrieval
from nearkin.evaluation.judge import raw_pixels


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


def judge_pairs(encoder: Encoder, test: Items, data: Path, *, pairs: str) -> tuple[float, float]:
    """Accuracy on pairs in LFW's format, fold by fold, with the threshold that is best on the other folds."""
    first, second, same, fold = _read_pairs(data / pairs, test)
    model, raw = (
        _accuracy(np.einsum("pd,pd->p", *(_unit(vectors)[side] for side in (first, second))), same, fold)
        for vectors in _vectors(encoder, test)
    )
    return model, raw


JUDGES: dict[str, Callable[..., tuple[float, float]]] = {
    "few-shot": judge_few_shot,
    "pairs": judge_pairs,
    "retrieval": judge_retrieval,
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


def _read_pairs(path: Path, items: Items) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows of both pictures, whether they show the same person, and the fold of each pair."""
    row_of = {Path(uri).stem: row for row, uri in enumerate(items.uris)}
    header, *lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
    of_fold = 2 * int(header[1])
    pairs = [(words[0], words[1], words[-2 if len(words) == 4 else 0], words[-1]) for words in lines]
    first, second = (np.array([row_of[f"{pair[side]}_{int(pair[side + 1]):04d}"] for pair in pairs]) for side in (0, 2))
    same = np.array([len(words) == 3 for words in lines])
    return first, second, same, np.arange(len(lines)) // of_fold


def _accuracy(scores: np.ndarray, same: np.ndarray, fold: np.ndarray) -> float:
    """Mean over folds of the share of pairs told right."""
    right = []
    for number in np.unique(fold):
        other, here = fold != number, fold == number
        candidates = np.unique(scores[other])
        rates = [np.mean((scores[other] >= threshold) == same[other]) for threshold in candidates]
        threshold = candidates[int(np.argmax(rates))]
        right.append(np.mean((scores[here] >= threshold) == same[here]))
    return float(np.mean(right))
