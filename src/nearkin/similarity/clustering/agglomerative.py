"""Average linkage: clusters are merged, the two with the highest mean score first."""

import numpy as np
import numpy.typing as npt
from jaxtyping import Int

from nearkin.arrays import as_vectors, unit
from nearkin.errors import InvalidInput
from nearkin.similarity.clustering.engine.clusterer import Clusterer, Task

# Agglomeration holds the distances of all pairs: 400 MiB for so many embeddings.
MOST_EMBEDDINGS = 10_000


def average_linkage(
    embeddings: npt.ArrayLike, *, clusters: int | None = None, threshold: float | None = None
) -> Int[np.ndarray, " n"]:
    """Agglomerative clustering with average linkage by cosine (scikit-learn): a cluster for each embedding.

    Args:
        embeddings: vectors `[n, dim]`, at most 10,000 of them; scaled to unit length here.
        clusters: merge until so many are left.
        threshold: or until the mean score between the members of any two clusters is below this, -1 to 1.

    Raises:
        InvalidInput: NaN, too many embeddings, or not exactly one of clusters and threshold.

    Example:
        >>> average_linkage(np.eye(2)[[0, 0, 1, 1]], threshold=0.5).tolist()
        [1, 1, 0, 0]

    Source: Sokal & Michener 1958, A statistical method for evaluating systematic relationships.
    """
    from sklearn.cluster import AgglomerativeClustering

    vectors = unit(as_vectors(embeddings, "embeddings"))
    if (clusters is None) == (threshold is None):
        raise InvalidInput("average linkage needs either the number of clusters or a threshold")
    if len(vectors) > MOST_EMBEDDINGS:
        raise InvalidInput(
            f"{len(vectors):,} embeddings: average linkage takes at most {MOST_EMBEDDINGS:,}, as it holds all pairs; "
            "use k_means"
        )
    if clusters is not None and not 1 <= clusters <= len(vectors):
        raise InvalidInput(f"{clusters} clusters of {len(vectors)} embeddings: expected 1 to {len(vectors)}")
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


def _run(task: Task) -> Int[np.ndarray, " n"]:
    if task.k is not None:
        return average_linkage(task.vectors, clusters=task.k)
    if task.threshold is None:
        raise InvalidInput(
            "agglomerative needs k (-k 20) or a threshold (--threshold 0.5); 'communities' needs neither"
        )
    return average_linkage(task.vectors, threshold=task.threshold)


CLUSTERER = Clusterer("average linkage of all pairs, up to 10,000 vectors (scikit-learn); k or a threshold", _run)
