"""Clustering: do clusters of the embeddings agree with the classes?"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Int

from nearkin.evaluation.metrics.clustering import score_clustering
from nearkin.evaluation.protocol import Embeddings, GroundTruth, NoOptions, Outcome, Protocol, why_no_classes
from nearkin.intervals.figure import Figure
from nearkin.similarity.clustering import DEFAULT, cluster
from nearkin.similarity.clustering.agglomerative import MOST_EMBEDDINGS, average_linkage
from nearkin.similarity.clustering.k_means import k_means

# Pictures x clusters; above, k-means takes minutes.
MANY_TO_CLUSTER = 200_000_000


def why_not_unasked(truth: GroundTruth, options: NoOptions) -> str | None:
    """Runs where there are classes, and not too many pictures."""
    reason = why_no_classes(truth)
    if reason is not None:
        return reason
    _, labels = truth.labelled()
    classes = len(np.unique(labels))
    if len(labels) * classes > MANY_TO_CLUSTER:
        return f"{len(labels):,} pictures in {classes:,} clusters take long; ask for it by name"
    return None


def run(models: Sequence[Embeddings], truth: GroundTruth, options: NoOptions, seed: int) -> Outcome:
    """Groups whose number is found out, and as many as there are classes by k-means and, if few, by average linkage."""
    chosen, labels = truth.labelled()
    classes = len(np.unique(labels))
    random = np.random.default_rng(seed).standard_normal((len(labels), 16), dtype=np.float32)
    methods: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        DEFAULT: lambda one: _with_lonely(cluster(one, seed=seed)),
        "k-means": lambda one: k_means(one, classes, seed=seed),
    }
    notes = []
    if len(labels) <= MOST_EMBEDDINGS:
        methods["agglomerative"] = lambda one: average_linkage(one, clusters=classes)
    else:
        notes.append(f"Agglomerative clustering left out: more than {MOST_EMBEDDINGS:,} pictures.")
    found = []
    groups = []
    for vectors in [*(one.images[chosen] for one in models), random]:
        made = {method: make(vectors) for method, make in methods.items()}
        sizes = np.bincount(made[DEFAULT])
        groups.append(f"{np.count_nonzero(sizes > 1):,} groups, {np.count_nonzero(sizes == 1):,} pictures in none")
        found.append(
            {
                f"{method}/{metric}": one
                for method, clusters in made.items()
                for metric, one in score_clustering(clusters, labels).items()
            }
        )
    notes.append(f"Without being told the number of {classes:,} classes, '{DEFAULT}' found {groups[0]}.")
    chance = {name: Figure(one.figure().value, None, None, len(labels)) for name, one in found[-1].items()}
    return Outcome(found[:-1], lambda: chance, {"clusters": classes}, tuple(notes))


def _with_lonely(groups: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Pictures in no group as groups of one."""
    lonely = groups < 0
    return np.where(lonely, groups.max(initial=-1) + np.cumsum(lonely), groups)


PROTOCOL = Protocol(
    summary="groups whose number is found out (`communities`), and as many as there are classes by k-means and, of up "
    "to 10,000 pictures, by average linkage: do they agree with the classes?",
    metrics="nmi, ami, ari; BCubed and pairwise precision, recall, F",
    order=40,
    headline=("communities/bcubed_f", "k-means/bcubed_f"),
    why_not_unasked=why_not_unasked,
    run=run,
)
