"""A map: some of the embeddings in two dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Pictures on the map, and classes with a colour of their own.
MAPPED, COLOURED = 800, 10


@dataclass(frozen=True)
class MapPoint:
    """A picture on the 2-D map: its row, where it lies, and its class by number among the coloured ones, or -1."""

    row: int
    x: float
    y: float
    colour: int


@dataclass(frozen=True)
class Map:
    """Embeddings in two dimensions.

    Args:
        method: "t-SNE" or "PCA".
        points: of some of the pictures.
        classes: names of the coloured classes.
    """

    method: str
    points: tuple[MapPoint, ...]
    classes: tuple[str, ...]


def embedding_map(vectors: np.ndarray, ids: np.ndarray, names: Sequence[str], seed: int) -> Map:
    """Some pictures in two dimensions: of the largest classes first, up to as many of each as there is room for."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    generator = np.random.default_rng(seed)
    counts = np.bincount(ids[ids >= 0], minlength=1)
    coloured = [number for number in np.argsort(-counts, kind="stable")[:COLOURED].tolist() if counts[number] >= 2]
    rows = [generator.permutation(np.flatnonzero(ids == number))[: MAPPED // 2 // COLOURED] for number in coloured]
    others = np.flatnonzero(~np.isin(ids, coloured))
    rows.append(generator.permutation(others)[: MAPPED - sum(map(len, rows))])
    chosen = np.concatenate(rows)
    some = vectors[chosen].astype(np.float64)
    method = "t-SNE" if len(chosen) >= 30 and some.std() > 0 else "PCA"
    width = min(50, *some.shape)
    if width < 2 or not some.std(axis=0).any():
        positions = np.zeros((len(chosen), 2))
    else:
        positions = PCA(min(width, 50) if method == "t-SNE" else 2, random_state=seed).fit_transform(some)
        if method == "t-SNE":
            perplexity = min(30.0, (len(chosen) - 1) / 4)
            positions = TSNE(perplexity=perplexity, init="pca", random_state=seed, max_iter=500).fit_transform(
                positions
            )
    colour = {number: position for position, number in enumerate(coloured)}
    points = (
        MapPoint(int(row), round(float(x), 3), round(float(y), 3), colour.get(int(ids[row]), -1))
        for row, (x, y) in zip(chosen, positions, strict=True)
    )
    return Map(method, tuple(points), tuple(names[number] for number in coloured))
