"""Average linkage on a graph against the slow loop, and against SciPy on all pairs."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage

from nearkin.arrays import unit
from nearkin.similarity.clustering.engine.linkage import average_linkage_tree


def vectors_of(n: int, seed: int) -> np.ndarray:
    return unit(np.random.default_rng(seed).standard_normal((n, 6)).astype(np.float32))


def same_groups(one: np.ndarray, other: np.ndarray) -> bool:
    return ((one[:, None] == one) == (other[:, None] == other)).all()


@pytest.mark.parametrize("seed", range(5))
def test_all_pairs_give_scipys_tree(seed: int) -> None:
    vectors = vectors_of(40, seed)
    pairs = np.stack(np.triu_indices(40, 1), axis=1)
    tree = average_linkage_tree(vectors, pairs, least=-np.inf)
    distances = 1 - (vectors.astype(np.float64) @ vectors.T.astype(np.float64))[pairs[:, 0], pairs[:, 1]]
    whole = linkage(distances, "average")
    for threshold in (0.8, 0.5, 0.2, -0.1):
        assert same_groups(tree.cut(threshold), fcluster(whole, 1 - threshold, "distance"))
    for k in (1, 2, 7, 40):
        assert same_groups(tree.cut_into(k), fcluster(whole, k, "maxclust"))


def slow(vectors: np.ndarray, edges: set[tuple[int, int]], least: float, apart: set[tuple[int, int]]) -> list[set[int]]:
    """Merge the two groups of the highest mean score that an edge joins, again and again."""
    groups = [{row} for row in range(len(vectors))]

    def joined(a: set[int], b: set[int], pairs: set[tuple[int, int]]) -> bool:
        return any((i, j) in pairs or (j, i) in pairs for i in a for j in b)

    while True:
        best = max(
            (
                (float(np.mean([vectors[i] @ vectors[j] for i in a for j in b])), x, y)
                for x, a in enumerate(groups)
                for y, b in enumerate(groups)
                if x < y and joined(a, b, edges) and not joined(a, b, apart)
            ),
            default=(-np.inf, 0, 0),
        )
        if best[0] < least or best[0] == -np.inf:
            return groups
        groups[best[1]] |= groups.pop(best[2])


@pytest.mark.parametrize("seed", range(6))
def test_a_sparse_graph_gives_what_the_slow_loop_gives(seed: int) -> None:
    vectors = vectors_of(25, seed)
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -2)
    near = np.argsort(-scores, axis=1)[:, :4]
    edges = {(row, int(other)) for row in range(25) for other in near[row]}
    apart = {(0, int(near[0, 0])), (5, int(near[5, 0]))} if seed % 2 else set()
    tree = average_linkage_tree(vectors, np.array(sorted(edges)), least=0.1, forbidden=sorted(apart))
    groups = np.empty(25, dtype=int)
    for number, group in enumerate(slow(vectors, edges, 0.1, apart)):
        groups[list(group)] = number
    assert same_groups(tree.cut(-np.inf), groups)


def test_weights_stand_for_copies() -> None:
    vectors = vectors_of(12, 0)
    copies = np.arange(12) % 3 + 1
    many = np.repeat(np.arange(12), copies)
    pairs = np.stack(np.triu_indices(12, 1), axis=1)
    weighted = average_linkage_tree(vectors, pairs, least=-np.inf, weights=copies.astype(float))
    written_out = average_linkage_tree(vectors[many], np.stack(np.triu_indices(len(many), 1), axis=1), least=-np.inf)
    for threshold in (0.6, 0.3, 0.0):
        assert same_groups(weighted.cut(threshold)[many], written_out.cut(threshold))
