import itertools

import numpy as np
import pytest

from nearkin.calibration import drawn_pairs
from nearkin.calibration.drawn_pairs import draw_pairs

COUNTS = [1, 3, 2, 4, 1, 2, 3, 2, 2, 5, 2, 1, 3, 2]
IDS = np.repeat(np.arange(len(COUNTS)), COUNTS)
# The product of two of them tells which they are.
PRIMES = np.array([n for n in range(2, 200) if all(n % d for d in range(2, n))])[: len(IDS)]
PAIR = {int(PRIMES[i] * PRIMES[j]): (i, j) for i, j in itertools.combinations_with_replacement(range(len(IDS)), 2)}


def draw(seed=0, **options):
    pairs = draw_pairs(PRIMES[:, None].astype(np.float64), IDS, np.random.default_rng(seed), **options)
    return pairs, np.array([PAIR[round(score)] for score in pairs.scores])


def shares(rows, weights):
    """The weight of each pair of pictures."""
    found = {}
    for pair, weight in zip(map(tuple, rows.tolist()), weights.tolist(), strict=True):
        found[pair] = found.get(pair, 0.0) + weight
    return found


@pytest.mark.parametrize("weighting", ["comparisons", "classes"])
@pytest.mark.parametrize("folds", [2, 5])
def test_comparisons_lie_within_folds(weighting, folds):
    pairs, rows = draw(weighting=weighting, folds=folds)
    classes = IDS[rows]
    assert ((classes[:, 0] == classes[:, 1]) == pairs.same).all()
    assert (rows[:, 0] != rows[:, 1]).all()
    fold = {}
    for one, number in zip(classes.ravel().tolist(), np.repeat(pairs.folds, 2).tolist(), strict=True):
        assert fold.setdefault(one, number) == number
    # Every fold has its share of all classes, and of those with two pictures.
    for least in (1, 2):
        numbers = np.bincount([fold[one] for one, count in enumerate(COUNTS) if count >= least], minlength=folds)
        assert numbers.max() - numbers.min() <= 1
    for kind in (pairs.same, ~pairs.same):
        assert pairs.weights[kind].sum() == pytest.approx(0.5)


def test_folds_are_drawn():
    (one, _), (other, _) = draw(0), draw(1)
    assert one.folds[one.same].tolist() != other.folds[other.same].tolist()


def test_all_comparisons_within_classes_are_there_once():
    pairs, rows = draw()
    within = [pair for pair in itertools.combinations(range(len(IDS)), 2) if IDS[pair[0]] == IDS[pair[1]]]
    assert sorted(map(tuple, rows[pairs.same].tolist())) == within
    assert pairs.weights[pairs.same] == pytest.approx(0.5 / len(within))


def test_so_many_within_classes_are_drawn_alike(monkeypatch):
    monkeypatch.setattr(drawn_pairs, "_DIFFERENT", 50)
    # There are 31.
    monkeypatch.setattr(drawn_pairs, "_SAME", 31)
    assert len(shares(draw()[1][:31], np.ones(31))) == 31
    monkeypatch.setattr(drawn_pairs, "_SAME", 20)
    assert draw()[0].same.sum() == 20
    total = {}
    for seed in range(60):
        pairs, rows = draw(seed)
        for pair, weight in shares(rows[pairs.same], pairs.weights[pairs.same]).items():
            total[pair] = total.get(pair, 0.0) + weight
    assert len(total) == 31
    assert np.array(list(total.values())) == pytest.approx(30 / 31, rel=0.5)


def test_comparisons_of_different_classes_are_drawn_alike():
    pairs, rows = draw(folds=2)
    found = shares(rows[~pairs.same], pairs.weights[~pairs.same])
    fold = dict(zip(IDS[rows[:, 0]].tolist(), pairs.folds.tolist(), strict=True))
    expected = {
        (i, j)
        for i, j in itertools.combinations(range(len(IDS)), 2)
        if IDS[i] != IDS[j] and fold[IDS[i]] == fold[IDS[j]]
    }
    assert set(found) == expected
    assert np.array(list(found.values())) == pytest.approx(0.5 / len(expected), rel=0.35)
    assert (~pairs.same).sum() == 2 * 20_000


def test_classes_weigh_alike():
    pairs, rows = draw(weighting="classes", folds=2)
    same = shares(IDS[rows[pairs.same]], pairs.weights[pairs.same])
    repeated = [(one, one) for one, count in enumerate(COUNTS) if count > 1]
    assert sorted(same) == repeated
    assert np.array(list(same.values())) == pytest.approx(0.5 / len(repeated))
    # So many of each class as it has comparisons, at most twenty.
    drawn = np.bincount(IDS[rows[pairs.same][:, 0]], minlength=len(COUNTS))
    assert drawn.tolist() == [count * (count - 1) // 2 for count in COUNTS]
    different = shares(IDS[rows[~pairs.same]], pairs.weights[~pairs.same])
    # Seven classes in either fold.
    assert len(different) == 2 * 21
    assert np.array(list(different.values())) == pytest.approx(0.5 / 42, rel=0.15)


def test_pictures_of_a_class_are_drawn_alike_where_classes_weigh_alike(monkeypatch):
    pairs, rows = draw(weighting="classes", folds=2)
    met = np.bincount(rows[~pairs.same].ravel(), minlength=len(IDS)) * np.array(COUNTS)[IDS]
    assert met == pytest.approx(met.mean(), rel=0.15)
    monkeypatch.setattr(drawn_pairs, "_SAME_OF_CLASS", 2)
    monkeypatch.setattr(drawn_pairs, "_DIFFERENT", 50)
    total = np.zeros(len(IDS))
    for seed in range(200):
        pairs, rows = draw(seed, weighting="classes")
        assert np.bincount(IDS[rows[pairs.same][:, 0]]).max() == 2
        np.add.at(total, rows[pairs.same].ravel(), 1)
    for one, count in enumerate(COUNTS):
        if count > 1:
            assert total[one == IDS] == pytest.approx(total[one == IDS].mean(), rel=0.25)
