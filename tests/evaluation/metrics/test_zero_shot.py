"""Zero-shot: a slow loop from the definition, right values by hand, ties, intervals, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearkin.errors import InvalidInput
from nearkin.evaluation import zero_shot
from nearkin.evaluation.metrics.zero_shot import score_zero_shot, zero_shot_by_chance


def slow(images, classes, labels, seen, penalty=0.0):
    """Class by class, picture by picture (Xian et al. 2018, section 3.3)."""
    scores = images @ classes.T - penalty * np.zeros(len(classes))
    present = sorted(set(labels.tolist()))
    unseen = [one for one in present if not seen[one]]
    known = [one for one in range(len(classes)) if seen[one]]

    def accuracy(of, among, penalised):
        means = []
        for one in of:
            right = []
            for row in np.flatnonzero(labels == one):
                own = {c: scores[row, c] - (penalty if penalised and seen[c] else 0) for c in among}
                right.append(max(own, key=own.get) == one)
            means.append(np.mean(right))
        return float(np.mean(means))

    shown = [one for one in present if seen[one]]
    found = {}
    if unseen:
        found["unseen"] = accuracy(unseen, unseen, False)
    if shown:
        found["seen"] = accuracy(shown, known, False)
    if unseen and shown:
        u, s = accuracy(unseen, unseen + known, True), accuracy(shown, unseen + known, True)
        found |= {"unseen_among_all": u, "seen_among_all": s, "harmonic_mean": 2 * u * s / (u + s) if u + s else 0.0}
    return found


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-0.5, 0.5))
def test_as_defined(seed, penalty):
    generator = np.random.default_rng(seed)
    count, several = generator.integers(1, 30), generator.integers(2, 9)
    images, classes = (generator.normal(size=(n, 3)) for n in (count, several))
    images, classes = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (images, classes))
    labels, seen = generator.integers(0, several, count), generator.random(several) < 0.5
    found = zero_shot(images, classes, labels, seen, seen_penalty=penalty)
    expected = slow(images, classes, labels, seen, penalty)
    assert {name: figure.value for name, figure in found.items()} == pytest.approx(expected)
    assert set(zero_shot_by_chance(labels, seen)) == set(expected)


def test_by_hand() -> None:
    """Two unseen classes, one of them drawn to a seen one; the seen class without a picture is a candidate too."""
    classes = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    seen = np.array([False, False, True, True])
    images = np.array([[9, 1, 0, 0], [1, 9, 0, 0], [0, 8, 9, 0], [0, 0, 9, 1], [0, 0, 1, 9]])
    labels = np.array([0, 1, 1, 2, 2])
    found = {name: figure.value for name, figure in zero_shot(images, classes, labels, seen).items()}
    assert found == {
        "unseen": 1.0,
        "seen": 0.5,
        "unseen_among_all": 0.75,
        "seen_among_all": 0.5,
        "harmonic_mean": pytest.approx(0.6),
    }
    # A penalty as large as the difference of cosines, (9 - 8) / sqrt(145), turns the one picture.
    with_penalty = zero_shot(images, classes, labels, seen, seen_penalty=0.09)
    assert with_penalty["unseen_among_all"].value == 1.0
    assert zero_shot(images, classes, labels, seen, seen_penalty=0.08)["unseen_among_all"].value == 0.75


def test_classes_count_alike_however_many_pictures_they_have() -> None:
    images = np.array([[1.0, 0.0]] * 9 + [[1.0, 0.0]])
    labels = np.array([0] * 9 + [1])
    assert zero_shot(images, np.eye(2), labels, np.zeros(2))["unseen"].value == 0.5


def test_classes_that_are_described_alike_share() -> None:
    classes = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    found = zero_shot(np.array([[1.0, 0.1], [0.1, 1.0], [1.0, 0.1]]), classes, np.array([0, 2, 1]), np.zeros(3))
    assert found["unseen"].value == pytest.approx((0.5 + 0.5 + 1) / 3)


def test_chance_is_what_random_vectors_reach() -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(12).repeat(400)
    seen = np.arange(15) >= 5
    found = zero_shot(generator.normal(size=(4800, 64)), generator.normal(size=(15, 64)), labels, seen)
    for name, figure in zero_shot_by_chance(labels, seen).items():
        if name != "harmonic_mean":
            assert found[name].value == pytest.approx(figure.value, rel=0.35), name
    assert zero_shot_by_chance(labels, seen)["unseen"].value == 1 / 5
    assert zero_shot_by_chance(labels, seen)["seen"].value == 1 / 10


def test_intervals_hold_for_other_classes() -> None:
    """Classes are easy or hard; 20 of each kind are drawn again and again."""
    generator = np.random.default_rng(1)
    held = {"unseen": 0, "harmonic_mean": 0}
    for draw in range(60):
        rates = generator.beta(2, 2, 40)
        seen = np.arange(40) >= 20
        labels = np.arange(40).repeat(20)
        right = generator.random(800) < rates[labels]
        # The right class, or the next one of the same kind.
        answer = np.where(right, labels, labels // 20 * 20 + (labels + 1) % 20)
        found = zero_shot(np.eye(40)[answer], np.eye(40), labels, seen, seed=draw)
        for name in held:
            held[name] += found[name].low <= 0.5 <= found[name].high
    assert min(held.values()) >= 53, held


def test_a_single_class_has_no_interval() -> None:
    found = zero_shot(np.eye(2), np.eye(2), np.array([0, 1]), np.array([False, True]))
    assert (found["harmonic_mean"].low, found["harmonic_mean"].high) == (None, None)


def test_two_models_are_compared_class_by_class() -> None:
    labels, seen = np.arange(6), np.arange(6) >= 3
    good, poor = (score_zero_shot(np.eye(6)[rows], np.eye(6), labels, seen) for rows in (labels, [0, 1, 1, 3, 4, 4]))
    difference = good["harmonic_mean"].minus(poor["harmonic_mean"])
    assert difference.value == pytest.approx(1 / 3)
    assert difference.low < 1 / 3 < difference.high


@pytest.mark.parametrize(
    ("labels", "seen", "message"),
    [
        ([0, 3], [0, 0], "labels name classes 0 to 3, 2 are described"),
        ([0, 1], [0, 0, 1], "seen: 3 flags for 2 classes"),
        ([0], [0, 0], "labels"),
    ],
)
def test_what_does_not_fit_is_refused(labels: list[int], seen: list[int], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        zero_shot(np.eye(2), np.eye(2), np.array(labels), np.array(seen, dtype=bool))


def test_no_pictures() -> None:
    with pytest.raises(InvalidInput, match="no pictures"):
        zero_shot(np.zeros((0, 2)), np.eye(2), np.zeros(0, dtype=int), np.zeros(2, dtype=bool))
