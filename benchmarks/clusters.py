"""Clusterers on classes that training never saw, their parameters chosen on other classes; and their times.

    python benchmarks/clusters.py quality MODEL DATA [--label path] [--cache vectors.npz] [--rounds 5]
    python benchmarks/clusters.py time [--n 10000 50000] [--methods communities hdbscan]

`quality`: the classes of DATA are dealt into two halves. Each method gets the parameters that did best on one half, by
the sum of pairwise and BCubed F, and is judged on the other; then the other way round; several times. Of `communities`
that is what `nearkin calibrate` chooses; "told nothing" is without. The last columns are `communities` less the method,
in the same rounds, with a 95 % interval (jackknife over classes, each left out of all rounds at once). DATA should hold
classes that the model was not trained on, such as a run's validation.csv. Further packages, where they are installed,
serve as bars: evoc, graspologic-native, fast-hdbscan, infomap (GPL).

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
from scipy.special import stdtrit
from sklearn.metrics import normalized_mutual_info_score

from nearkin.calibration.linking import choose_linking
from nearkin.similarity.clustering import Linking, cluster
from nearkin.similarity.clustering.agglomerative import average_linkage
from nearkin.similarity.clustering.engine.neighbours import find_neighbours

# `coverage.py` beside this file is not the package that numba looks for.
sys.path = [path for path in sys.path if Path(path) != Path(__file__).parent]

OURS = "communities"
# Classes are left out one by one, or in so many parts if there are more.
PARTS = 100
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

    return HDBSCAN(min_cluster_size=size, min_samples=samples, metric="euclidean").fit_predict(vectors)


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
    module = model.get_modules()
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
    "leiden": (leiden, {"k": (5, 10, 20), "resolution": (0.5, 1.0, 2.0, 4.0, 10.0, 30.0)}),
    "infomap": (infomap, {"k": (10, 20), "threshold": ()}),
    "evoc": (evoc, {"size": (2, 5), "noise": (0.0, 0.5)}),
}


def grid(options: Mapping[str, Any], vectors: np.ndarray) -> Iterator[dict[str, Any]]:
    lists = [thresholds(vectors) if name == "threshold" else values for name, values in options.items()]
    return (dict(zip(options, values, strict=True)) for values in itertools.product(*lists))


def with_lonely(groups: np.ndarray) -> np.ndarray:
    """Vectors in no group as groups of one; groups 0, 1, ..."""
    lonely = groups < 0
    return np.unique(np.where(lonely, groups.max(initial=-1) + np.cumsum(lonely), groups), return_inverse=True)[1]


def f_scores(groups: np.ndarray, labels: np.ndarray, kept: np.ndarray | slice = slice(None)) -> tuple[float, float]:
    """Pairwise and BCubed F of some of the vectors, in percent."""
    groups, labels = groups[kept], labels[kept]
    table = coo_array((np.ones(len(groups)), (groups, labels))).tocsr().tocoo()
    a, b = np.bincount(groups).astype(float), np.bincount(labels).astype(float)
    precision = (table.data**2 / a[table.row]).sum() / len(labels)
    recall = (table.data**2 / b[table.col]).sum() / len(labels)
    both, of_groups, of_classes = ((x * (x - 1)).sum() for x in (table.data, a, b))
    return 100 * 2 * both / max(of_groups + of_classes, 1), 100 * 2 * precision * recall / (precision + recall)


def quick(groups: np.ndarray, labels: np.ndarray) -> float:
    """Pairwise F + BCubed F, of 2."""
    return sum(f_scores(with_lonely(groups), labels)) / 100


def halves(labels: np.ndarray, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows to choose by, and rows to judge by: other classes; twice."""
    order = np.random.default_rng(seed).permutation(int(labels.max()) + 1)
    first = np.isin(labels, order[: len(order) // 2])
    yield first, ~first
    yield ~first, first


def quality(arguments: argparse.Namespace) -> None:
    vectors, labels = embedded(arguments)
    part = np.random.default_rng(0).permutation(int(labels.max()) + 1) % PARTS
    print(f"{len(labels):,} pictures of {labels.max() + 1:,} classes; {arguments.rounds} rounds of two halves")
    # By method, for each half: both F of all classes and without each part of them; nmi; groups.
    found: dict[str, list[tuple[np.ndarray, float, int]]] = {}
    for seed in range(arguments.rounds):
        for choose, judge in halves(labels, seed):
            own, own_labels = vectors[judge], np.unique(labels[judge], return_inverse=True)[1]
            other, other_labels = vectors[choose], np.unique(labels[choose], return_inverse=True)[1]
            for name, groups in groupings(own, int(own_labels.max()) + 1, other, other_labels, arguments.methods):
                groups = with_lonely(groups)
                whole = [f_scores(groups, own_labels)]
                without = [
                    f_scores(groups, own_labels, kept)
                    for kept in (part[labels[judge]] != one for one in range(min(PARTS, int(labels.max()) + 1)))
                ]
                several = np.count_nonzero(np.bincount(groups) > 1)
                nmi = 100 * normalized_mutual_info_score(own_labels, groups)
                found.setdefault(name, []).append((np.array(whole + without), nmi, several))
    print("| method | pairwise F | BCubed F | nmi | groups | less pairwise F | less BCubed F |")
    print("|---|---|---|---|---|---|---|")
    means = {name: np.mean([one[0] for one in all_of], axis=0) for name, all_of in found.items()}
    for name, all_of in sorted(found.items(), key=lambda item: -means[item[0]][0].sum()):
        pairwise, bcubed = (interval(means[name][:, metric]) for metric in (0, 1))
        nmi, groups = (np.mean([one[place] for one in all_of]) for place in (1, 2))
        less = [interval(means[OURS][:, metric] - means[name][:, metric], "+.1f") for metric in (0, 1)]
        row = [name, pairwise, bcubed, f"{nmi:.1f}", f"{groups:.0f}", *(less if name != OURS else ("", ""))]
        print(f"| {' | '.join(row)} |", flush=True)


def groupings(
    own: np.ndarray, classes: int, other: np.ndarray, other_labels: np.ndarray, methods: list[str]
) -> Iterator[tuple[str, np.ndarray]]:
    """By each method the groups of `own`, with what did best on the other vectors."""
    linking: Linking = choose_linking(other, other_labels)
    yield OURS, cluster(own, linking=linking)
    yield "communities, told nothing", cluster(own)
    yield "communities, true k", cluster(own, k=classes)
    yield "k-means, true k", cluster(own, "k-means", k=classes)
    for name in methods:
        method, options = METHODS[name]
        try:
            best = max(grid(options, other), key=lambda one: quick(method(other, **one), other_labels))
            yield name, method(own, **best)
        except ImportError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)


def interval(values: np.ndarray, form: str = ".1f") -> str:
    """The first value, with a 95 % interval by the others, which lack one part each (jackknife)."""
    value, without = values[0], values[1:]
    parts = len(without)
    reach = stdtrit(parts - 1, 0.975) * np.sqrt((parts - 1) / parts * ((without - without.mean()) ** 2).sum())
    return f"{value:{form}} ± {reach:.1f}"


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
    one.add_argument("--rounds", type=int, default=5)
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
