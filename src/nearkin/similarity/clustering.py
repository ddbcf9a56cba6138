"""Embeddings to clusters, so that they can be compared with classes: k-means, and agglomeration up to a threshold."""

import numpy as np
import numpy.typing as npt
from jaxtyping import Int

from nearkin.arrays import as_vectors, unit
from nearkin.errors import InvalidInput

# Agglomeration holds the distances of all pairs: 400 MiB for so many pictures.
MOST_AGGLOMERATED = 10_000

_ROUNDS = 20


def k_means(embeddings: npt.ArrayLike, clusters: int, *, seed: int = 0) -> Int[np.ndarray, " n"]:
    """Spherical k-means (faiss): a cluster for each embedding.

    Args:
        embeddings: numbers `[n, dim]`; scaled to unit length here.
        clusters: how many, 1 to n.
        seed: of the first centroids.

    Raises:
        InvalidInput: NaN, or another number of clusters.

    Example:
        >>> clusters = k_means(np.eye(2)[[0, 0, 1, 1]], 2)
        >>> len(set(clusters[:2])), len(set(clusters[2:])), len(set(clusters))
        (1, 1, 2)
    """
    import faiss

    vectors = np.ascontiguousarray(unit(as_vectors(embeddings, "embeddings")))
    if not 1 <= clusters <= len(vectors):
        raise InvalidInput(f"{clusters} clusters of {len(vectors)} embeddings, wanted 1 to {len(vectors)}")
    model = faiss.Kmeans(
        vectors.shape[1], clusters, niter=_ROUNDS, spherical=True, seed=seed + 1, min_points_per_centroid=1
    )
    model.train(vectors)
    return model.index.search(vectors, 1)[1][:, 0]


def agglomerate(
    embeddings: npt.ArrayLike, *, clusters: int | None = None, threshold: float | None = None
) -> Int[np.ndarray, " n"]:
    """Average linkage by cosine (scikit-learn): clusters are joined, the two most alike first.

    Args:
        embeddings: numbers `[n, dim]`, at most 10,000 of them; scaled to unit length here.
        clusters: go on until so many are left.
        threshold: or until the mean score between the members of any two is below this, -1 to 1.

    Raises:
        InvalidInput: NaN, too many embeddings, or not exactly one of clusters and threshold.

    Example:
        >>> agglomerate(np.eye(2)[[0, 0, 1, 1]], threshold=0.5).tolist()
        [1, 1, 0, 0]
    """
    from sklearn.cluster import AgglomerativeClustering

    vectors = unit(as_vectors(embeddings, "embeddings"))
    if (clusters is None) == (threshold is None):
        raise InvalidInput("agglomeration needs either the number of clusters or a threshold")
    if len(vectors) > MOST_AGGLOMERATED:
        raise InvalidInput(
            f"{len(vectors):,} embeddings: agglomeration takes at most {MOST_AGGLOMERATED:,}, as it holds all pairs; "
            "use k_means"
        )
    if clusters is not None and not 1 <= clusters <= len(vectors):
        raise InvalidInput(f"{clusters} clusters of {len(vectors)} embeddings, wanted 1 to {len(vectors)}")
    if len(vectors) < 2:
        return np.zeros(len(vectors), dtype=np.int64)
    distances = np.clip(1 - vectors @ vectors.T, 0, None)
    model = AgglomerativeClustering(
        n_clusters=clusters,
        distance_threshold=None if threshold is None else 1 - threshold,
        metric="precomputed",
        linkage="average",
    )
    return model.fit_predict(distances)
