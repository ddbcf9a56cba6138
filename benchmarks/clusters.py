"""Clusterers on classes that training never saw, their parameters chosen on other classes; and their times.

    python benchmarks/clusters.py quality MODEL DATA [--label path] [--cache vectors.npz] [--rounds 2]
    python benchmarks/clusters.py time [--n 10000 50000] [--methods communities hdbscan]

`quality`: the classes of DATA are dealt into two halves. Each method gets the parameters that did best on one half, by
the sum of pairwise and BCubed F, and is judged on the other; then the other way round. DATA should hold classes that
the model was not trained on, such as a run's validation.csv. Further packages, where they are installed, serve as
bars: evoc, graspologic-native, fast-hdbscan, infomap (GPL).

`time`: drawn vectors of 128 numbers, groups of 20, all methods in the same run, one after the other.
"""

import argparse
import itertools
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from nearkin.calibration.link_score import link_score
from nearkin.errors import NearkinError
from nearkin.evaluation import fit_calibration
from nearkin.evaluation.metrics.clustering import score_clustering
from nearkin.similarity.clustering import cluster
from nearkin.similarity.clustering.agglomerative import average_linkage
from nearkin.similarity.clustering.engine.neighbours import find_neighbours

# `coverage.py` beside this file is not the package that numba looks for.
sys.path = [path for path in sys.path if Path(path) != Path(__file__).parent]

METRICS = ("pairwise_f", "bcubed_f", "nmi")
# Shares of random pairs that a threshold lets pass: the grid of thresholds follows the scores.
SHARES = (0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01, 0.007, 0.005, 0.003, 0.002, 0.001, 0.0005)
Method = Callable[..., np.ndarray]


def thresholds(vectors: np.ndarray) -> list[float]:
    """A grid of scores."""
    pairs = np.random.default_rng(0).integers(0, len(vectors), (200_000, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    scores = np.einsum("nd,nd->n", vectors[pairs[:, 0]], vectors[pairs[:, 1]])
    return np.quantile(scores, 1 - np.array(SHARES)).round(4).tolist()


def components(vectors: np.ndarray, threshold: float) -> np.ndarray:
    """Threshold and connected components, on the 30 nearest neighbours."""
    near = find_neighbours(vectors, 30)
    start, end = np.repeat(np.arange(len(vectors)), near.rows.shape[1]), near.rows.ravel()
    kept = near.scores.ravel() >= threshold
    graph = coo_array((np.ones(kept.sum()), (start[kept], end[kept])), shape=(len(vectors),) * 2)
    return connected_components(graph, directed=False)[1]


def sklearn_hdbscan(vectors: np.ndarray, size: int, samples: int) -> np.ndarray:
    from sklearn.cluster import HDBSCAN

    return HDBSCAN(min_cluster_size=size, min_samples=samples, copy=True).fit_predict(vectors)


def fast_hdbscan(vectors: np.ndarray, size: int, samples: int) -> np.ndarray:
    from fast_hdbscan import HDBSCAN

    return HDBSCAN(min_cluster_size=size, min_samples=samples).fit_predict(vectors)


def dbscan(vectors: np.ndarray, threshold: float, samples: int) -> np.ndarray:
    from sklearn.cluster import DBSCAN

    return DBSCAN(eps=float(np.sqrt(max(2 - 2 * threshold, 1e-9))), min_samples=samples).fit_predict(vectors)


def leiden(vectors: np.ndarray, k: int, resolution: float) -> np.ndarray:
    from graspologic_native import leiden as partition

    near = find_neighbours(vectors, k)
    start, weight = np.repeat(np.arange(len(vectors)), near.rows.shape[1]), near.scores.ravel()
    kept = weight > 0
    edges = zip(
        map(str, start[kept].tolist()), map(str, near.rows.ravel()[kept].tolist()), weight[kept].tolist(), strict=True
    )
    found = np.full(len(vectors), -1)
    for name, community in partition(list(edges), resolution=resolution, seed=1)[1].items():
        found[int(name)] = community
    return found


def infomap(vectors: np.ndarray, k: int, threshold: float) -> np.ndarray:
    from infomap import Infomap

    near = find_neighbours(vectors, k)
    model = Infomap("--two-level --silent --seed 1")
    for row in range(len(vectors)):
        model.add_node(row)
    for row in range(len(vectors)):
        for other, score in zip(near.rows[row].tolist(), near.scores[row].tolist(), strict=True):
            if score >= threshold:
                model.add_link(row, other, max(score, 1e-6))
    model.run()
    module = {node.node_id: node.module_id for node in model.nodes}
    return np.array([module[row] for row in range(len(vectors))])


def evoc(vectors: np.ndarray, size: int, noise: float) -> np.ndarray:
    from evoc import EVoC

    return np.asarray(EVoC(base_min_cluster_size=size, noise_level=noise, random_state=0).fit_predict(vectors))


# By name: the method and its grid, of which "threshold" is replaced by scores of the data.
METHODS: dict[str, tuple[Method, Mapping[str, Any]]] = {
    "communities, threshold": (lambda v, threshold: cluster(v, threshold=threshold), {"threshold": ()}),
    "components": (components, {"threshold": ()}),
    "agglomerative": (lambda v, threshold: average_linkage(v, threshold=threshold), {"threshold": ()}),
    "dbscan": (dbscan, {"threshold": (), "samples": (2, 3, 5)}),
    "hdbscan": (sklearn_hdbscan, {"size": (2, 3, 5, 10), "samples": (1, 3)}),
    "fast-hdbscan": (fast_hdbscan, {"size": (2, 3, 5, 10), "samples": (1, 3)}),
    "leiden": (leiden, {"k": (5, 10), "resolution": (0.5, 1.0, 2.0, 4.0, 10.0, 30.0)}),
    "infomap": (infomap, {"k": (10,), "threshold": ()}),
    "evoc": (evoc, {"size": (2, 5), "noise": (0.0, 0.5)}),
}


def grid(options: Mapping[str, Any], vectors: np.ndarray) -> Iterator[dict[str, Any]]:
    lists = [thresholds(vectors) if name == "threshold" else values for name, values in options.items()]
    return (dict(zip(options, values, strict=True)) for values in itertools.product(*lists))


def figures(groups: np.ndarray, labels: np.ndarray) -> dict[str, tuple[float, float | None, float | None]]:
    lonely = groups < 0
    groups = np.where(lonely, groups.max(initial=-1) + np.cumsum(lonely), groups)
    scores = score_clustering(groups, labels)
    found = {}
    for metric in METRICS:
        figure = scores[metric].figure()
        found[metric] = (figure.value, figure.low, figure.high)
    found["groups"] = (float(np.count_nonzero(np.bincount(groups) > 1)), None, None)
    return found


def quick(groups: np.ndarray, labels: np.ndarray) -> float:
    """Pairwise F + BCubed F, without intervals."""
    lonely = groups < 0
    groups = np.where(lonely, groups.max(initial=-1) + np.cumsum(lonely), groups)
    table = coo_array((np.ones(len(groups)), (groups, labels))).tocsr().tocoo()
    a, b = np.bincount(groups).astype(float), np.bincount(labels).astype(float)
    precision = (table.data**2 / a[table.row]).sum() / len(labels)
    recall = (table.data**2 / b[table.col]).sum() / len(labels)
    both, of_groups, of_classes = ((x * (x - 1)).sum() for x in (table.data, a, b))
    pairwise = 2 * both / max(of_groups + of_classes, 1)
    return float(pairwise + 2 * precision * recall / (precision + recall))


def halves(labels: np.ndarray, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows to choose by, and rows to judge by: other classes; twice."""
    order = np.random.default_rng(seed).permutation(int(labels.max()) + 1)
    first = np.isin(labels, order[: len(order) // 2])
    yield first, ~first
    yield ~first, first


def calibrated(chosen: tuple[np.ndarray, np.ndarray], vectors: np.ndarray) -> np.ndarray | None:
    """The default with a calibration on other classes; None if there are too few."""
    several = np.flatnonzero(np.bincount(chosen[1])[chosen[1]] > 1)
    try:
        found = fit_calibration(
            chosen[0][several], np.unique(chosen[1][several], return_inverse=True)[1], fingerprint=""
        )
    except NearkinError:
        return None
    return cluster(vectors, least=link_score(found, len(vectors)))


def quality(arguments: argparse.Namespace) -> None:
    vectors, labels = embedded(arguments)
    print(f"{len(labels):,} pictures of {labels.max() + 1:,} classes; {arguments.rounds} rounds of two halves")
    found: dict[str, list[dict[str, tuple[float, float | None, float | None]]]] = {}
    for seed in range(arguments.rounds):
        for choose, judge in halves(labels, seed):
            own, own_labels = vectors[judge], np.unique(labels[judge], return_inverse=True)[1]
            other, other_labels = vectors[choose], np.unique(labels[choose], return_inverse=True)[1]
            classes = int(own_labels.max()) + 1
            made: dict[str, np.ndarray | None] = {
                "communities": cluster(own),
                "communities, calibrated": calibrated((other, other_labels), own),
                "communities, true k": cluster(own, k=classes),
                "k-means, true k": cluster(own, "k-means", k=classes),
            }
            for name in arguments.methods:
                method, options = METHODS[name]
                try:
                    best = max(grid(options, other), key=lambda one: quick(method(other, **one), other_labels))
                    made[name] = method(own, **best)
                except ImportError:
                    continue
            for name, groups in made.items():
                if groups is not None:
                    found.setdefault(name, []).append(figures(groups, own_labels))
    print("| method | pairwise F | BCubed F | nmi | groups |\n|---|---|---|---|---|")
    for name, all_of in found.items():
        cells = []
        for metric in METRICS:
            value = np.mean([one[metric][0] for one in all_of])
            known = [one[metric] for one in all_of if one[metric][1] is not None]
            # The mean half-width of one half's interval: halves share classes, so that more of them prove little more.
            reach = np.mean([(high - low) / 2 for _, low, high in known]) if known else np.nan
            cells.append(f"{100 * value:.1f} ± {100 * reach:.1f}")
        print(f"| {name} | {' | '.join(cells)} | {np.mean([one['groups'][0] for one in all_of]):.0f} |", flush=True)


def embedded(arguments: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Vectors and classes, from the cache if there is one."""
    if arguments.cache is None or not arguments.cache.exists():
        import nearkin
        from nearkin.tasks.embedded import embed_items

        items = nearkin.read_items(arguments.data, label=arguments.label)
        made = embed_items(nearkin.Encoder.from_pretrained(arguments.model), items)
        labels = made.items.label_ids()[0]
        if arguments.cache is None:
            return made.vectors[labels >= 0], labels[labels >= 0]
        np.savez(arguments.cache, x=made.vectors[labels >= 0], y=labels[labels >= 0])
    held = np.load(arguments.cache)
    return held["x"], held["y"]


def drawn(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of 128 numbers in groups of 20, half of their variance within groups."""
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.arange(n) // 20)
    vectors = generator.standard_normal((n // 20 + 1, 128), dtype=np.float32)[labels]
    vectors += generator.standard_normal(vectors.shape, dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), labels


TIMED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "communities": cluster,
    "hdbscan": lambda v: sklearn_hdbscan(v, 3, 1),
    "fast-hdbscan": lambda v: fast_hdbscan(v, 3, 1),
    "leiden": lambda v: leiden(v, 10, 1.0),
    "evoc": lambda v: evoc(v, 5, 0.5),
    "k-means": lambda v: cluster(v, "k-means", k=len(v) // 20),
}


def times(arguments: argparse.Namespace) -> None:
    print(
        "| vectors | method | seconds | CPU seconds | pairwise F + BCubed F, of 2 | most memory, MiB |\n"
        "|---|---|---|---|---|---|"
    )
    for n in arguments.n:
        vectors, labels = drawn(n)
        for name in arguments.methods:
            try:
                begun, cpu = time.perf_counter(), time.process_time()
                groups = TIMED[name](vectors)
                seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
            except ImportError:
                continue
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            print(
                f"| {n:,} | {name} | {seconds:.1f} | {cpu:.1f} | {quick(groups, labels):.3f} | {memory:,} |", flush=True
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("quality")
    one.add_argument("model", type=Path)
    one.add_argument("data", type=Path)
    one.add_argument("--label")
    one.add_argument("--cache", type=Path)
    one.add_argument("--rounds", type=int, default=2)
    one.add_argument("--methods", nargs="*", default=list(METHODS), choices=METHODS)
    one.set_defaults(run=quality)
    two = commands.add_parser("time")
    two.add_argument("--n", type=int, nargs="+", default=[10_000, 50_000])
    two.add_argument("--methods", nargs="+", default=list(TIMED), choices=TIMED)
    two.set_defaults(run=times)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
