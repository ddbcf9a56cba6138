"""Batches: every picture once an epoch, m of a class together, the same for the same seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearkin.errors import InvalidInput
from nearkin.training import samplers as sampling
from nearkin.training.samplers import m_per_class_batches, shuffled_batches


@settings(deadline=None)
@given(count=st.integers(1, 200), batch_size=st.integers(1, 50), seed=st.integers(0, 3))
def test_shuffled_covers_all_rows_once(count: int, batch_size: int, seed: int) -> None:
    batches = shuffled_batches(count, batch_size, seed=seed)
    assert sorted(np.concatenate(batches).tolist()) == list(range(count))
    assert min(map(len, batches)) >= min(batch_size, count)


@settings(deadline=None)
@given(
    labels=st.lists(st.integers(0, 9), min_size=1, max_size=200).map(np.array),
    m=st.integers(1, 6),
    more=st.integers(0, 30),
    seed=st.integers(0, 3),
)
def test_m_per_class_covers_all_rows_once(labels: np.ndarray, m: int, more: int, seed: int) -> None:
    batches = m_per_class_batches(labels, m + more, m, seed=seed)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(labels)))


def test_every_picture_has_a_positive_where_its_class_allows() -> None:
    labels = np.repeat(np.arange(30), np.arange(30) % 7 + 2)
    for batch in m_per_class_batches(labels, 32, 4, seed=5):
        _, counts = np.unique(labels[batch], return_counts=True)
        assert counts.min() >= 2


def test_equal_classes_fill_batches_exactly() -> None:
    labels = np.repeat(np.arange(64), 20)
    batches = m_per_class_batches(labels, 128, 4, seed=0)
    assert [len(batch) for batch in batches] == [128] * 10


def test_seed_decides() -> None:
    labels = np.repeat(np.arange(10), 8)

    def epoch(seed: int) -> list[int]:
        return np.concatenate(m_per_class_batches(labels, 16, 4, seed=seed)).tolist()

    assert epoch(1) == epoch(1)
    assert epoch(1) != epoch(2)


@pytest.mark.parametrize(("m", "batch_size"), [(0, 8), (9, 8)])
def test_m_out_of_range(m: int, batch_size: int) -> None:
    with pytest.raises(InvalidInput, match=f"in a batch: {m}, expected 1 to the batch size, {batch_size}"):
        m_per_class_batches(np.zeros(4, dtype=np.int64), batch_size, m, seed=0)


def test_a_class_is_spread_over_the_epoch() -> None:
    """Each fifth of the epoch holds a fifth of every class, so a batch meets no class twice while others wait."""
    labels = np.repeat(np.arange(32), 20)
    batches = m_per_class_batches(labels, 128, 4, seed=0)
    assert [len(np.unique(labels[batch])) for batch in batches] == [32] * 5


@settings(deadline=None)
@given(
    groups=st.lists(st.sampled_from("abcde"), min_size=1, max_size=120),
    batch_size=st.integers(4, 40),
    seed=st.integers(0, 3),
)
def test_grouped_covers_all_rows_once(groups: list[str], batch_size: int, seed: int) -> None:
    labels = np.arange(len(groups)) % 7
    batches = m_per_class_batches(labels, batch_size, 2, seed=seed, groups=groups)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(groups)))


def test_a_batch_holds_one_group() -> None:
    labels = np.repeat(np.arange(40), 10)
    groups = np.array(list("abcd")).repeat(100)
    batches = m_per_class_batches(labels, 24, 2, seed=1, groups=groups.tolist())
    assert all(len(set(groups[batch])) == 1 for batch in batches)
    assert 16 <= min(map(len, batches)) <= max(map(len, batches)) <= 32
    assert len({groups[batch[0]] for batch in batches[:6]}) > 1, "groups come in turn, not one after the other"


def test_small_groups_and_groups_of_one_class_share_batches() -> None:
    labels = np.concatenate([np.repeat(np.arange(10), 10), np.repeat(10, 50), np.repeat([11, 12], 3)])
    groups = ["large"] * 100 + ["one class"] * 50 + ["small"] * 6
    batches = m_per_class_batches(labels, 20, 2, seed=1, groups=groups)
    kinds = [{groups[row] for row in batch} for batch in batches]
    assert all(kind == {"large"} or "large" not in kind for kind in kinds)
    assert {"one class", "small"} in kinds


def test_hard_classes_are_brought_together() -> None:
    """Class means on a ring: with them, a batch holds neighbours; without, whoever comes."""
    labels = np.repeat(np.arange(64), 4)
    angle = 2 * np.pi * np.arange(64) / 64
    means = 3 * np.stack([np.cos(angle), np.sin(angle)], 1)

    def neighbours(class_means: np.ndarray | None) -> float:
        """How many of the two next on the ring a class meets in its batch."""
        met = 0
        for batch in m_per_class_batches(labels, 64, 4, seed=2, class_means=class_means):
            present = set(labels[batch])
            met += sum((label + step) % 64 in present for label in present for step in (-1, 1))
        return met / 64

    assert neighbours(means) > 1.4
    assert neighbours(None) < 0.8


@settings(deadline=None)
@given(labels=st.lists(st.integers(0, 9), min_size=1, max_size=100).map(np.array), seed=st.integers(0, 3))
def test_hard_classes_cover_all_rows_once(labels: np.ndarray, seed: int) -> None:
    batches = m_per_class_batches(labels, 12, 3, seed=seed, class_means=np.zeros((10, 4)))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(labels)))


def test_more_classes_than_are_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "NEAREST_AMONG", 16)
    labels = np.repeat(np.arange(100), 2)
    batches = m_per_class_batches(labels, 20, 2, seed=0, class_means=np.eye(100))
    assert sorted(np.concatenate(batches).tolist()) == list(range(200))


def test_groups_of_another_length() -> None:
    with pytest.raises(InvalidInput, match="groups: 3 given for 4 pictures"):
        m_per_class_batches(np.zeros(4, dtype=np.int64), 4, 2, seed=0, groups=["a"] * 3)
