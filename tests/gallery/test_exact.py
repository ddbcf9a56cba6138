import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nearkin.gallery.exact import ExactIndex


@given(seed=st.integers(0, 10_000), n=st.integers(1, 40), k=st.integers(1, 50), directions=st.integers(1, 6))
def test_finds_what_sorting_finds_with_equal_scores_by_id(seed: int, n: int, k: int, directions: int) -> None:
    generator = np.random.default_rng(seed)
    # Few directions, so that most scores are equal; whole numbers, so that they are exactly equal.
    vectors = generator.integers(-1, 2, (directions, 4)).astype(np.float32)[generator.integers(0, directions, n)]
    ids = generator.permutation(n * 3)[:n]
    query = generator.integers(-1, 2, 4).astype(np.float32)
    scores, rows = ExactIndex(ids, vectors).search(query, k)
    expected = sorted(range(n), key=lambda row: (-float(vectors[row] @ query), ids[row]))[:k]
    assert rows.tolist() == expected
    np.testing.assert_array_equal(scores, vectors[expected] @ query)


def test_a_thousand_copies_come_by_id() -> None:
    ids = np.random.default_rng(0).permutation(1000)
    _, rows = ExactIndex(ids, np.ones((1000, 2), dtype=np.float32)).search(np.ones(2, dtype=np.float32), 5)
    assert ids[rows].tolist() == [0, 1, 2, 3, 4]
