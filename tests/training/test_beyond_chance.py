"""Better by more than chance: by its formula, and where there is nothing to go by."""

import numpy as np
import pytest

from nearkin.arrays import unit
from nearkin.evaluation.metrics.retrieval import score_queries
from nearkin.training.beyond_chance import is_better


def drawn(classes: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of 5 pictures a class around directions of their own, and class ids."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), 5)
    return unit(random.normal(size=(classes, 16))[labels] + noise * random.normal(size=(5 * classes, 16))), labels


def errors_of_gain(new: np.ndarray, old: np.ndarray, labels: np.ndarray) -> float:
    """Gain over its standard error, by loops: classes are what is drawn, and each brings its queries along."""
    gains: dict[int, list[float]] = {}
    after, before = (score_queries(vectors, labels, ks=[1]) for vectors in (new, old))
    for row, label in enumerate(after.labels):
        gain = [after.values[name][row] - before.values[name][row] for name in ("recall@1", "map@r")]
        gains.setdefault(int(label), []).append(sum(gain) / 2)
    count = sum(len(one) for one in gains.values())
    mean = sum(sum(one) for one in gains.values()) / count
    squares = sum(sum(gain - mean for gain in one) ** 2 for one in gains.values())
    return mean / ((squares * len(gains) / (len(gains) - 1)) ** 0.5 / count)


@pytest.mark.parametrize("seed", range(6))
def test_by_more_than_a_standard_error(seed: int) -> None:
    old, labels = drawn(12, 1.2, seed)
    new = unit(old + 0.3 * np.random.default_rng(seed).normal(size=old.shape))
    for one, other in ((new, old), (old, new)):
        assert is_better(one, other, labels) == (errors_of_gain(one, other, labels) > 1)


def test_what_is_plainly_better() -> None:
    old, labels = drawn(12, 1.2, 0)
    new, _ = drawn(12, 0.2, 0)
    assert is_better(new, old, labels)
    assert not is_better(old, new, labels)
    assert not is_better(old, old, labels)


def test_one_class_says_nothing_of_others() -> None:
    labels = np.array([0, 0, 1, 2])
    new, old = np.eye(3)[labels], np.eye(3)[[0, 1, 1, 2]]
    assert not is_better(new, old, labels)
