"""Verification: do two pictures show the same?"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from nearkin.arrays import unit
from nearkin.calibration.pair_scores import Classes
from nearkin.data.pairs import Pair, Pairs
from nearkin.data.tables import raise_faults
from nearkin.errors import InvalidInput
from nearkin.evaluation.metrics.all_pairs import score_all_pairs
from nearkin.evaluation.metrics.verification import score_pairs, supported_fars
from nearkin.evaluation.protocol import Embeddings, GroundTruth, Outcome, Protocol, help_text, why_no_classes
from nearkin.intervals.figure import Figure
from nearkin.similarity.ranking import ROUNDING

# Above, all pairs take minutes, and are compared only if verification is asked for by name.
MANY_PICTURES = 50_000


@dataclass(frozen=True, eq=False)
class LabelledPairs:
    """Pairs of pictures to be verified.

    Args:
        rows: the two pictures of each pair `[p, 2]`.
        same: whether they show the same.
        classes: the classes (identities) of the two.
        folds: the fold of each pair, if the protocol has folds.
        left_out: how many more pairs there are, of pictures that could not be read.
    """

    rows: Int[np.ndarray, "p 2"]
    same: Bool[np.ndarray, " p"]
    classes: Int[np.ndarray, "p 2"]
    folds: Int[np.ndarray, " p"] | None = None
    left_out: int = 0


@dataclass(frozen=True, eq=False)
class PairsOfFile:
    """Pairs as a file names them."""

    file: str
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class VerificationOptions:
    """Options of verification."""

    pairs: str | Path | PairsOfFile | LabelledPairs | None = field(
        default=None,
        metadata=help_text(
            "Compare these pairs only: pairs.txt of LFW, or a table (.csv, .tsv) with columns a, b and same."
        ),
    )


def why_not_unasked(truth: GroundTruth, options: VerificationOptions) -> str | None:
    """Runs on given pairs, or where there are classes and not too many pictures."""
    if options.pairs is not None:
        return None
    reason = why_no_classes(truth)
    if reason is not None:
        return reason
    labelled = len(truth.labelled()[1])
    if labelled > MANY_PICTURES:
        return f"{labelled:,} pictures make {labelled * (labelled - 1) // 2:,} pairs; ask for it by name"
    return None


def read(options: VerificationOptions) -> VerificationOptions:
    """With the pairs of the file.

    Raises:
        SourceError: the file cannot be read, holds no pairs, or a row does not say whether the two are the same.
    """
    if not isinstance(options.pairs, str | Path):
        return options
    file = Pairs(Path(options.pairs).expanduser())
    pairs = tuple(file)
    if not pairs:
        raise InvalidInput(f"{file.path}: holds no pairs")
    raise_faults(
        str(file.path),
        [
            f"row {pair.row}: does not say whether the two are the same: expected a column 'same'"
            for pair in pairs
            if pair.same is None
        ],
    )
    return replace(options, pairs=PairsOfFile(str(file.path), pairs))


def check(options: VerificationOptions, truth: GroundTruth) -> None:
    """Every picture of the pairs is among those that are evaluated."""
    if isinstance(options.pairs, PairsOfFile):
        locate_pairs(options.pairs, truth)


def run(models: Sequence[Embeddings], truth: GroundTruth, options: VerificationOptions, seed: int) -> Outcome:
    """Verification on the given pairs, or on all pairs of labelled pictures."""
    pairs, notes = options.pairs, []
    estimates: list[dict[str, Any]]
    if isinstance(pairs, PairsOfFile):
        pairs = locate_pairs(pairs, truth, leave_out=True)
    if isinstance(pairs, LabelledPairs):
        if pairs.left_out:
            notes.append(f"Pairs left out, since a picture of theirs could not be read: {pairs.left_out:,}.")
        estimates = [
            dict(score_pairs(score_rows(one.images, pairs.rows), pairs.same, classes=pairs.classes, folds=pairs.folds))
            for one in models
        ]
        different, accuracy = int((~pairs.same).sum()), max(pairs.same.mean(), 1 - pairs.same.mean())
    else:
        chosen, labels = truth.labelled()
        estimates = [dict(one) for one in score_all_pairs([one.images[chosen] for one in models], labels)]
        different, accuracy = Classes.of(labels).different, None
    n = next(iter(estimates[0].values())).n
    carried, refused = supported_fars(different)
    known = {
        "auc": 0.5,
        "eer": 0.5,
        **dict(zip([name for name in estimates[0] if "far" in name], carried, strict=True)),
    }
    chance = {name: Figure(float(value), None, None, n) for name, value in known.items()}
    if accuracy is not None and "accuracy" in estimates[0]:
        chance["accuracy"] = Figure(float(accuracy), None, None, n)
    if refused:
        notes.append(f"Left out: {refused[0]}{', and smaller rates more' if len(refused) > 1 else ''}.")
    return Outcome(estimates, lambda: chance, {"pairs": n}, tuple(notes))


def locate_pairs(pairs: PairsOfFile, truth: GroundTruth, *, leave_out: bool = False) -> LabelledPairs:
    """The pairs of a file as rows of the pictures; the classes of a pair are the labels where both have one.

    A picture is found by its path, else by its name and folder where only one picture has these.

    Args:
        pairs: each of which says whether the two are the same.
        truth: names and labels of the pictures.
        leave_out: whether to leave out pairs of pictures that are not there, rather than raise.

    Raises:
        SourceError: a row names a picture that is not there, or may be any of several.
        InvalidInput: pairs contradict each other, or none is left.
    """
    by_name = _Names(truth.names)
    found, rows, faults = [], [], []
    for pair in pairs.pairs:
        positions = [by_name.find(picture.uri) for picture in pair.pictures]
        for name, several in zip((pair.a, pair.b), positions, strict=True):
            if not several and not leave_out:
                faults.append(f"row {pair.row}: no picture '{name}' among those that are evaluated")
            if len(several) > 1:
                some = " or ".join(f"'{truth.names[row]}'" for row in several[:2])
                faults.append(f"row {pair.row}: '{name}' may be {some}: write its path")
        if all(len(several) == 1 for several in positions):
            found.append(pair)
            rows.append([several[0] for several in positions])
    raise_faults(pairs.file, faults)
    if not found:
        raise InvalidInput(f"{pairs.file}: none of its {len(pairs.pairs)} pairs has two pictures that could be read")
    places_of = np.array(rows, dtype=np.int64)
    same = np.array([bool(pair.same) for pair in found])
    folds = None
    if all(pair.fold is not None for pair in found):
        folds = np.unique([str(pair.fold) for pair in found], return_inverse=True)[1]
    labels = np.full(len(truth.names), -1) if truth.label_ids is None else truth.label_ids
    classes = _classes(places_of, same, labels, pairs.file, found)
    return LabelledPairs(places_of, same, classes, folds, left_out=len(pairs.pairs) - len(found))


class _Names:
    """Rows of pictures by their paths, and by the last two parts of these."""

    def __init__(self, names: Sequence[str]) -> None:
        self.by_path: dict[str, list[int]] = {}
        self.by_end: dict[str, list[int]] = {}
        for row, name in enumerate(names):
            self.by_path.setdefault(_full(name), []).append(row)
            self.by_end.setdefault(_end(name), []).append(row)

    def find(self, name: str) -> list[int]:
        """The rows that may be meant; the first alone where one file stands in several rows."""
        exact = self.by_path.get(_full(name), [])
        return exact[:1] or self.by_end.get(_end(name), [])


def _full(name: str) -> str:
    return os.path.abspath(name)  # noqa: PTH100 (without a look at the disk)


def _end(name: str) -> str:
    return "/".join(Path(name).parts[-2:])


def _classes(
    positions: Int[np.ndarray, "p 2"], same: np.ndarray, labels: np.ndarray, file: str, found: Sequence[Pair]
) -> Int[np.ndarray, "p 2"]:
    """The classes of each pair: the labels if they agree with what the file says, else who is the same as whom."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    by_label = labels[positions]
    if (by_label >= 0).all() and ((by_label[:, 0] == by_label[:, 1]) == same).all():
        return by_label
    links = positions[same]
    graph = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(len(labels),) * 2)
    classes = connected_components(graph, directed=False)[1][positions].astype(np.int64)
    wrong = np.flatnonzero((classes[:, 0] == classes[:, 1]) != same)
    if len(wrong):
        raise InvalidInput(
            f"{file}: row {found[wrong[0]].row} says different, but other rows make its two pictures the same"
        )
    return classes


def score_rows(images: Float[np.ndarray, "n dim"], rows: Int[np.ndarray, "p 2"]) -> Float[np.ndarray, " p"]:
    """Scores of pairs of rows, to the rounding error of float32, so that equal vectors score equal.

    Example:
        >>> score_rows(np.eye(2), np.array([[0, 0], [0, 1]])).tolist()
        [1.0, 0.0]
    """
    vectors = unit(images)
    a, b = vectors[rows[:, 0]], vectors[rows[:, 1]]
    scores = np.einsum("pd,pd->p", a, b, dtype=np.float64)
    return np.rint(scores / ROUNDING) * float(ROUNDING)


PROTOCOL = Protocol(
    summary="are two pictures of one class? All pairs of labelled pictures, or those of a file: LFW's `pairs.txt`, "
    "or a table",
    metrics="auc, eer, tar@far; accuracy by folds where the file has folds",
    order=20,
    headline=("auc", "eer"),
    why_not_unasked=why_not_unasked,
    run=run,
    options=VerificationOptions,
    read=read,
    check=check,
)
