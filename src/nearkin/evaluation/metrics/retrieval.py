"""Retrieval of pictures by class: recall@k, R-precision, MAP@R, MAP, NDCG@k, each with a 95 % interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float, Int

from nearkin.arrays import as_ids, as_vectors, check_counts, check_seed, unit
from nearkin.errors import InvalidInput
from nearkin.intervals.figure import Figure
from nearkin.intervals.leave_one_class_out import leave_each_class_out
from nearkin.intervals.paired_samples import Estimate, Mean
from nearkin.progress import Progress
from nearkin.similarity.ranking import Ranking, rank_right_answers

# With so few classes each is left out in turn, for the intervals, if that takes seconds: classes x queries x pictures.
FEW_CLASSES = 60
MOST_WITHOUT = 500_000_000


@dataclass(frozen=True)
class QueryScores:
    """What each query scored: the values behind the figures.

    Args:
        queries: rows of the queries that were evaluated.
        labels: their class ids.
        values: metric -> one number in [0, 1] per query.
    """

    queries: Int[np.ndarray, " q"]
    labels: Int[np.ndarray, " q"]
    values: dict[str, Float[np.ndarray, " q"]]

    def estimates(self) -> dict[str, Mean]:
        """Each metric as a mean over queries, grouped by class."""
        return {metric: Mean(values, self.labels) for metric, values in self.values.items()}


@dataclass(frozen=True)
class Roles:
    """Who asks and who may answer.

    Args:
        queries: rows that ask and have at least one right answer.
        right: how many right answers each of them has.
        answers: how many answers of any class each of them has.
        without_match: how many more ask but have no right answer; they are left out of every mean.
        gallery: rows that may be answers.
    """

    queries: Int[np.ndarray, " q"]
    right: Int[np.ndarray, " q"]
    answers: Int[np.ndarray, " q"]
    without_match: int
    gallery: Int[np.ndarray, " n"]


def retrieval(
    embeddings: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    is_query: npt.ArrayLike | None = None,
    is_gallery: npt.ArrayLike | None = None,
    exclude_same: npt.ArrayLike | None = None,
    ks: Sequence[int] = (1, 5, 10),
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Figure]:
    """Does a picture find others of its class? Exact, blockwise, with intervals over classes.

    Neighbours are ordered by cosine; with ties the wrong answers come first (see `ranking`). A query is never its
    own answer. Queries without another picture of their class in the gallery are left out; `roles` counts them.

    Args:
        embeddings: numbers `[n, dim]`, one row per picture; scaled to unit length here.
        labels: class ids `[n]`, whole numbers; equal ids are right answers.
        is_query: flags `[n]`, which pictures ask; all by default.
        is_gallery: flags `[n]`, which pictures may be answers; all by default.
        exclude_same: a group for each picture `[n]`, such as its camera or session; -1 for unknown. Pictures of a
            query's own class and own group are no answers to it, neither right nor wrong: Market-1501's "junk".
        ks: cut-offs of recall@k.
        seed: of the bootstrap, which draws classes with all their queries. Sixty classes or fewer are left out one by
            one instead, unless that takes long (see `leave_one_class_out`).
        progress: called with queries done and queries in all.

    Returns:
        "recall@k": share of queries with a right answer among the first k.
        "precision@1": share of right answers at rank 1.
        "r_precision": with R right answers in the gallery, the share of them among the first R.
        "map@r": the mean, over ranks 1 to R, of the precision up to the rank where the answer there is right, else 0.
        "map": the same over all ranks: the mean of the precisions at the ranks of the R right answers.
        "ndcg@k": a right answer at rank i counts 1 / log2(i + 1), up to rank k; divided by the most that could be had.
        "cmc@k": recall@k under the name it has in re-identification; only if queries and gallery, or groups to
            exclude, are given.

    Raises:
        InvalidInput: NaN, lengths that differ, k < 1, or no query with a right answer.

    Example:
        >>> figures = retrieval(np.eye(4)[[0, 0, 1, 1]], np.array([0, 0, 1, 1]))
        >>> figures["recall@1"].value
        1.0

    Source: Musgrave et al. 2020, A Metric Learning Reality Check, arXiv:2003.08505, section 3.2; Järvelin & Kekäläinen
    2002, Cumulated gain-based evaluation of IR techniques (NDCG); Zheng et al. 2015, Scalable Person Re-identification:
    A Benchmark (Market-1501), section 5 and its evaluation code: pictures of a query's identity by its own camera are
    left out of the ranking.
    """
    estimates = measure_retrieval(
        embeddings,
        labels,
        is_query=is_query,
        is_gallery=is_gallery,
        exclude_same=exclude_same,
        ks=ks,
        progress=progress,
    )
    seed = check_seed(seed)
    return {metric: one.figure(seed=seed) for metric, one in estimates.items()}


def measure_retrieval(
    embeddings: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    is_query: npt.ArrayLike | None = None,
    is_gallery: npt.ArrayLike | None = None,
    exclude_same: npt.ArrayLike | None = None,
    ks: Sequence[int] = (1, 5, 10),
    quick: bool = False,
    progress: Progress | None = None,
) -> dict[str, Estimate]:
    """What `retrieval` makes figures of, for paired comparison.

    Args:
        quick: do not leave out each class in turn where classes are few: the intervals are then too narrow for fewer
            than about 50 classes.
        the others: as in `retrieval`.
    """
    options: dict[str, Any] = {"exclude_same": exclude_same, "ks": ks}
    scores = score_queries(embeddings, labels, is_query=is_query, is_gallery=is_gallery, **options, progress=progress)
    names, classes = np.unique(scores.labels, return_inverse=True)
    cost = len(names) * len(classes) * np.size(labels)
    if quick or not 2 <= len(names) <= FEW_CLASSES or cost > MOST_WITHOUT:
        return dict(scores.estimates())
    without: dict[str, list[np.ndarray]] = {metric: [] for metric in scores.values}
    ids = np.asarray(labels)
    chosen = {
        name: np.ones(len(ids), dtype=bool) if flags is None else np.asarray(flags)
        for name, flags in (("is_query", is_query), ("is_gallery", is_gallery))
    }
    for position, name in enumerate(names):
        others = ids != name
        left = score_queries(embeddings, ids, **{role: flags & others for role, flags in chosen.items()}, **options)
        for metric, values in scores.values.items():
            known = values.copy()
            known[classes != position] = left.values[metric]
            without[metric].append(known)
    return {
        metric: leave_each_class_out(values, classes, np.stack(without[metric]))
        for metric, values in scores.values.items()
    }


def score_queries(
    embeddings: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    is_query: npt.ArrayLike | None = None,
    is_gallery: npt.ArrayLike | None = None,
    exclude_same: npt.ArrayLike | None = None,
    ks: Sequence[int] = (1, 5, 10),
    progress: Progress | None = None,
) -> QueryScores:
    """What `retrieval` averages, query by query: for paired comparison and tables per class.

    Args and raises as `retrieval`.

    Example:
        >>> score_queries(np.eye(2)[[0, 0, 1]], np.array([0, 0, 1]), ks=[1]).values["recall@1"]
        array([1., 1.])
    """
    vectors = unit(as_vectors(embeddings, "embeddings"))
    labels = as_ids(labels, "labels", length=len(vectors))
    ks = check_counts(ks, "ks")
    who = roles(labels, is_query=is_query, is_gallery=is_gallery, exclude_same=exclude_same)
    if not len(who.queries):
        where = " outside of its own group" if exclude_same is not None else ""
        raise InvalidInput(
            f"none of the {who.without_match} queries has another picture of its class{where} in the gallery "
            f"of {len(who.gallery)}: retrieval needs classes with two pictures or more{where and ', in several groups'}"
        )
    groups = None if exclude_same is None else as_ids(exclude_same, "exclude_same", length=len(labels))
    position = np.full(len(vectors), -1)
    position[who.gallery] = np.arange(len(who.gallery))
    cmc = any(one is not None for one in (is_query, is_gallery, exclude_same))
    parts = [
        _metrics(ranking, who.right[ranking.queries], ks, cmc)
        for ranking in rank_right_answers(
            vectors[who.queries],
            labels[who.queries],
            vectors[who.gallery],
            labels[who.gallery],
            itself=position[who.queries],
            query_groups=None if groups is None else groups[who.queries],
            key_groups=None if groups is None else groups[who.gallery],
            progress=progress,
        )
    ]
    values = {metric: np.concatenate([part[metric] for part in parts]) for metric in parts[0]}
    return QueryScores(who.queries, labels[who.queries], values)


def retrieval_by_chance(
    labels: npt.ArrayLike,
    *,
    is_query: npt.ArrayLike | None = None,
    is_gallery: npt.ArrayLike | None = None,
    exclude_same: npt.ArrayLike | None = None,
    ks: Sequence[int] = (1, 5, 10),
) -> dict[str, Figure]:
    """What `retrieval` gives on average if answers come in random order: exact, hence without an interval.

    Example:
        >>> round(retrieval_by_chance(np.array([0, 0, 1, 1]))["recall@1"].value, 4)
        0.3333
    """
    who = roles(labels, is_query=is_query, is_gallery=is_gallery, exclude_same=exclude_same)
    kinds, count = np.unique(np.stack([who.right, who.answers]), axis=1, return_counts=True)
    cmc = any(one is not None for one in (is_query, is_gallery, exclude_same))
    ks = check_counts(ks, "ks")
    expected = [_by_chance(int(right), int(answers), ks, cmc) for right, answers in kinds.T]
    return {
        metric: Figure(
            float(np.average([one[metric] for one in expected], weights=count)), None, None, int(count.sum())
        )
        for metric in expected[0]
    }


def roles(
    labels: npt.ArrayLike,
    *,
    is_query: npt.ArrayLike | None = None,
    is_gallery: npt.ArrayLike | None = None,
    exclude_same: npt.ArrayLike | None = None,
) -> Roles:
    """Who asks, who may answer, and how many right answers there are.

    Example:
        >>> roles(np.array([0, 0, 1])).without_match
        1
    """
    labels = np.asarray(labels)
    asks, answers = _flags(is_query, "is_query", len(labels)), _flags(is_gallery, "is_gallery", len(labels))
    queries, gallery = np.flatnonzero(asks), np.flatnonzero(answers)
    names, classes = np.unique(labels, return_inverse=True)
    size = np.bincount(classes[gallery], minlength=len(names))
    left_out = answers[queries].astype(np.int64)
    if exclude_same is not None:
        groups = as_ids(exclude_same, "exclude_same", length=len(labels))
        cells = classes * (int(groups.max(initial=0)) + 1) + groups
        known = groups >= 0
        names_of_cells, members = np.unique(cells[known], return_inverse=True)
        in_gallery = np.bincount(members, weights=answers[known], minlength=len(names_of_cells)).astype(np.int64)
        same = answers.astype(np.int64)
        same[known] = in_gallery[members]
        left_out = same[queries]
    right = size[classes[queries]] - left_out
    found = right > 0
    return Roles(
        queries=queries[found],
        right=right[found],
        answers=len(gallery) - left_out[found],
        without_match=int((~found).sum()),
        gallery=gallery,
    )


def _flags(flags: npt.ArrayLike | None, name: str, length: int) -> Bool[np.ndarray, " n"]:
    """The flags as an array; all are set if none are given."""
    if flags is None:
        return np.ones(length, dtype=bool)
    array = np.asarray(flags)
    if array.shape != (length,) or array.dtype != bool:
        raise InvalidInput(f"{name}: {array.dtype} of shape {array.shape}, expected {length} of True or False")
    return array


def _metrics(
    ranking: Ranking, right: np.ndarray, ks: Sequence[int], cmc: bool
) -> dict[str, Float[np.ndarray, " block"]]:
    """Each metric for each query of a block; `right` is R."""

    def per_query(values: np.ndarray) -> Float[np.ndarray, " block"]:
        return np.add.reduceat(values, ranking.starts, dtype=np.float64)

    ranks = ranking.ranks
    within_r = ranks <= np.repeat(right, right)
    precision = (np.arange(len(ranks)) - np.repeat(ranking.starts, right) + 1) / ranks
    gain, most = 1 / np.log2(ranks + 1.0), _most_gain(int(right.max()))
    found = {k: (ranking.first <= k).astype(np.float64) for k in ks}
    return {
        **{f"recall@{k}": found[k] for k in ks},
        "precision@1": (ranking.first == 1).astype(np.float64),
        "r_precision": per_query(within_r) / right,
        "map@r": per_query(np.where(within_r, precision, 0.0)) / right,
        "map": per_query(precision) / right,
        **{f"ndcg@{k}": per_query(np.where(ranks <= k, gain, 0.0)) / most[np.minimum(right, k)] for k in ks if k > 1},
        **({f"cmc@{k}": found[k] for k in ks} if cmc else {}),
    }


def _most_gain(answers: int) -> Float[np.ndarray, " n"]:
    """The gain of 0, 1, ... right answers at the first ranks."""
    return np.append(0.0, np.cumsum(1 / np.log2(np.arange(2.0, answers + 2))))


def _by_chance(right: int, answers: int, ks: Sequence[int], cmc: bool) -> dict[str, float]:
    """The expected metrics of one query with so many right answers among all its answers."""
    share = right / answers
    # The answer at rank i is right with chance `share`; each of the i - 1 before it then with `others`.
    others = (right - 1) / max(answers - 1, 1)
    ranks = np.arange(1, answers + 1)
    precision = share * ((1 + (ranks - 1) * others) / ranks).cumsum() / right
    gain, found = share * _most_gain(answers), {k: found_by_chance(right, answers, k) for k in ks}
    return {
        **{f"recall@{k}": found[k] for k in ks},
        "precision@1": share,
        "r_precision": share,
        "map@r": float(precision[right - 1]),
        "map": float(precision[-1]),
        **{f"ndcg@{k}": float(gain[min(k, answers)] / _most_gain(right)[min(right, k)]) for k in ks if k > 1},
        **({f"cmc@{k}": found[k] for k in ks} if cmc else {}),
    }


def found_by_chance(right: int, answers: int, k: int) -> float:
    """The chance that k of the answers, drawn without return, hold at least one of the right ones.

    Example:
        >>> found_by_chance(right=1, answers=4, k=2)
        0.5
    """
    k = min(k, answers)
    return 1 - comb(answers - right, k) / comb(answers, k)
