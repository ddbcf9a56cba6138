import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nearkin.gallery.index import ExactIndex


@given(seed=st.integers(0, 10_000), n=st.integers(1, 40), k=st.integers(1, 50), directions=st.integers(1, 6))
def test_finds_what_sorting_finds_with_equal_scores_by_row(seed: int, n: int, k: int, directions: int) -> None:
    generator = np.random.default_rng(seed)
    # Few directions, so that most scores are equal; whole numbers, so that they are exactly equal.
    vectors = generator.integers(-1, 2, (directions, 4)).astype(np.float32)[generator.integers(0, directions, n)]
    query = generator.integers(-1, 2, 4).astype(np.float32)
    scores, rows = ExactIndex(vectors).search(query[None], k)
    expected = sorted(range(n), key=lambda row: (-float(vectors[row] @ query), row))[:k]
    assert rows[0, : len(expected)].tolist() == expected
    np.testing.assert_array_equal(scores[0, : len(expected)], vectors[expected] @ query)
    assert (rows[0, n:] == -1).all()
    assert np.isneginf(scores[0, n:]).all()
