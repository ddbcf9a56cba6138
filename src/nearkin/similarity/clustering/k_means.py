"""Spherical k-means: as many centres as clusters, each the mean direction of its members."""

import numpy as np
import numpy.typing as npt
from jaxtyping import Int

from nearkin.arrays import as_vectors, unit
from nearkin.errors import InvalidInput
from nearkin.similarity.clustering.engine.clusterer import Clusterer, Task

_ROUNDS = 20


def k_means(embeddings: npt.ArrayLike, clusters: int, *, seed: int = 0) -> Int[np.ndarray, " n"]:
    """Spherical k-means (faiss): a cluster for each embedding.

    Args:
        embeddings: vectors `[n, dim]`; scaled to unit length here.
        clusters: how many, 1 to n.
        seed: random seed of the first centres.

    Raises:
        InvalidInput: NaN, or a number of clusters out of range.

    Example:
        >>> clusters = k_means(np.eye(2)[[0, 0, 1, 1]], 2)
        >>> len(set(clusters[:2])), len(set(clusters[2:])), len(set(clusters))
        (1, 1, 2)

    Source: Dhillon & Modha 2001, Concept decompositions for large sparse text data using clustering.
    """
    import faiss

    vectors = np.ascontiguousarray(unit(as_vectors(embeddings, "embeddings")))
    if not 1 <= clusters <= len(vectors):
        raise InvalidInput(f"{clusters} clusters of {len(vectors)} embeddings: expected 1 to {len(vectors)}")
    model = faiss.Kmeans(
        vectors.shape[1], clusters, niter=_ROUNDS, spherical=True, seed=seed + 1, min_points_per_centroid=1
    )
    model.train(vectors)
    return model.index.search(vectors, 1)[1][:, 0]


def _run(task: Task) -> Int[np.ndarray, " n"]:
    return k_means(task.vectors, task.wanted_k("k-means"), seed=task.seed)


CLUSTERER = Clusterer("each vector to the nearest of k centres (faiss)", _run, needs_k=True)
