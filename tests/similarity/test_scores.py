import jaxtyping
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearkin.errors import InvalidInput
from nearkin.similarity import score_blocks, top_k


def slow_top_k(queries, keys, k, exclude, allowed):
    """Each query's whole list, sorted by score and then by index."""
    scores = np.full((len(queries), min(k, len(keys))), -np.inf)
    rows = np.full(scores.shape, -1)
    for q, query in enumerate(queries):
        found = sorted((-float(query @ key), i) for i, key in enumerate(keys) if allowed[i] and i != exclude[q])
        for position, (score, row) in enumerate(found[: scores.shape[1]]):
            scores[q, position], rows[q, position] = -score, row
    return scores, rows


@given(
    st.integers(0, 10**6), st.integers(0, 6), st.integers(0, 40), st.integers(1, 45), st.sampled_from([3, 64, 1 << 24])
)
def test_equals_the_slow_twin_with_ties(seed, count, total, k, block):
    generator = np.random.default_rng(seed)
    # Small whole numbers: products are exact, and ties many.
    queries = generator.integers(-2, 3, size=(count, 3)).astype(np.float32)
    keys = generator.integers(-2, 3, size=(total, 3)).astype(np.float32)
    exclude = generator.integers(-1, max(total, 1), size=count)
    allowed = generator.random(total) < 0.8
    expected = slow_top_k(queries, keys, k, exclude, allowed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nearkin.similarity.scores.BLOCK_SCORES", block)
        patch.setattr("nearkin.similarity.scores.KEY_BLOCK", block)
        scores, rows = top_k(queries, keys, k, exclude=exclude, allowed=allowed)
    np.testing.assert_array_equal(scores, expected[0])
    np.testing.assert_array_equal(rows, expected[1])


def test_many_equal_keys_come_by_index():
    scores, rows = top_k(np.ones((2, 4), dtype=np.float32), np.ones((500, 4), dtype=np.float32), 7)
    assert rows.tolist() == [list(range(7))] * 2
    assert set(scores.ravel().tolist()) == {4.0}


def test_those_above_many_equal_keys_come_first():
    keys = np.ones((500, 4), dtype=np.float32)
    keys[[100, 450]] = 2
    scores, rows = top_k(np.ones((2, 4), dtype=np.float32), keys, 7)
    assert rows.tolist() == [[100, 450, 0, 1, 2, 3, 4]] * 2
    assert scores.tolist() == [[8, 8, 4, 4, 4, 4, 4]] * 2


@pytest.mark.parametrize("k", [3, 12])
def test_equals_a_full_sort_on_random_vectors(k):
    generator = np.random.default_rng(0)
    queries, keys = (generator.normal(size=(rows, 32)).astype(np.float32) for rows in (300, 2000))
    scores, rows = top_k(queries, keys, k)
    product = queries @ keys.T
    np.testing.assert_array_equal(rows, np.argsort(-product, axis=1, kind="stable")[:, :k])
    np.testing.assert_allclose(scores, -np.sort(-product, axis=1)[:, :k], rtol=1e-5)


def test_a_sum_that_is_beyond_float32_on_its_way():
    """Its score is 0, and was infinite, of either sign, or no number at all, as the product added it up."""
    keys = -np.ones((600, 2), dtype=np.float32)
    keys[[5, 300, 599]] = [[3e38, -3e38], [1, 1], [-3e38, 3e38]]
    queries = np.array([[3e38, 3e38], [1, 1]], dtype=np.float32)
    for k in (1, 2, 3):
        scores, rows = top_k(queries, keys, k)
        assert rows.tolist() == [[300, 5, 599][:k]] * 2
        assert scores.tolist() == [[np.inf, 0, 0][:k], [2, 0, 0][:k]]
    for row in (5, 599):
        others = np.tile(np.array([1, 0], np.float32), (600, 1))
        others[7] = keys[row]
        assert top_k(queries[:1], others, 1)[1].tolist() == [[0]]
        assert top_k(queries[:1], others, 600)[1][0, -1] == 7


def test_score_blocks_make_the_whole_product(monkeypatch):
    monkeypatch.setattr("nearkin.similarity.scores.BLOCK_SCORES", 50)
    queries, keys = np.random.default_rng(0).normal(size=(2, 17, 4)).astype(np.float32)
    blocks = [(block, scores.copy()) for block, scores in score_blocks(queries, keys)]
    assert len(blocks) == 9
    np.testing.assert_allclose(np.concatenate([scores for _, scores in blocks]), queries @ keys.T, rtol=1e-5)


@pytest.fixture
def without_shape_checks():
    """Calls as a user makes them, whose shapes nothing has checked."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("without_shape_checks")
def test_bad_input_is_named():
    keys = np.eye(3, dtype=np.float32)
    with pytest.raises(InvalidInput, match="k is 0"):
        top_k(keys, keys, 0)
    with pytest.raises(InvalidInput, match="queries have 2 dimensions, keys 3"):
        top_k(keys[:, :2], keys, 1)
    with pytest.raises(InvalidInput, match="queries have 2 dimensions, keys 3"):
        next(score_blocks(keys[:, :2], keys))
