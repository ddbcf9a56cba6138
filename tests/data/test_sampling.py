"""Batches: every picture once an epoch, m of a class together, the same for the same seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearkin.data.sampling import m_per_class_batches, shuffled_batches
from nearkin.errors import InvalidInput


@given(count=st.integers(1, 200), batch_size=st.integers(1, 50), seed=st.integers(0, 3))
def test_shuffled_covers_all_rows_once(count: int, batch_size: int, seed: int) -> None:
    batches = shuffled_batches(count, batch_size, seed=seed)
    assert sorted(np.concatenate(batches).tolist()) == list(range(count))
    assert min(map(len, batches)) >= min(batch_size, count)


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
    with pytest.raises(InvalidInput, match=f"in a batch: {m}, wanted 1 to the batch size, {batch_size}"):
        m_per_class_batches(np.zeros(4, dtype=np.int64), batch_size, m, seed=0)
