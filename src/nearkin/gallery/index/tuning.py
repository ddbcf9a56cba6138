"""Building an index: it is tuned until it finds the wanted share of the true neighbours of vectors held out."""

import time

import numpy as np
from jaxtyping import Bool, Float

from nearkin.errors import UnknownName
from nearkin.gallery.index.base import Index, Vectors
from nearkin.gallery.index.faiss_index import ANSWERS, FaissIndex
from nearkin.gallery.index.kinds.exact import ExactIndex
from nearkin.gallery.index.kinds.hnsw import HnswIndex
from nearkin.gallery.index.kinds.ivf import IvfIndex, IvfPqIndex
from nearkin.gallery.index.kinds.lsh import LshIndex
from nearkin.gallery.index.kinds.pq import PqIndex
from nearkin.intervals.bootstrap import Figure, bootstrap_mean
from nearkin.similarity import Metric

APPROXIMATE: dict[str, type[FaissIndex]] = {
    kind.kind: kind for kind in (LshIndex, PqIndex, HnswIndex, IvfIndex, IvfPqIndex)
}
KINDS = ("auto", "exact", *APPROXIMATE)

# Vectors held out while an index is tuned: half of them choose the effort, half judge the choice.
_HELD_OUT = 2000
# Fewer vectors are searched exactly, whatever was asked for: there is nothing to gain, and too little to measure on.
_FEWEST = 256
# Up to so many, `auto` searches exactly without a trial.
_EXACT_UP_TO = 50_000
# Vectors that it tries the kinds on, queries that it times, and how many times as fast as an exact search an
# approximate one must be.
_TRIAL, _SINGLES, _WORTH_IT = 20_000, 200, 1.5
_FEW_CELLS = 10


def build(
    vectors: Vectors,
    kind: str = "auto",
    *,
    recall: float = 0.99,
    metric: Metric = "cosine",
    queries: Float[np.ndarray, "q dim"] | None = None,
    seed: int = 0,
) -> Index:
    """An index over vectors.

    Args:
        vectors: float32 `[n, dim]`; of unit length for the metric "cosine".
        kind: "exact", "lsh", "pq", "hnsw", "ivf", "ivf-pq", or "auto", which chooses by size and by what is measured.
        recall: share of the true 10 nearest that an approximate index shall find, 0 < recall < 1.
        metric: see `Index`.
        queries: to tune on; by default 2,000 of the vectors, which are added to the index only after that.
        seed: of all that is drawn.

    Returns:
        The index; its `recall` was measured on other queries than those that it was tuned on. It falls short of the
        target where not even the greatest effort reaches it.

    Raises:
        UnknownName: no such kind.

    Example:
        >>> index = build(np.eye(300, 8, dtype=np.float32), "exact")
        >>> index.kind, index.recall
        ('exact', None)
    """
    if kind not in KINDS:
        raise UnknownName("kind of index", kind, KINDS)
    started = time.perf_counter()
    if kind == "exact" or len(vectors) < _FEWEST:
        index: Index = ExactIndex(vectors, metric)
        _ = index.bytes_per_vector  # computes the codes
    elif kind == "auto":
        index = _chosen(vectors, recall, metric, queries, seed)
    else:
        index = _tuned(APPROXIMATE[kind], vectors, recall, metric, queries, seed)
    index.build_seconds = time.perf_counter() - started
    return index


def measure_recall(
    index: Index,
    queries: Float[np.ndarray, "q dim"],
    *,
    k: int = ANSWERS,
    allowed: Bool[np.ndarray, " n"] | None = None,
) -> Figure:
    """The share of the true k nearest that a search of the index finds, with its interval.

    A row counts as found if its score is one of the k highest: among equal ones any will do.

    Args:
        index: to be measured against an exact search of the same vectors.
        queries: vectors that it does not hold.
        k: answers asked for.
        allowed: the filter of both searches.
    """
    exact = index.exact if isinstance(index, FaissIndex) else index
    truth = exact.search(queries, k, allowed)[0]
    return _recall(index.search(queries, k, allowed)[0], truth)


def _recall(scores: np.ndarray, truth: np.ndarray) -> Figure:
    wanted = np.isfinite(truth)
    lowest = np.where(wanted, truth, np.inf).min(axis=1)
    found = (scores >= lowest[:, None]).sum(axis=1) / np.maximum(1, wanted.sum(axis=1))
    return bootstrap_mean(found, within=(0.0, 1.0))


def _chosen(vectors: Vectors, recall: float, metric: Metric, queries: np.ndarray | None, seed: int) -> Index:
    """Exact where that is fast anyway; else the kind that was fastest in a trial on a sample, at the recall.

    Which that is depends on the data: cells suit clusters; where there are none, short codes or a graph are faster.
    """
    n = len(vectors)
    if n <= _EXACT_UP_TO:
        return ExactIndex(vectors, metric)
    drawn = np.random.default_rng(seed).permutation(n)
    sample, asked = (vectors[np.sort(rows)] for rows in (drawn[:_TRIAL], drawn[_TRIAL:][:_HELD_OUT]))
    # How the time of a search grows from the sample to all: in a graph, and where it looks into few cells, about as the
    # root; where it looks at all codes, or at those of many cells, in proportion.
    growth = n / len(sample)
    best, fewest = None, _search_seconds(ExactIndex(sample, metric), asked) * growth / _WORTH_IT
    for kind in (IvfIndex, IvfPqIndex, PqIndex, HnswIndex):
        trial = _tuned(kind, sample, recall, metric, queries, seed)
        few = kind is HnswIndex or (issubclass(kind, IvfIndex) and trial.effort <= _FEW_CELLS)
        seconds = _search_seconds(trial, asked) * (growth**0.5 if few else growth)
        if trial.recall is not None and trial.recall.value >= recall and seconds < fewest:
            best, fewest = kind, seconds
    return ExactIndex(vectors, metric) if best is None else _tuned(best, vectors, recall, metric, queries, seed)


def _search_seconds(index: Index, queries: np.ndarray) -> float:
    """Of single queries, as people ask them; of the processor, so that other work on the machine does not decide."""
    singles = queries[:_SINGLES, None]

    def once() -> float:
        started = time.process_time()
        for query in singles:
            index.search(query, ANSWERS)
        return time.process_time() - started

    return min(once() for _ in range(3))


def _tuned(
    kind: type[FaissIndex],
    vectors: Vectors,
    recall: float,
    metric: Metric,
    queries: np.ndarray | None,
    seed: int,
) -> FaissIndex:
    """An index of one kind: of its settings the fastest, with the least effort that reaches the recall."""
    drawn = np.random.default_rng(seed).permutation(len(vectors))
    held_out = np.sort(drawn[: min(_HELD_OUT, len(vectors) // 10) if queries is None else 0])
    inside = np.ones(len(vectors), dtype=bool)
    inside[held_out] = False
    asked = vectors[held_out] if queries is None else queries
    truth = ExactIndex(vectors, metric).search(asked, ANSWERS, inside)[0]
    chooses = np.random.default_rng(seed).permutation(len(asked)) < len(asked) / 2
    # A quarter of what is left to 1 is room for luck.
    target = recall + (1 - recall) / 4
    best, rank = None, (-1.0, 0.0)
    for setting in kind.settings:
        index = kind.empty(vectors, metric, setting, seed=seed)
        index.add(np.flatnonzero(inside))
        reached = _least_effort(index, asked[chooses], truth[chooses], target)
        this = min(reached, target), -index.work(index.effort)
        if this > rank:
            best, rank = index, this
    assert best is not None
    best.recall = _recall(best.search(asked[~chooses], ANSWERS)[0], truth[~chooses])
    best.add(held_out)
    return best


def _least_effort(index: FaissIndex, queries: np.ndarray, truth: np.ndarray, target: float) -> float:
    """Set the first effort whose recall is enough, or else the first that finds the most; returns the recall."""
    reached: dict[int, float] = {}
    for effort in index.efforts:
        index.effort = effort
        reached[effort] = _recall(index.search(queries, ANSWERS)[0], truth).value
        if reached[effort] >= target:
            break
    index.effort = max(reached, key=lambda effort: reached[effort])
    return reached[index.effort]
