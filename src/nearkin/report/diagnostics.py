"""What stands behind the figures: curves, distributions, the worst mistakes, classes one by one, a map."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from nearkin.arrays import as_vectors, unit
from nearkin.calibration.curve import Curve
from nearkin.calibration.drawn_pairs import draw_pairs
from nearkin.calibration.error_curve import error_curve
from nearkin.calibration.fit import LEAST_REPEATED
from nearkin.calibration.probability import ProbabilityMap, fit_probability
from nearkin.evaluation.metrics.retrieval import roles, score_queries
from nearkin.report.class_table import ClassRow, class_rows
from nearkin.report.embedding_map import Map, embedding_map
from nearkin.report.mistakes import Mistake, distinct, false_accepts, false_rejects, wrong_neighbours

# Bins of the histogram, and the least span of scores that they share.
_BINS, _LEAST_SPAN = 60, 0.02


@dataclass(frozen=True)
class Histogram:
    """Densities of the scores of same and different pairs over bins between `edges`."""

    edges: tuple[float, ...]
    same: tuple[float, ...]
    different: tuple[float, ...]


@dataclass(frozen=True)
class Diagnostics:
    """See the module; None or nothing for what the data does not give.

    Args:
        curve, raw_curve: error rates by threshold, of the encoder and of raw pixels.
        histogram: of scores.
        probability: the map from score to probability that these data would give, with its reliability.
        wrong_neighbours: pictures whose nearest neighbour is of another class, the surest first.
        false_accepts: different pairs that score highest.
        false_rejects: same pairs that score lowest.
        classes: one by one, the worst first.
        map: in two dimensions.
    """

    curve: Curve | None
    raw_curve: Curve | None
    histogram: Histogram | None
    probability: ProbabilityMap | None
    wrong_neighbours: tuple[Mistake, ...]
    false_accepts: tuple[Mistake, ...]
    false_rejects: tuple[Mistake, ...]
    classes: tuple[ClassRow, ...]
    map: Map

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON has it; pictures by row."""
        return asdict(self)


def diagnose(
    vectors: Float[np.ndarray, "n dim"],
    label_ids: Int[np.ndarray, " n"],
    names: Sequence[str],
    *,
    raw: Float[np.ndarray, "n raw"] | None = None,
    is_query: Bool[np.ndarray, " n"] | None = None,
    is_gallery: Bool[np.ndarray, " n"] | None = None,
    exclude_same: Int[np.ndarray, " n"] | None = None,
    seed: int = 0,
) -> Diagnostics:
    """What stands behind the figures of labelled pictures; of unlabelled ones there is only the map.

    Args:
        vectors: embeddings; scaled to unit length here.
        label_ids: class ids, -1 for none.
        names: of the classes.
        raw: thumbnails, for a baseline beside the curve.
        is_query, is_gallery, exclude_same: as in `retrieval`.
        seed: of the pairs that are drawn, and of the map.

    Example:
        >>> diagnostics = diagnose(np.eye(4)[[0, 0, 1, 1, 2]], np.array([0, 0, 1, 1, 2]), ["a", "b", "c"])
        >>> [(row.name, row.recall) for row in diagnostics.classes], diagnostics.curve.tar[-1]
        ([('a', 1.0), ('b', 1.0)], 1.0)
    """
    vectors = unit(as_vectors(vectors, "vectors"))
    counts = np.bincount(label_ids[label_ids >= 0], minlength=len(names))
    labelled = np.flatnonzero(label_ids >= 0)
    ids = label_ids[labelled]
    pairs = (counts > 0).sum() >= 3 and (counts >= 2).sum() >= 2
    own = [None if one is None else one[labelled] for one in (is_query, is_gallery, exclude_same)]
    wrong, classes = _retrieval_mistakes(vectors[labelled], ids, names, *own)
    wrong = [Mistake(int(labelled[one.row]), int(labelled[one.other]), one.score) for one in wrong]
    return Diagnostics(
        curve=error_curve(vectors[labelled], ids) if pairs else None,
        raw_curve=error_curve(raw[labelled], ids) if pairs and raw is not None else None,
        histogram=_histogram(vectors[labelled], ids, seed) if pairs else None,
        probability=_probability(vectors[labelled], ids, seed) if (counts >= 2).sum() >= LEAST_REPEATED else None,
        wrong_neighbours=distinct(wrong),
        false_accepts=distinct(false_accepts(vectors, label_ids)),
        false_rejects=false_rejects(vectors, label_ids),
        classes=classes,
        map=embedding_map(vectors, label_ids, names, seed),
    )


def _retrieval_mistakes(
    vectors: np.ndarray,
    ids: np.ndarray,
    names: Sequence[str],
    is_query: np.ndarray | None,
    is_gallery: np.ndarray | None,
    exclude_same: np.ndarray | None,
) -> tuple[list[Mistake], tuple[ClassRow, ...]]:
    """Wrong nearest neighbours and the table of classes, from the same scores as the figures of retrieval."""
    who: dict[str, Any] = {"is_query": is_query, "is_gallery": is_gallery, "exclude_same": exclude_same}
    if not len(ids) or not len(roles(ids, **who).queries):
        return [], ()
    scores = score_queries(vectors, ids, **who, ks=[1])
    wrong = wrong_neighbours(vectors, ids, scores.queries[scores.values["recall@1"] == 0], is_gallery)
    return wrong, class_rows(scores, ids, names, {one.row: int(ids[one.other]) for one in wrong})


def _consecutive(ids: np.ndarray) -> np.ndarray:
    return np.unique(ids, return_inverse=True)[1]


def _histogram(vectors: np.ndarray, ids: np.ndarray, seed: int) -> Histogram:
    order = np.argsort(ids, kind="stable")
    pairs = draw_pairs(vectors[order], _consecutive(ids[order]), np.random.default_rng(seed), folds=1)
    edges = np.linspace(pairs.scores.min(), max(pairs.scores.max(), pairs.scores.min() + _LEAST_SPAN), _BINS + 1)
    same, different = (
        np.histogram(pairs.scores[side], edges, weights=pairs.weights[side], density=True)[0]
        for side in (pairs.same, ~pairs.same)
    )
    return Histogram(tuple(edges.tolist()), tuple(same.tolist()), tuple(different.tolist()))


def _probability(vectors: np.ndarray, ids: np.ndarray, seed: int) -> ProbabilityMap:
    order = np.argsort(ids, kind="stable")
    return fit_probability(vectors[order], _consecutive(ids[order]), seed=seed)
