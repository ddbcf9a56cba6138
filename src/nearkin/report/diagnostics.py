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
from nearkin.errors import InvalidInput
from nearkin.evaluation.metrics.retrieval import score_queries
from nearkin.similarity import score_blocks, top_k

# Mistakes of each kind that are shown, and pictures on the map.
MISTAKES, MAPPED = 12, 800

# Classes with a colour of their own on the map.
COLOURED = 10

# Bins of the histogram, and the least span of scores that they share.
_BINS, _LEAST_SPAN = 60, 0.02


@dataclass(frozen=True)
class Mistake:
    """Two pictures, by row, that the encoder scores too high or too low."""

    row: int
    other: int
    score: float


@dataclass(frozen=True)
class ClassRow:
    """How one class fares in retrieval.

    Args:
        name: of the class.
        pictures: how many it has.
        queries: how many of them asked, with a right answer to be found.
        recall: share of queries whose nearest neighbour is of the class, recall@1.
        map_at_r: mean over its queries.
        taken_for: the class that its wrong nearest neighbours are most often of, if there are any; times: how often.
    """

    name: str
    pictures: int
    queries: int
    recall: float
    map_at_r: float
    taken_for: str | None
    times: int


@dataclass(frozen=True)
class Histogram:
    """Densities of the scores of same and different pairs over bins between `edges`."""

    edges: tuple[float, ...]
    same: tuple[float, ...]
    different: tuple[float, ...]


@dataclass(frozen=True)
class MapPoint:
    """A picture on the 2-D map: its row, where it lies, and the place of its class among the coloured ones, or -1."""

    row: int
    x: float
    y: float
    colour: int


@dataclass(frozen=True)
class Map:
    """Embeddings in two dimensions.

    Args:
        method: "t-SNE" or "PCA".
        points: of some of the pictures.
        classes: names of the coloured classes.
    """

    method: str
    points: tuple[MapPoint, ...]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
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


def gather_evidence(
    vectors: Float[np.ndarray, "n dim"],
    label_ids: Int[np.ndarray, " n"],
    names: Sequence[str],
    *,
    raw: Float[np.ndarray, "n raw"] | None = None,
    is_query: Bool[np.ndarray, " n"] | None = None,
    is_gallery: Bool[np.ndarray, " n"] | None = None,
    seed: int = 0,
) -> Evidence:
    """What stands behind the figures of labelled pictures; of unlabelled ones there is only the map.

    Args:
        vectors: embeddings; scaled to unit length here.
        label_ids: class ids, -1 for none.
        names: of the classes.
        raw: thumbnails, for a baseline beside the curve.
        is_query, is_gallery: roles in retrieval.
        seed: of the pairs that are drawn, and of the map.

    Example:
        >>> evidence = gather_evidence(np.eye(4)[[0, 0, 1, 1, 2]], np.array([0, 0, 1, 1, 2]), ["a", "b", "c"])
        >>> [(row.name, row.recall) for row in evidence.classes], evidence.curve.tar[-1]
        ([('a', 1.0), ('b', 1.0)], 1.0)
    """
    vectors = unit(as_vectors(vectors, "vectors"))
    counts = np.bincount(label_ids[label_ids >= 0], minlength=len(names))
    labelled = np.flatnonzero(label_ids >= 0)
    ids = label_ids[labelled]
    pairs = (counts > 0).sum() >= 3 and (counts >= 2).sum() >= 2
    wrong = _wrong_neighbours(vectors, label_ids, is_query, is_gallery)
    return Evidence(
        curve=error_curve(vectors[labelled], ids) if pairs else None,
        raw_curve=error_curve(raw[labelled], ids) if pairs and raw is not None else None,
        histogram=_histogram(vectors[labelled], ids, seed) if pairs else None,
        probability=_probability(vectors[labelled], ids, seed) if (counts >= 2).sum() >= LEAST_REPEATED else None,
        wrong_neighbours=_distinct(wrong),
        false_accepts=_distinct(_false_accepts(vectors, label_ids)),
        false_rejects=_false_rejects(vectors, label_ids),
        classes=_class_rows(vectors, label_ids, names, wrong, is_query, is_gallery),
        map=_map(vectors, label_ids, names, seed),
    )


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


def _wrong_neighbours(
    vectors: np.ndarray, ids: np.ndarray, is_query: np.ndarray | None, is_gallery: np.ndarray | None
) -> list[Mistake]:
    """Queries whose nearest neighbour is of another class, though there is one of their own; the surest first."""
    asks, answers = ((ids >= 0) if flags is None else flags & (ids >= 0) for flags in (is_query, is_gallery))
    queries = np.flatnonzero(asks)
    if not len(queries) or not answers.any():
        return []
    scores, nearest = top_k(vectors[queries], vectors, 1, exclude=queries, allowed=answers)
    right = np.bincount(ids[answers], minlength=ids.max() + 1)[ids[queries]] - answers[queries]
    wrong = (nearest[:, 0] >= 0) & (ids[queries] != ids[nearest[:, 0]]) & (right > 0)
    found = zip(queries[wrong].tolist(), nearest[wrong, 0].tolist(), scores[wrong, 0].tolist(), strict=True)
    return sorted((Mistake(*one) for one in found), key=lambda mistake: -mistake.score)


def _false_accepts(vectors: np.ndarray, ids: np.ndarray) -> list[Mistake]:
    """Of each labelled picture the likest of another class; the likest first, each pair once."""
    rows = np.flatnonzero(ids >= 0)
    order = rows[np.argsort(ids[rows], kind="stable")]
    some = vectors[order]
    first, last = (np.searchsorted(ids[order], ids[order], side=side) for side in ("left", "right"))
    found: dict[tuple[int, int], float] = {}
    for block, scores in score_blocks(some, some):
        for row, (low, high) in enumerate(zip(first[block], last[block], strict=True)):
            scores[row, low:high] = -np.inf
        best = scores.argmax(axis=1)
        for place, other in enumerate(best.tolist()):
            if np.isfinite(scores[place, other]):
                one, two = int(order[block.start + place]), int(order[other])
                found[min(one, two), max(one, two)] = float(scores[place, other])
    return sorted((Mistake(*pair, score) for pair, score in found.items()), key=lambda mistake: -mistake.score)


def _false_rejects(vectors: np.ndarray, ids: np.ndarray) -> tuple[Mistake, ...]:
    """The pair of each class that scores lowest; the lowest of all first."""
    order = np.argsort(ids, kind="stable")
    found = []
    for rows in np.split(order, np.flatnonzero(np.diff(ids[order])) + 1):
        if len(rows) < 2 or ids[rows[0]] < 0:
            continue
        worst = Mistake(-1, -1, np.inf)
        for block, scores in score_blocks(vectors[rows], vectors[rows]):
            place, other = np.unravel_index(int(scores.argmin()), scores.shape)
            if scores[place, other] < worst.score:
                score = float(scores[place, other])
                worst = Mistake(int(rows[block.start + place]), int(rows[other]), score)
        found.append(worst)
    return tuple(sorted(found, key=lambda mistake: mistake.score)[:MISTAKES])


def _distinct(mistakes: Sequence[Mistake]) -> tuple[Mistake, ...]:
    """The first mistakes in which no picture comes twice."""
    shown: set[int] = set()
    chosen: list[Mistake] = []
    for mistake in mistakes:
        if not shown & {mistake.row, mistake.other} and len(chosen) < MISTAKES:
            chosen.append(mistake)
            shown |= {mistake.row, mistake.other}
    return tuple(chosen)


def _class_rows(
    vectors: np.ndarray,
    ids: np.ndarray,
    names: Sequence[str],
    wrong: Sequence[Mistake],
    is_query: np.ndarray | None,
    is_gallery: np.ndarray | None,
) -> tuple[ClassRow, ...]:
    labelled = ids >= 0
    asks, answers = (None if flags is None else flags[labelled] for flags in (is_query, is_gallery))
    try:
        scores = score_queries(vectors[labelled], ids[labelled], is_query=asks, is_gallery=answers, ks=[1])
    except InvalidInput:
        return ()
    pictures = np.bincount(ids[labelled], minlength=len(names))
    queries = np.bincount(scores.labels, minlength=len(names))
    recall, precision = (
        np.bincount(scores.labels, weights=scores.values[metric], minlength=len(names))
        for metric in ("recall@1", "map@r")
    )
    taken: dict[int, list[int]] = {}
    for mistake in wrong:
        taken.setdefault(int(ids[mistake.row]), []).append(int(ids[mistake.other]))
    rows = []
    for number in np.flatnonzero(queries).tolist():
        others, times = np.unique(taken.get(number, []), return_counts=True)
        most = int(times.argmax()) if len(times) else -1
        rows.append(
            ClassRow(
                names[number],
                int(pictures[number]),
                int(queries[number]),
                float(recall[number] / queries[number]),
                float(precision[number] / queries[number]),
                names[int(others[most])] if len(times) else None,
                int(times[most]) if len(times) else 0,
            )
        )
    return tuple(sorted(rows, key=lambda row: (row.recall, row.map_at_r, row.name)))


def _map(vectors: np.ndarray, ids: np.ndarray, names: Sequence[str], seed: int) -> Map:
    """Some pictures in two dimensions: of the largest classes first, up to as many of each as there is room for."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    generator = np.random.default_rng(seed)
    counts = np.bincount(ids[ids >= 0], minlength=1)
    coloured = [number for number in np.argsort(-counts, kind="stable")[:COLOURED].tolist() if counts[number] >= 2]
    rows = [generator.permutation(np.flatnonzero(ids == number))[: MAPPED // 2 // COLOURED] for number in coloured]
    others = np.flatnonzero(~np.isin(ids, coloured))
    rows.append(generator.permutation(others)[: MAPPED - sum(map(len, rows))])
    chosen = np.concatenate(rows)
    some = vectors[chosen].astype(np.float64)
    method = "t-SNE" if len(chosen) >= 30 and some.std() > 0 else "PCA"
    width = min(50, *some.shape)
    if width < 2 or not some.std(axis=0).any():
        places = np.zeros((len(chosen), 2))
    else:
        places = PCA(min(width, 50) if method == "t-SNE" else 2, random_state=seed).fit_transform(some)
        if method == "t-SNE":
            perplexity = min(30.0, (len(chosen) - 1) / 4)
            places = TSNE(perplexity=perplexity, init="pca", random_state=seed, max_iter=500).fit_transform(places)
    colour = {number: place for place, number in enumerate(coloured)}
    points = (
        MapPoint(int(row), round(float(x), 3), round(float(y), 3), colour.get(int(ids[row]), -1))
        for row, (x, y) in zip(chosen, places, strict=True)
    )
    return Map(method, tuple(points), tuple(names[number] for number in coloured))
