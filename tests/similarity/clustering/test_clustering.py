"""What every clusterer promises, and what the default finds."""

from importlib.util import find_spec

import numpy as np
import pytest

from nearkin.errors import InvalidInput, MissingDependency, UnknownName
from nearkin.evaluation.metrics.clustering import clustering
from nearkin.similarity.clustering import CLUSTERERS, Linking, cluster

METHODS = [name for name in CLUSTERERS if CLUSTERERS[name].package is None]


def drawn(classes: int, each: int, spread: float, dim: int = 32, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors about random centres, and the classes they are of."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    vectors = generator.standard_normal((classes, dim))[labels] + spread * generator.standard_normal((len(labels), dim))
    return vectors.astype(np.float32), labels


def agreement(groups: np.ndarray, labels: np.ndarray) -> float:
    alone = np.where(groups < 0, len(groups) + np.arange(len(groups)), groups)
    return clustering(alone, labels)["pairwise_f"].value


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spread", [0.05, 0.3])
def test_groups_that_lie_apart_are_found(method: str, spread: float) -> None:
    vectors, labels = drawn(12, 10, spread)
    options = {"k": 12} if method in ("k-means", "agglomerative") else {}
    # k-means and one density for all find most.
    assert agreement(cluster(vectors, method, **options), labels) > (0.6 if method in ("k-means", "dbscan") else 0.99)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [0, 1, 2, 3])
@pytest.mark.parametrize("kind", ["different", "equal", "zero"])
def test_few_equal_and_zero_vectors(method: str, n: int, kind: str) -> None:
    vectors = {"different": np.eye(3)[:n], "equal": np.ones((n, 3)), "zero": np.zeros((n, 3))}[kind]
    groups = cluster(vectors, method, k=1 if n and method in ("k-means", "agglomerative") else None)
    assert groups.shape == (n,)
    if kind == "zero" or n < 2:
        assert (groups == -1).all()
    elif kind == "equal" and n == 3:
        assert len(set(groups.tolist())) == 1


def test_equal_vectors_are_one_group_and_others_stay_apart() -> None:
    vectors = np.concatenate([np.repeat(np.eye(8)[:1], 20_000, axis=0), np.eye(8)[1:]])
    groups = cluster(vectors)
    assert (groups[:20_000] == 0).all()
    assert not (groups[20_000:] == 0).any()


def test_the_number_of_groups_can_be_given() -> None:
    vectors, labels = drawn(6, 10, 0.05)
    for k in (1, 3, 6, 60):
        groups = cluster(vectors, k=k)
        assert len(np.unique(groups[groups >= 0])) + (groups < 0).sum() == k
    assert agreement(cluster(vectors, k=6), labels) == 1.0


def test_a_threshold_can_be_given() -> None:
    vectors = np.array([[1, 0], [0.9, 0.1], [0, 1]])
    assert cluster(vectors, threshold=0.9).tolist() == [0, 0, -1]
    assert cluster(vectors, threshold=0.9999).tolist() == [-1, -1, -1]
    assert cluster(vectors, threshold=-1.0).tolist() == [0, 0, 0]


def test_one_bad_link_does_not_chain_two_people() -> None:
    vectors, labels = drawn(2, 30, 0.2, seed=3)
    between = (vectors[labels == 0].mean(axis=0) + vectors[labels == 1].mean(axis=0)) / 2
    groups = cluster(np.vstack([vectors, between]))
    assert agreement(groups[:-1], labels) == 1.0


@pytest.mark.parametrize("dim", [16, 128])
@pytest.mark.parametrize("falling", [False, True])
def test_noise_is_in_no_group(dim: int, falling: bool) -> None:
    noise = np.random.default_rng(0).standard_normal((800, dim))
    if falling:  # some directions are stronger than others
        noise /= np.sqrt(1 + np.arange(dim))
    assert (cluster(noise) >= 0).mean() < 0.02


def test_groups_are_found_among_strangers() -> None:
    vectors, labels = drawn(20, 10, 0.5, dim=64)
    strangers = np.random.default_rng(1).standard_normal((400, 64))
    groups = cluster(np.concatenate([vectors, strangers]))
    assert agreement(groups[:200], labels) > 0.95
    assert (groups[200:] >= 0).mean() < 0.1


def test_the_links_that_a_calibration_says_are_taken() -> None:
    vectors, labels = drawn(20, 10, 0.5, dim=64)
    assert agreement(cluster(vectors, linking=Linking(0.0, 10, 1.0)), labels) > 0.99
    assert (cluster(vectors, linking=Linking(0.0, 10, 1000.0)) == -1).all()


@pytest.mark.parametrize("each", [3, 4])
def test_one_bad_link_does_not_chain_two_small_groups(each: int) -> None:
    vectors, _ = drawn(300, each, 0.45, dim=64)
    # Of every two of the first hundred, one picture each has the same background.
    for first in range(0, 100, 2):
        same = np.random.default_rng(first).standard_normal(64)
        vectors[[first * each, (first + 1) * each]] += same
    groups = cluster(vectors)
    last = groups[each - 1 : 100 * each : each].reshape(50, 2)
    assert ((last[:, 0] == last[:, 1]) & (last[:, 0] >= 0)).sum() <= 2


def test_the_order_of_the_rows_does_not_matter() -> None:
    vectors, _ = drawn(20, 8, 0.6)
    order = np.random.default_rng(1).permutation(len(vectors))
    assert agreement(cluster(vectors[order]), cluster(vectors)[order]) > 0.99


def test_length_does_not_matter() -> None:
    vectors, _ = drawn(5, 8, 0.3)
    factors = np.random.default_rng(0).uniform(0.1, 10, (len(vectors), 1))
    assert cluster(vectors * factors).tolist() == cluster(vectors).tolist()


def test_groups_keep_their_numbers_when_vectors_come_and_go() -> None:
    vectors, labels = drawn(6, 10, 0.1)
    first = cluster(vectors[labels < 4])
    kept = labels < 5
    # The largest is not the first any more.
    kept[np.flatnonzero(labels == np.flatnonzero(np.bincount(labels))[0])[:5]] = False
    previous = np.full(len(labels), -1)
    previous[labels < 4] = first
    again = cluster(vectors[kept], previous=previous[kept])
    known = previous[kept] >= 0
    assert again[known].tolist() == previous[kept][known].tolist()
    assert set(again[~known].tolist()) == {4}


def test_links_are_obeyed() -> None:
    vectors, _ = drawn(4, 10, 0.1)
    groups = cluster(vectors, must=[(0, 10)], cannot=[(20, 21), (0, 5)])
    assert groups[0] == groups[10]
    assert groups[20] != groups[21]
    assert groups[0] != groups[5]
    # Of the group that was parted, all else stays with one or the other.
    assert set(groups[22:30].tolist()) <= {groups[20], groups[21]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 4}, "4 groups of 3 vectors: expected 1 to 3"),
        ({"k": 0}, "0 groups of 3 vectors"),
        ({"threshold": 2.0}, "threshold is 2: expected a score"),
        ({"must": [(0, 3)]}, r"must: \(0, 3\) is no pair of rows, 0 to 2"),
        ({"must": [(0, 1), (1, 2)], "cannot": [(0, 2)]}, "rows 0 and 2 cannot be in one group, and must be"),
        ({"method": "k-means"}, "k-means needs the number of groups"),
        ({"method": "agglomerative"}, "needs k .* or a threshold"),
        ({"previous": [0]}, "1 given for 3"),
    ],
)
def test_bad_arguments(options: dict, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        cluster(np.eye(3), **options)


def test_nan_and_unknown_methods() -> None:
    with pytest.raises(InvalidInput, match="1 of 2 rows hold NaN"):
        cluster([[0.0, 1.0], [np.nan, 1.0]])
    with pytest.raises(UnknownName, match="did you mean communities"):
        cluster(np.eye(2), "comunities")


@pytest.mark.parametrize("method", [name for name in CLUSTERERS if CLUSTERERS[name].package])
def test_optional_packages(method: str) -> None:
    vectors, labels = drawn(8, 20, 0.1)
    if find_spec({"evoc": "evoc", "leiden": "graspologic_native"}[method]) is None:
        with pytest.raises(MissingDependency, match=r"pip install 'nearkin\[clusters\]'"):
            cluster(vectors, method)
    else:
        assert agreement(cluster(vectors, method), labels) > 0.5
