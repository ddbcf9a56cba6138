"""Building an index of a given kind, or of the kind that is fastest in a trial ("auto")."""

import time

import numpy as np
from jaxtyping import Float

from nearkin.errors import InvalidInput
from nearkin.gallery.index.base import FEWEST_APPROXIMATE, Index, Vectors
from nearkin.gallery.index.faiss_index import ANSWERS, FaissIndex
from nearkin.gallery.index.kinds import KINDS
from nearkin.gallery.index.kinds.exact import ExactIndex
from nearkin.gallery.index.tuning import HELD_OUT, tuned
from nearkin.similarity import Metric

AUTO = "auto"
# Up to so many, "auto" searches exactly without a trial.
AUTO_IS_EXACT_UP_TO = 50_000
# Vectors of the trial, queries that are timed, and how many times as fast as an exact search another kind must be.
_TRIAL, _SINGLES, _WORTH_IT = 20_000, 200, 1.5


def kind_names() -> tuple[str, ...]:
    """What `build` takes: "auto" and the name of every kind; none of them is imported.

    Example:
        >>> kind_names()[:3]
        ('auto', 'exact', 'hnsw')
    """
    return (AUTO, *KINDS.names)


def check_kind(kind: str) -> None:
    """Check the name of a kind, before any work.

    Raises:
        UnknownName: there is none of this name; near names are suggested.
    """
    if kind != AUTO:
        _ = KINDS[kind]


def build(
    vectors: Vectors,
    kind: str = AUTO,
    *,
    recall: float = 0.99,
    metric: Metric = "cosine",
    queries: Float[np.ndarray, "q dim"] | None = None,
    seed: int = 0,
) -> Index:
    """An index over vectors.

    Args:
        vectors: float32 `[n, dim]`; of unit length for the metric "cosine".
        kind: the name of a kind, one of `kind_names()`. "auto" is exact up to 50,000 vectors, above that the kind that
            is fastest in a trial. Fewer than 256 vectors are searched exactly, whatever the kind.
        recall: share of the true 10 nearest neighbours that a search is to find, 0 < recall < 1.
        metric: see `Index`.
        queries: to tune on; by default up to 2,000 of the vectors, which join the index only after that.
        seed: random seed.

    Returns:
        The index; its `recall` was measured on other queries than those that it was tuned on. It falls short of the
        target where not even the greatest effort reaches it.

    Raises:
        UnknownName: no such kind.
        InvalidInput: the kind cannot search by this metric.

    Example:
        >>> index = build(np.eye(300, 8, dtype=np.float32), "exact")
        >>> index.kind, index.recall
        ('exact', None)
    """
    started = time.perf_counter()
    chosen = ExactIndex if kind == AUTO else KINDS[kind]
    if metric not in chosen.metrics:
        raise InvalidInput(f"an index of kind {kind} searches by {' or '.join(chosen.metrics)}, not by {metric}")
    if kind == AUTO and len(vectors) > AUTO_IS_EXACT_UP_TO:
        chosen = _fastest(vectors, recall, metric, queries, seed)
    if len(vectors) < FEWEST_APPROXIMATE:
        chosen = ExactIndex
    if issubclass(chosen, FaissIndex):
        index: Index = tuned(chosen, vectors, recall, metric, queries, seed)
    else:
        index = chosen(vectors, metric)
        _ = index.bytes_per_vector  # computes what it needs, so that it counts as building
    index.build_seconds = time.perf_counter() - started
    return index


def _fastest(vectors: Vectors, recall: float, metric: Metric, queries: np.ndarray | None, seed: int) -> type[Index]:
    """The kind that was fastest in a trial on a sample, at the recall; exact where none is much faster.

    Which that is depends on the data: cells suit clusters; where there are none, short codes or a graph are faster.
    """
    drawn = np.random.default_rng(seed).permutation(len(vectors))
    sample, asked = (vectors[np.sort(rows)] for rows in (drawn[:_TRIAL], drawn[_TRIAL:][:HELD_OUT]))
    times = len(vectors) / len(sample)
    best: type[Index] = ExactIndex
    fewest = _search_seconds(ExactIndex(sample, metric), asked) * times / _WORTH_IT
    for kind in KINDS.values():
        if issubclass(kind, FaissIndex) and kind.in_auto and metric in kind.metrics:
            trial = tuned(kind, sample, recall, metric, queries, seed)
            seconds = _search_seconds(trial, asked) * trial.growth(times)
            if trial.recall is not None and trial.recall.value >= recall and seconds < fewest:
                best, fewest = kind, seconds
    return best


def _search_seconds(index: Index, queries: np.ndarray) -> float:
    """Processor time of single queries, so that other work on the machine does not decide."""
    singles = queries[:_SINGLES, None]

    def once() -> float:
        started = time.process_time()
        for query in singles:
            index.search(query, ANSWERS)
        return time.process_time() - started

    return min(once() for _ in range(3))
