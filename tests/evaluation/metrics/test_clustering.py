import numpy as np
import pytest
from sklearn import metrics

from nearkin.errors import InvalidInput
from nearkin.evaluation.metrics.clustering import clustering, score_clustering
from nearkin.intervals.bootstrap import bootstrap_left_out, bootstrap_mean
from nearkin.similarity.clustering.agglomerative import average_linkage
from nearkin.similarity.clustering.k_means import k_means


def cases():
    generator = np.random.default_rng(0)
    clusters, labels = generator.integers(12, size=150), generator.integers(9, size=150)
    one, alone = np.zeros(150, dtype=np.int64), np.arange(150)
    yield "random", clusters, labels
    yield "relabelled", clusters * 7 - 3, clusters
    yield "one cluster", one, labels
    yield "each alone", alone, labels
    yield "one class", clusters, one
    yield "one cluster, one class", one, one
    yield "each alone, each a class", alone, alone
    yield "ids above 2^24", np.where(generator.random(150) < 0.7, labels, clusters) + 2**40, labels


def bcubed(clusters, labels):
    """Amigó et al., picture by picture."""
    rows = range(len(labels))
    precision = np.mean([np.mean(labels[clusters == clusters[row]] == labels[row]) for row in rows])
    recall = np.mean([np.mean(clusters[labels == labels[row]] == clusters[row]) for row in rows])
    return precision, recall, 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize(("clusters", "labels"), [pytest.param(*case[1:], id=case[0]) for case in cases()])
def test_indices_equal_scikit_learn_and_the_slow_twin(clusters, labels):
    figures = {name: figure.value for name, figure in clustering(clusters, labels).items()}
    (_, wrong), (missed, right) = metrics.cluster.pair_confusion_matrix(labels, clusters)
    precision = right / (right + wrong) if right + wrong else 1.0
    recall = right / (right + missed) if right + missed else 1.0
    both = bcubed(clusters, labels)
    assert figures == pytest.approx(
        {
            "nmi": metrics.normalized_mutual_info_score(labels, clusters),
            "ami": metrics.adjusted_mutual_info_score(labels, clusters),
            "ari": metrics.adjusted_rand_score(labels, clusters),
            "bcubed_precision": both[0],
            "bcubed_recall": both[1],
            "bcubed_f": both[2],
            "pairwise_precision": precision,
            "pairwise_recall": recall,
            "pairwise_f": 2 * precision * recall / (precision + recall) if precision + recall else 0.0,
        },
        abs=1e-9,
    )


def test_left_out_is_the_index_without_the_classes_of_a_cluster():
    labels = np.arange(120) // 10
    # Classes 2n and 2n + 1 have most of their pictures in cluster n.
    clusters = np.where(np.arange(120) % 10 < 7, labels // 2, np.random.default_rng(0).integers(6, size=120))
    found = score_clustering(clusters, labels)["ami"].without
    for pair in range(6):
        kept = labels // 2 != pair
        assert found[pair] == pytest.approx(metrics.adjusted_mutual_info_score(labels[kept], clusters[kept]))


def test_many_groups_are_left_out_several_at_once():
    labels = np.arange(3000) // 3
    figures = score_clustering(np.arange(3000) // 6, labels)
    assert len(figures["nmi"].without) == 200
    assert figures["pairwise_precision"].figure().low > 0.3


def test_one_cluster_has_no_interval():
    assert clustering(np.zeros(20, dtype=np.int64), np.arange(20) // 4)["nmi"].low is None


def test_left_out_means_are_means():
    values = np.random.default_rng(0).random(40)
    ours = bootstrap_left_out(values.mean(), (values.sum() - values) / 39, n=40)
    plain = bootstrap_mean(values)
    assert [ours.value, ours.low, ours.high] == pytest.approx([plain.value, plain.low, plain.high])


def groups(seed=0, spread=0.2):
    generator = np.random.default_rng(seed)
    labels = np.arange(60) // 6
    return generator.normal(size=(10, 12))[labels] + spread * generator.normal(size=(60, 12)), labels


@pytest.mark.parametrize("stop", [{"clusters": 10}, {"threshold": 0.8}], ids=str)
def test_average_linkage_finds_groups_that_lie_apart(stop):
    vectors, labels = groups()
    assert clustering(average_linkage(vectors, **stop), labels)["ari"].value == 1.0


def test_k_means_finds_most_and_repeats_itself():
    vectors, labels = groups()
    clusters = k_means(vectors, 10, seed=1)
    assert clustering(clusters, labels)["nmi"].value > 0.85
    np.testing.assert_array_equal(clusters, k_means(vectors, 10, seed=1))


def test_constant_embeddings_cluster_as_one():
    assert len(set(average_linkage(np.ones((20, 3)), threshold=0.9).tolist())) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: clustering([], []), "no pictures"),
        (lambda: clustering([0, 1], [0]), "2 given for 1|1 given for 2"),
        (lambda: clustering([0.5], [0]), "expected whole numbers"),
        (lambda: k_means(np.eye(3), 4), "4 clusters of 3 embeddings"),
        (lambda: k_means(np.full((3, 2), np.nan), 2), "NaN"),
        (lambda: average_linkage(np.eye(3)), "either the number of clusters or a threshold"),
        (lambda: average_linkage(np.eye(3), clusters=0), "0 clusters"),
        (lambda: average_linkage(np.zeros((10_001, 1)), clusters=2), "at most 10,000"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InvalidInput, match=message):
        call()
