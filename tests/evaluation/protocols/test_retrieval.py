import numpy as np
import pytest

from nearkin.arrays import unit
from nearkin.errors import InvalidInput
from nearkin.evaluation.metrics.retrieval import measure_retrieval, retrieval, retrieval_by_chance, roles, score_queries
from nearkin.evaluation.protocol import Embeddings, GroundTruth
from nearkin.evaluation.protocols.retrieval import PROTOCOL, RetrievalOptions


def market(seed=0, n=60, classes=9, cameras=3):
    generator = np.random.default_rng(seed)
    labels = generator.integers(classes, size=n)
    vectors = generator.normal(size=(classes, 6))[labels] + generator.normal(size=(n, 6))
    return vectors, labels, generator.integers(-1, cameras, size=n)


def slow_reid(vectors, labels, cameras, is_query, is_gallery):
    """Market-1501's protocol, one query at a time: junk is taken out of the ranking before anything is counted."""
    scores = unit(vectors) @ unit(vectors).T
    average_precision, first = [], []
    for query in np.flatnonzero(is_query):
        junk = (labels == labels[query]) & (cameras == cameras[query]) & (cameras[query] >= 0)
        junk[query] = True
        answers = np.flatnonzero(is_gallery & ~junk)
        good = labels[answers] == labels[query]
        if not good.any():
            continue
        order = np.lexsort([good, -scores[query, answers]])  # of equal scores the wrong ones first
        hits = good[order]
        average_precision.append(np.mean(np.arange(1, hits.sum() + 1) / (np.flatnonzero(hits) + 1)))
        first.append(int(np.argmax(hits)) + 1)
    return np.mean(average_precision), np.array(first)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("separate", [False, True])
def test_equals_the_protocol_of_market_1501(seed, separate):
    vectors, labels, cameras = market(seed)
    is_query = np.arange(60) % 3 == 0 if separate else np.ones(60, dtype=bool)
    is_gallery = ~is_query if separate else is_query
    figures = retrieval(vectors, labels, is_query=is_query, is_gallery=is_gallery, exclude_same=cameras)
    mean, first = slow_reid(vectors, labels, cameras, is_query, is_gallery)
    assert figures["map"].value == pytest.approx(mean)
    assert figures["map"].n == len(first)
    for k in (1, 5, 10):
        assert figures[f"cmc@{k}"].value == figures[f"recall@{k}"].value == pytest.approx(np.mean(first <= k))


def test_roles_count_what_is_left():
    labels, cameras = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 0, 0, 5])
    found = roles(labels, exclude_same=cameras)
    assert found.queries.tolist() == [0, 1, 2]
    assert found.right.tolist() == [1, 1, 2]
    assert found.answers.tolist() == [4, 4, 5]
    assert found.without_match == 3
    unknown = roles(labels, exclude_same=np.full(6, -1))
    np.testing.assert_array_equal(unknown.right, roles(labels).right)


def test_one_group_for_each_picture_changes_nothing():
    vectors, labels, _ = market(1)
    plain = score_queries(vectors, labels).values
    for groups in (np.arange(60), np.full(60, -1)):
        left_out = score_queries(vectors, labels, exclude_same=groups).values
        for metric in plain:
            np.testing.assert_array_equal(plain[metric], left_out[metric])


def test_chance_is_what_random_orders_give():
    _, labels, cameras = market(2)
    generator = np.random.default_rng(0)
    drawn = [
        score_queries(generator.normal(size=(60, 30)), labels, exclude_same=cameras).values["map"].mean()
        for _ in range(300)
    ]
    assert retrieval_by_chance(labels, exclude_same=cameras)["map"].value == pytest.approx(np.mean(drawn), abs=0.004)


def outcome(vectors, labels, cameras):
    truth = GroundTruth(labels, column={"camera": [None if c < 0 else str(c) for c in cameras]}.__getitem__)
    options = RetrievalOptions(exclude_same="camera")
    PROTOCOL.check(options, truth)
    return PROTOCOL.run([Embeddings(vectors)], truth, options, 0)


def test_the_protocol_leaves_out_and_says_so():
    vectors, labels, cameras = market()
    found = outcome(vectors, labels, cameras)
    expected = measure_retrieval(vectors, labels, exclude_same=cameras)
    assert found.estimates[0]["map"].figure() == expected["map"].figure()
    assert "Pictures of a query's own class and its own camera are no answers to it." in found.notes
    assert f"Pictures without an entry in camera, each taken as one of its own: {(cameras < 0).sum()}." in found.notes


def test_nothing_left_is_named():
    vectors, labels, _ = market()
    with pytest.raises(InvalidInput, match="no picture has another of its class with another camera in the gallery"):
        outcome(vectors, labels, np.zeros(60, dtype=np.int64))
    with pytest.raises(InvalidInput, match="no column 'camera'"):
        PROTOCOL.check(RetrievalOptions(exclude_same="camera"), GroundTruth(labels))
