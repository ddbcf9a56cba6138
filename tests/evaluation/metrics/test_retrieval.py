from collections import defaultdict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from sklearn.metrics import average_precision_score, ndcg_score
from sklearn.neighbors import KNeighborsClassifier

from nearkin.arrays import unit
from nearkin.errors import InvalidInput
from nearkin.evaluation.metrics.retrieval import retrieval, retrieval_by_chance, roles, score_queries


def slow_retrieval(embeddings, labels, is_query, is_gallery, ks):
    """The definitions, one query at a time, over a sorted list; of equal scores the wrong answer comes first."""
    vectors = unit(embeddings)
    values = defaultdict(list)
    for query in np.flatnonzero(is_query):
        answers = [row for row in np.flatnonzero(is_gallery) if row != query]
        answers.sort(key=lambda row: (-round(float(vectors[query] @ vectors[row]), 5), labels[row] == labels[query]))
        right = [bool(labels[row] == labels[query]) for row in answers]
        r = sum(right)
        if not r:
            continue
        for k in ks:
            values[f"recall@{k}"].append(float(any(right[:k])))
        values["precision@1"].append(float(right[0]))
        values["r_precision"].append(sum(right[:r]) / r)
        values["map@r"].append(sum(sum(right[: i + 1]) / (i + 1) for i in range(r) if right[i]) / r)
        values["map"].append(sum(sum(right[: i + 1]) / (i + 1) for i in range(len(right)) if right[i]) / r)
        for k in ks[1:]:
            most = sum(1 / np.log2(i + 2) for i in range(min(r, k)))
            values[f"ndcg@{k}"].append(sum(1 / np.log2(i + 2) for i in range(len(right[:k])) if right[i]) / most)
    return {name: np.mean(column) for name, column in values.items()}


def clusters(seed, classes=12, each=5, dim=4, spread=0.8):
    generator = np.random.default_rng(seed)
    labels = generator.integers(classes, size=classes * each)
    return generator.normal(size=(classes, dim))[labels] + spread * generator.normal(size=(len(labels), dim)), labels


def adversarial():
    generator = np.random.default_rng(1)
    plain, labels = clusters(0)
    yield "random", plain, labels
    yield "grid of few points: many ties", generator.integers(-1, 2, size=(60, 3)).astype(float), labels
    yield "all equal", np.ones((60, 7)), labels
    yield "zero vectors", np.zeros((60, 4)), labels
    yield "one class", plain, np.zeros(60, dtype=np.int64)
    yield "duplicates of other classes", np.concatenate([plain[:30], plain[:30]]), labels
    yield "ids above 2^24", plain, labels + 2**40
    yield "one class of 50", plain, np.where(np.arange(60) < 50, 0, np.arange(60) // 2)
    yield "negative ids", plain, -labels - 1


@pytest.mark.parametrize(("embeddings", "labels"), [pytest.param(*case[1:], id=case[0]) for case in adversarial()])
@pytest.mark.parametrize("with_roles", [False, True])
def test_equals_the_slow_twin(embeddings, labels, with_roles):
    generator = np.random.default_rng(2)
    is_query, is_gallery = (generator.random((2, 60)) < 0.7) if with_roles else np.ones((2, 60), dtype=bool)
    ks = (1, 2, 5, 1000)
    figures = retrieval(embeddings, labels, is_query=is_query, is_gallery=is_gallery, ks=ks)
    expected = slow_retrieval(embeddings, labels, is_query, is_gallery, ks)
    expected |= {f"cmc@{k}": expected[f"recall@{k}"] for k in ks}
    assert {name: figure.value for name, figure in figures.items()} == pytest.approx(expected)


@pytest.mark.parametrize(("classes", "each"), [(40, 4), (3, 60)])
def test_equals_pytorch_metric_learning(classes, each):
    embeddings, labels = clusters(3, classes, each)
    vectors = torch.from_numpy(unit(embeddings)).float()

    def exact_neighbours(query, k, reference, ref_includes_query):
        scores = query @ reference.T
        scores.fill_diagonal_(-torch.inf)
        best = scores.topk(k, dim=1)
        return best.values, best.indices

    calculator = AccuracyCalculator(
        include=("precision_at_1", "r_precision", "mean_average_precision_at_r"),
        knn_func=exact_neighbours,
        kmeans_func=lambda *_: None,
        device=torch.device("cpu"),
    )
    theirs = calculator.get_accuracy(vectors, torch.from_numpy(labels))
    ours = retrieval(embeddings, labels)
    assert ours["precision@1"].value == pytest.approx(theirs["precision_at_1"])
    assert ours["r_precision"].value == pytest.approx(theirs["r_precision"])
    assert ours["map@r"].value == pytest.approx(theirs["mean_average_precision_at_r"])


def test_map_and_ndcg_equal_scikit_learn():
    embeddings, labels = clusters(7, each=9)
    scores = unit(embeddings) @ unit(embeddings).T
    found = score_queries(embeddings, labels, ks=(1, 4, 10))
    for position, query in enumerate(found.queries):
        others = np.arange(len(labels)) != query
        right, own = (labels == labels[query])[others], scores[query][others]
        assert found.values["map"][position] == pytest.approx(average_precision_score(right, own))
        for k in (4, 10):
            assert found.values[f"ndcg@{k}"][position] == pytest.approx(ndcg_score([right], [own], k=k))


def test_recall_at_1_is_the_accuracy_of_a_nearest_neighbour_classifier():
    embeddings, labels = clusters(4, each=20)
    is_query = np.arange(len(labels)) % 3 == 0
    model = KNeighborsClassifier(1, metric="cosine").fit(embeddings[~is_query], labels[~is_query])
    figures = retrieval(embeddings, labels, is_query=is_query, is_gallery=~is_query)
    assert figures["recall@1"].value == pytest.approx(model.score(embeddings[is_query], labels[is_query]))


@pytest.mark.parametrize("dim", [1, 3, 128, 500])
def test_constant_embeddings_find_nothing(dim):
    embeddings = np.tile(np.random.default_rng(0).normal(size=dim), (900, 1))
    figures = retrieval(embeddings, np.arange(900) // 3)
    assert {figure.value for metric, figure in figures.items() if metric != "map"} == {0.0}
    assert figures["map"].value == pytest.approx((1 / 898 + 2 / 899) / 2)


def test_blocks_change_nothing(monkeypatch):
    embeddings, labels = clusters(5, classes=20, each=40)
    whole = score_queries(embeddings, labels)
    monkeypatch.setattr("nearkin.similarity.scores.BLOCK_SCORES", 5000)
    parts = score_queries(embeddings, labels)
    for metric, values in whole.values.items():
        np.testing.assert_array_equal(values, parts.values[metric])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000))
def test_row_order_relabelling_and_rotation_change_nothing(seed):
    generator = np.random.default_rng(seed)
    embeddings, labels = clusters(seed)
    order = generator.permutation(len(labels))
    names = generator.permutation(100)
    rotation = np.linalg.qr(generator.normal(size=(4, 4)))[0]
    scale = generator.uniform(0.1, 10, size=(len(labels), 1))
    before = retrieval(embeddings, labels)
    after = retrieval((embeddings * scale @ rotation)[order], names[labels][order])
    for metric, figure in before.items():
        assert after[metric].value == pytest.approx(figure.value)


def test_a_query_with_both_roles_is_never_its_own_answer():
    embeddings = np.eye(3)[[0, 1, 2]]
    flags = np.array([True, True, True])
    figures = retrieval(embeddings, np.array([0, 0, 1]), is_query=flags, is_gallery=flags)
    assert figures["recall@1"].n == 2
    assert figures["recall@1"].value == 0.0


def test_queries_without_a_match_are_left_out_and_counted():
    who = roles(np.array([0, 0, 1, 2, 2]), is_gallery=np.array([True, True, True, True, False]))
    assert who.queries.tolist() == [0, 1, 4]
    assert who.right.tolist() == [1, 1, 1]
    assert who.answers.tolist() == [3, 3, 4]
    assert who.without_match == 2


def test_chance_is_the_mean_over_random_orders():
    generator = np.random.default_rng(0)
    labels = np.array([0] * 2 + [1] * 4 + [2] * 9 + [3])
    exact = retrieval_by_chance(labels, ks=(1, 3, 50))
    runs = [score_queries(generator.normal(size=(16, 12)), labels, ks=(1, 3, 50)).values for _ in range(300)]
    for metric, figure in exact.items():
        means = [run[metric].mean() for run in runs]
        error = np.std(means) / np.sqrt(len(means))
        assert abs(np.mean(means) - figure.value) < 4 * error + 1e-12
        assert figure.low is None


def test_progress_ends_at_all_queries():
    embeddings, labels = clusters(0)
    seen = []
    retrieval(embeddings, labels, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] == len(score_queries(embeddings, labels).queries)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embeddings": np.full((4, 2), np.nan)}, "4 of 4 rows hold NaN"),
        ({"labels": np.array([0, 1, 2, 3])}, "none of the 4 queries has another picture"),
        ({"labels": np.array([0, 0])}, "2 given for 4 vectors"),
        ({"ks": (0,)}, "expected a whole number from 1"),
        ({"is_query": np.array([True])}, r"is_query: bool of shape \(1,\), expected 4"),
        ({"is_query": np.zeros(4, dtype=bool)}, "none of the 0 queries"),
    ],
)
def test_bad_input_is_named(change, message):
    arguments = {"embeddings": np.eye(4), "labels": np.array([0, 0, 1, 1])} | change
    with pytest.raises(InvalidInput, match=message):
        retrieval(**arguments)
