import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from sklearn.metrics import roc_auc_score, roc_curve

from nearkin.arrays import unit
from nearkin.errors import InvalidInput
from nearkin.evaluation.metrics.all_pairs import score_all_pairs, verification_all_pairs
from nearkin.evaluation.metrics.verification import (
    best_threshold,
    count_scores,
    score_pairs,
    supported_fars,
    verification,
)


def adversarial():
    generator = np.random.default_rng(0)
    same = generator.random(1500) < 0.3
    scores = generator.normal(size=1500) + 1.5 * same
    yield "random", scores, same
    yield "many ties", np.round(scores), same
    yield "all equal", np.zeros(1500), same
    yield "apart", same.astype(float), same
    yield "worse than chance", -scores, same
    yield "apart but for ties", np.round(2 * scores) + 5 * same, same
    yield "one of each", np.array([0.3, 0.7]), np.array([True, False])


@pytest.mark.parametrize(("scores", "same"), [pytest.param(*case[1:], id=case[0]) for case in adversarial()])
def test_rates_equal_scikit_learn(scores, same):
    counts = count_scores(scores, same)
    far, tar, thresholds = counts.roc()
    theirs = roc_curve(same, scores, drop_intermediate=False)
    for ours, reference in zip((far, tar, thresholds), theirs, strict=True):
        np.testing.assert_allclose(ours, reference)
    assert counts.auc() == pytest.approx(roc_auc_score(same, scores))
    assert counts.eer() == pytest.approx(brentq(lambda x: 1 - x - np.interp(x, *theirs[:2]), 0, 1), abs=1e-9)
    for rate in (0.0, 0.01, 0.1, 0.5, 1.0):
        assert counts.tar(counts.threshold(rate)) == pytest.approx(theirs[1][theirs[0] <= rate + 1e-12].max())


def slow_accuracy(scores, same, folds):
    """The protocol of LFW: every threshold between two scores is tried on the other folds."""
    accuracies = []
    for fold in sorted(set(folds.tolist())):
        others = folds != fold
        tries = np.unique(scores[others])
        tries = np.concatenate([[tries[0] - 1], (tries[1:] + tries[:-1]) / 2, [tries[-1] + 1]])
        best = max(tries, key=lambda t: ((scores[others] >= t) == same[others]).mean())
        accuracies.append(((scores[~others] >= best) == same[~others]).mean())
    return np.mean(accuracies)


@pytest.mark.parametrize("digits", [0, 1, 9])
def test_accuracy_by_the_protocol_of_lfw(digits):
    generator = np.random.default_rng(digits)
    same = generator.random(300) < 0.5
    scores = np.round(generator.normal(size=300) + same, digits)
    folds = np.arange(300) * 7 // 300  # folds of unequal size
    figure = verification(scores, same, folds=folds)["accuracy"]
    assert figure.value == pytest.approx(slow_accuracy(scores, same, folds))
    assert figure.low < figure.value < figure.high


def test_best_threshold_of_equals():
    assert best_threshold(np.array([1.0, 1.0]), np.array([True, False])) in (0.0, 2.0)


def test_rates_that_the_pairs_cannot_carry_are_left_out_or_refused():
    assert supported_fars(10_000)[0] == [1e-1, 1e-2, 1e-3]
    same = np.arange(400) < 200
    figures = verification(same * 1.0, same)
    assert [name for name in figures if "far" in name] == ["tar@far=1e-1"]
    with pytest.raises(InvalidInput, match="1e-3 needs at least 10,000 comparisons of different classes; you have 200"):
        verification(same * 1.0, same, fars=[1e-3])


def test_comparisons_of_two_classes_say_nothing_of_others():
    """Two hundred comparisons of two classes carry a rate; but no interval, for nothing shows how classes differ."""
    same = np.arange(400) < 200
    classes = np.where(same[:, None], [0, 0], [0, 1])
    scores = same + np.random.default_rng(0).normal(size=400)
    figure = verification(scores, same, classes=classes)["tar@far=1e-1"]
    assert (figure.low, figure.high) == (None, None)


def test_pairs_that_share_people_tell_less():
    generator = np.random.default_rng(0)
    people = np.stack([np.arange(600), np.arange(600) + 1000], axis=1)
    same = np.arange(600) < 300
    people[same, 1] = people[same, 0]
    scores = same + 0.7 * generator.normal(size=600)
    alone = verification(scores, same, classes=people)["auc"]
    again = verification(np.repeat(scores, 5), np.repeat(same, 5), classes=np.repeat(people, 5, axis=0))["auc"]
    assert again.value == pytest.approx(alone.value)
    assert again.high - again.low == pytest.approx(alone.high - alone.low, rel=1e-6)
    assert verification(np.repeat(scores, 5), np.repeat(same, 5))["auc"].low > again.low


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": [0.1, np.nan, 0.2]}, "1 of 3 scores are NaN or infinite, the first is that of pair 1"),
        ({"same": [True, True, True]}, "none of the 3 pairs is different"),
        ({"same": [True, False]}, "expected numbers"),
        ({"classes": [[0, 1], [0, 1], [1, 1]]}, r"pair 0 is of classes \[0, 1\], but same is True"),
        ({"classes": [0, 1, 2]}, "expected whole numbers"),
        ({"folds": [1, 1, 1]}, "at least two of them"),
        ({"fars": [0.0]}, "more than 0 and less than 1"),
    ],
)
def test_bad_input_is_named(change, message):
    arguments = {"scores": [0.9, 0.1, 0.3], "same": [True, False, False]} | change
    with pytest.raises(InvalidInput, match=message):
        verification(arguments.pop("scores"), arguments.pop("same"), **arguments)


def classes(case):
    generator = np.random.default_rng(1)
    labels = generator.integers(40, size=200)
    vectors = generator.normal(size=(40, 8))[labels] + generator.normal(size=(200, 8))
    if case == "one large class":
        labels = np.where(np.arange(200) < 120, 3, labels)
    if case == "all equal":
        vectors = np.ones((200, 5))
    if case == "zero vectors":
        vectors = np.zeros((200, 5))
    if case == "ids above 2^24":
        labels = labels + 2**40
    if case == "duplicates":
        vectors = vectors[np.arange(200) % 90]
    if case == "two classes":
        labels = (labels > 20).astype(np.int64)
    return vectors, labels


CASES = ("random", "one large class", "all equal", "zero vectors", "ids above 2^24", "duplicates", "two classes")


@pytest.mark.parametrize(("case", "block"), [*((case, 8000) for case in CASES), ("one large class", 2000)])
def test_all_pairs_equal_the_list_of_them(case, block, monkeypatch):
    monkeypatch.setattr("nearkin.calibration.pair_scores._BLOCK", block)
    vectors, labels = classes(case)
    other = vectors + 0.5 * np.random.default_rng(2).normal(size=vectors.shape)
    found = score_all_pairs([vectors, other], labels)
    i, j = np.triu_indices(len(labels), 1)
    expected = []
    for one in (vectors, other):
        unit_vectors = unit(one.astype(np.float32))
        scores = np.rint((unit_vectors @ unit_vectors.T)[i, j].astype(np.float64) * 2**20) / 2**20
        expected.append(score_pairs(scores, labels[i] == labels[j], classes=np.stack([labels[i], labels[j]], axis=1)))
    assert list(found[0]) == list(expected[0])
    for name in found[0]:
        for ours, theirs in (
            *((found[model][name].figure(), expected[model][name].figure()) for model in (0, 1)),
            (found[0][name].minus(found[1][name]), expected[0][name].minus(expected[1][name])),
        ):
            values = [[f.value, f.low, f.high, f.n] for f in (ours, theirs)]
            # A pair or two may fall on the next step, as the matrix product rounds with its shape.
            assert values[0] == pytest.approx(values[1], rel=5e-3, abs=5e-4)


def test_constant_embeddings_tell_nothing_apart():
    figures = verification_all_pairs(np.tile(np.random.default_rng(0).normal(size=33), (60, 1)), np.arange(60) // 3)
    assert (figures["auc"].value, figures["eer"].value, figures["tar@far=1e-1"].value) == (0.5, 0.5, 0.0)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_row_order_and_relabelling_change_nothing(seed):
    generator = np.random.default_rng(seed)
    vectors, labels = classes("random")
    order, names = generator.permutation(200), generator.permutation(40)
    before, after = (
        verification_all_pairs(vectors, labels),
        verification_all_pairs(vectors[order], names[labels][order]),
    )
    for name, figure in before.items():
        assert [after[name].value, after[name].low] == pytest.approx([figure.value, figure.low], rel=1e-2, abs=1e-3)


def test_all_pairs_name_bad_input():
    with pytest.raises(InvalidInput, match="1 classes, the largest with 4 pictures"):
        verification_all_pairs(np.eye(4), np.zeros(4, dtype=np.int64))
    with pytest.raises(InvalidInput, match="4 classes, the largest with 1 pictures"):
        verification_all_pairs(np.eye(4), np.arange(4))
    with pytest.raises(InvalidInput, match="4 of 4 rows hold NaN"):
        verification_all_pairs(np.full((4, 2), np.nan), np.array([0, 0, 1, 1]))
    with pytest.raises(InvalidInput, match="needs at least 1,000 comparisons of different classes; you have 4"):
        verification_all_pairs(np.eye(4), np.array([0, 0, 1, 1]), fars=[1e-2])
    with pytest.raises(InvalidInput, match="4 given for 3"):
        verification_all_pairs(np.eye(3), np.array([0, 0, 1, 1]))
