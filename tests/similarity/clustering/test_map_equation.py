"""The map equation against the formula written out, and groups that everybody sees."""

import numpy as np
import pytest

from nearkin.similarity.clustering.engine.map_equation import map_equation_groups


def code_length(start: np.ndarray, end: np.ndarray, weight: np.ndarray, groups: np.ndarray) -> float:
    """Equation 4 of the paper, by loops."""
    n, whole = len(groups), 2 * weight.sum()
    visits = np.zeros(n)
    for a, b, w in zip(start, end, weight, strict=True):
        visits[a] += w / whole
        visits[b] += w / whole
    leaves = dict.fromkeys(groups.tolist(), 0.0)
    for a, b, w in zip(start, end, weight, strict=True):
        if groups[a] != groups[b]:
            leaves[groups[a]] += w / whole
            leaves[groups[b]] += w / whole

    def entropy(shares: list[float]) -> float:
        total = sum(shares)
        return -sum(share / total * np.log2(share / total) for share in shares if share > 0) if total else 0.0

    length = sum(leaves.values()) * entropy(list(leaves.values()))
    for group, leave in leaves.items():
        inside = [leave, *visits[groups == group].tolist()]
        length += sum(inside) * entropy(inside)
    return length


def cliques(count: int, size: int, between: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Complete graphs in a ring, each linked with the next."""
    pairs = [(c * size + a, c * size + b, 1.0) for c in range(count) for a in range(size) for b in range(a)]
    pairs += [(c * size, (c + 1) % count * size + 1, between) for c in range(count)]
    start, end, weight = (np.array(column) for column in zip(*pairs, strict=True))
    return start, end, weight


@pytest.mark.parametrize(("count", "size"), [(3, 4), (10, 6), (40, 8)])
def test_cliques_are_groups(count: int, size: int) -> None:
    groups = map_equation_groups(*cliques(count, size, 0.5), count * size)
    assert groups.reshape(count, size).std(axis=1).max() == 0
    assert len(np.unique(groups)) == count


@pytest.mark.parametrize("seed", range(5))
def test_no_single_move_and_no_merge_makes_the_code_shorter(seed: int) -> None:
    generator = np.random.default_rng(seed)
    n = 24
    start, end = np.triu_indices(n, 1)
    chosen = generator.random(len(start)) < np.where(start // 6 == end // 6, 0.7, 0.08)
    start, end = start[chosen], end[chosen]
    weight = generator.uniform(0.2, 1, len(start))
    groups = map_equation_groups(start, end, weight, n, seed=seed)
    length = code_length(start, end, weight, groups)
    assert length < code_length(start, end, weight, np.arange(n))
    assert length <= code_length(start, end, weight, np.zeros(n, int)) + 1e-9
    for node in range(n):
        for other in set(groups.tolist()):
            moved = groups.copy()
            moved[node] = other
            assert code_length(start, end, weight, moved) > length - 1e-6


def test_a_node_without_links_is_alone_and_no_links_are_no_groups() -> None:
    groups = map_equation_groups(np.array([0]), np.array([1]), np.array([1.0]), 4)
    assert groups[0] == groups[1]
    assert len(np.unique(groups)) == 3
    assert map_equation_groups(np.empty(0, int), np.empty(0, int), np.empty(0), 3).tolist() == [0, 1, 2]


def test_the_order_of_links_does_not_matter_and_a_seed_repeats() -> None:
    start, end, weight = cliques(12, 5, 0.7)
    order = np.random.default_rng(0).permutation(len(start))
    first = map_equation_groups(start, end, weight, 60, seed=3)
    again = map_equation_groups(end[order], start[order], weight[order], 60, seed=3)
    assert first.tolist() == again.tolist()
