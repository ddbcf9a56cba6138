"""Clusterings against classes: nmi, ami, ari, BCubed and pairwise precision, recall and F."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int

from nearkin.arrays import as_ids, check_seed
from nearkin.errors import InvalidInput
from nearkin.intervals.figure import Figure
from nearkin.intervals.paired_samples import Jackknife
from nearkin.similarity.clustering.engine.agreement import bcubed_scores, pairs_of, pairwise_scores

# Less what chance gives, and so below 0 where chance does better.
ADJUSTED = ("ami", "ari")

# Leaving out more groups of classes than that, one at a time, tells no more of how they differ.
_GROUPS = 200


def clustering(clusters: npt.ArrayLike, labels: npt.ArrayLike, *, seed: int = 0) -> dict[str, Figure]:
    """How well clusters agree with classes; intervals over classes, those that share a cluster drawn together.

    Args:
        clusters: cluster ids `[n]`, whole numbers, each picture's own number where it is in no cluster.
        labels: class ids `[n]`.
        seed: of the bootstrap, and of the groups that classes are left out in where there are more than 200.

    Returns:
        "nmi", "ami": mutual information over the mean of the entropies, and the same less what chance gives.
        "ari": the share of pairs on which both agree, less what chance gives.
        "bcubed_precision", "bcubed_recall", "bcubed_f": of each picture's cluster the share of its class, of its class
        the share in its cluster, averaged over pictures; F is their harmonic mean.
        "pairwise_precision", "pairwise_recall", "pairwise_f": of the pairs in one cluster those of one class, and
        the other way round. 1 where there is no such pair.

    Raises:
        InvalidInput: no pictures, lengths that differ, or ids that are no whole numbers.

    Example:
        >>> figures = clustering([0, 0, 1, 1], [5, 5, 7, 7])
        >>> figures["ari"].value, figures["bcubed_f"].value
        (1.0, 1.0)

    Source: Vinh, Epps & Bailey 2010, JMLR 11:2837 (nmi, ami); Hubert & Arabie 1985 (ari); Amigó et al. 2009 (BCubed).
    """
    seed = check_seed(seed)
    return {name: one.figure(seed=seed) for name, one in score_clustering(clusters, labels, seed=seed).items()}


def score_clustering(clusters: npt.ArrayLike, labels: npt.ArrayLike, *, seed: int = 0) -> dict[str, Jackknife]:
    """What `clustering` makes figures of, for paired comparison."""
    ids = as_ids(labels, "labels", length=np.size(labels))
    if not len(ids):
        raise InvalidInput("no pictures: clusters can be compared with classes only if there are some")
    table = _Table.of(as_ids(clusters, "clusters", length=len(ids)), ids)
    groups = table.groups(seed)
    whole = _indices(table)
    several = range(int(groups.max()) + 1) if groups.max() else ()
    without = [_indices(table.without(groups == group)) for group in several]
    return {
        name: Jackknife(
            value, np.array([one[name] for one in without]), len(ids), least=-1.0 if name in ADJUSTED else 0.0
        )
        for name, value in whole.items()
    }


class _Table(NamedTuple):
    """The contingency table, without its zeros: how many pictures lie in a cluster and a class at once."""

    clusters: Int[np.ndarray, " cells"]
    classes: Int[np.ndarray, " cells"]
    counts: Int[np.ndarray, " cells"]

    @staticmethod
    def of(clusters: np.ndarray, labels: np.ndarray) -> "_Table":
        cluster = np.unique(clusters, return_inverse=True)[1]
        label = np.unique(labels, return_inverse=True)[1]
        width = int(label.max()) + 1
        cells, counts = np.unique(cluster * width + label, return_counts=True)
        return _Table(cells // width, cells % width, counts)

    def groups(self, seed: int) -> Int[np.ndarray, " cells"]:
        """A group of classes for each cell, to be left out together.

        Classes that have most of their pictures in one cluster: they stand in each other's way there, and left out one
        by one would count that twice. Where there are many groups, some are put together at random.
        """
        # The last of the cells of a class, in order of their counts, is the largest.
        order = np.lexsort([self.counts, self.classes])
        largest = order[np.append(np.diff(self.classes[order]) > 0, True)]
        groups = np.unique(self.clusters[largest], return_inverse=True)[1]
        total = int(groups.max()) + 1
        if total > _GROUPS:
            groups = (np.random.default_rng(seed).permutation(total) % _GROUPS)[groups]
        return groups[self.classes]

    def without(self, left_out: np.ndarray) -> "_Table":
        return _Table(self.clusters[~left_out], self.classes[~left_out], self.counts[~left_out])


def _indices(table: _Table) -> dict[str, float]:
    counts = table.counts.astype(np.float64)
    in_cluster = np.bincount(table.clusters, weights=counts)
    in_class = np.bincount(table.classes, weights=counts)
    n = float(counts.sum())
    return {
        **_information(table, in_cluster, in_class),
        "ari": _adjusted_rand(pairs_of(counts), pairs_of(in_cluster), pairs_of(in_class), n * (n - 1) / 2),
        **bcubed_scores(counts, in_cluster[table.clusters], in_class[table.classes]),
        **pairwise_scores(counts, in_cluster, in_class),
    }


def _information(
    table: _Table, in_cluster: Float[np.ndarray, " clusters"], in_class: Float[np.ndarray, " classes"]
) -> dict[str, float]:
    """nmi and ami."""
    n = float(table.counts.sum())
    sizes = [side[side > 0] for side in (in_cluster, in_class)]
    mean = sum(float((side / n * np.log(n / side)).sum()) for side in sizes) / 2
    if all(len(side) == 1 for side in sizes) or all(len(side) == n for side in sizes):
        return {"nmi": 1.0, "ami": 1.0}
    share = table.counts / n
    mutual = float((share * np.log(share * n * n / in_cluster[table.clusters] / in_class[table.classes])).sum())
    expected = _expected_information(*sizes)
    return {
        "nmi": max(mutual, 0.0) / mean,
        "ami": (mutual - expected) / max(mean - expected, float(np.finfo(float).eps)),
    }


def _expected_information(in_cluster: Float[np.ndarray, " clusters"], in_class: Float[np.ndarray, " classes"]) -> float:
    """The mutual information of random clusters of these sizes, summed over different sizes only."""
    n = int(in_class.sum())
    log_factorial = np.append(0.0, np.cumsum(np.log(np.arange(1, n + 1))))
    (a, many_a), (b, many_b) = (np.unique(side.astype(np.int64), return_counts=True) for side in (in_cluster, in_class))
    a, b = (side.ravel() for side in np.meshgrid(a, b, indexing="ij"))
    times = np.multiply.outer(many_a, many_b).ravel()
    mean = a * b / n
    # Beyond some twelve standard deviations a cluster and a class have nothing more in common.
    most = np.minimum(np.minimum(a, b), np.ceil(mean + 12 * np.sqrt(mean) + 30).astype(np.int64))
    total = 0.0
    for both in range(1, int(most.max()) + 1):
        can = (both <= most) & (both >= a + b - n)
        x, y = a[can], b[can]
        # The hypergeometric chance of so many in common.
        chance = np.exp(
            log_factorial[x] + log_factorial[y] + log_factorial[n - x] + log_factorial[n - y]
            - log_factorial[n] - log_factorial[both] - log_factorial[x - both] - log_factorial[y - both]
            - log_factorial[n - x - y + both]
        )  # fmt: skip
        total += float((times[can] * chance * (both / n) * np.log(n * both / (x * y))).sum())
    return total


def _adjusted_rand(together: float, in_cluster: float, in_class: float, pairs: float) -> float:
    expected = in_cluster * in_class / pairs if pairs else 0.0
    most = (in_cluster + in_class) / 2
    return 1.0 if most == expected else float((together - expected) / (most - expected))
