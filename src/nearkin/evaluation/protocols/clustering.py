"""Clustering: do clusters of the embeddings agree with the classes?"""

from collections.abc import Callable, Sequence

import numpy as np

from nearkin.evaluation.metrics.clustering import score_clustering
from nearkin.evaluation.protocol import Embeddings, GroundTruth, NoOptions, Outcome, Protocol, why_no_classes
from nearkin.intervals.figure import Figure
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
    """As many clusters as there are classes, by k-means and, of not too many pictures, by average linkage."""
    chosen, labels = truth.labelled()
    classes = len(np.unique(labels))
    random = np.random.default_rng(seed).standard_normal((len(labels), 16), dtype=np.float32)
    methods: dict[str, Callable[[np.ndarray], np.ndarray]] = {"k-means": lambda one: k_means(one, classes, seed=seed)}
    notes = []
    if len(labels) <= MOST_EMBEDDINGS:
        methods["agglomerative"] = lambda one: average_linkage(one, clusters=classes)
    else:
        notes.append(f"Agglomerative clustering left out: more than {MOST_EMBEDDINGS:,} pictures.")
    found = [
        {
            f"{method}/{metric}": one
            for method, make in methods.items()
            for metric, one in score_clustering(make(vectors), labels).items()
        }
        for vectors in [*(one.images[chosen] for one in models), random]
    ]
    chance = {name: Figure(one.figure().value, None, None, len(labels)) for name, one in found[-1].items()}
    return Outcome(found[:-1], lambda: chance, {"clusters": classes}, tuple(notes))


PROTOCOL = Protocol(
    summary="k-means, and average linkage of up to 10,000 pictures, into as many clusters as there are classes: do "
    "the clusters agree with the classes?",
    metrics="nmi, ami, ari; BCubed and pairwise precision, recall, F",
    order=40,
    headline=("k-means/nmi", "k-means/bcubed_f"),
    why_not_unasked=why_not_unasked,
    run=run,
)
