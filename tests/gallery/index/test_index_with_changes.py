"""An index that follows its items, against an index built from them again."""

import numpy as np
import pytest

from nearkin.gallery.index import ExactIndex, build
from nearkin.gallery.index.index_with_changes import IndexWithChanges, match_items


def items(n, seed):
    generator = np.random.default_rng(seed)
    # Whole numbers: many scores are equal, and ids decide.
    return generator.permutation(3 * n)[:n], generator.integers(-2, 3, (n, 4)).astype(np.float32)


def slow_search(ids, vectors, query, k, allowed):
    rows = [row for row in range(len(ids)) if allowed[row]]
    return sorted(rows, key=lambda row: (-float(vectors[row] @ query), ids[row]))[:k]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["exact", "lsh"])
def test_finds_what_sorting_finds(seed, kind):
    generator = np.random.default_rng(seed)
    ids, vectors = items(400, seed)
    order = np.argsort(ids)
    index = build(vectors[order], kind)
    kept = np.flatnonzero(generator.random(400) < 0.9)
    now = generator.permutation(np.concatenate([kept, np.arange(400, 430)]))
    all_ids = np.concatenate([ids, np.arange(5000, 5030)])
    all_vectors = np.concatenate([vectors, items(30, seed + 100)[1]])
    marks = np.zeros(430, dtype=np.int64)
    changed = kept[:5]  # new vectors under old ids
    all_vectors[changed], marks[changed] = items(5, seed + 200)[1], 1
    ids_now, vectors_now = all_ids[now], all_vectors[now]
    rows, new_rows = match_items(ids[order], np.zeros(400, np.int64), ids_now, marks[now])
    changed_index = IndexWithChanges(index, rows, ids_now, new_rows, ExactIndex(vectors_now[new_rows]))
    assert len(changed_index) == len(now)
    assert changed_index.changed == pytest.approx((400 - len(kept) + 5 + 35) / 400)
    np.testing.assert_array_equal(changed_index.vectors(np.arange(len(now))), vectors_now)
    queries = items(5, seed + 1)[1]
    for share in (1.0, 0.3):
        allowed = generator.random(len(now)) < share
        scores, found = changed_index.search(queries, 8, None if share == 1 else allowed)
        for query, row, score in zip(queries, found, scores, strict=True):
            expected = slow_search(ids_now, vectors_now, query, 8, allowed)
            np.testing.assert_array_equal(score, vectors_now[expected] @ query)
            if kind == "exact":
                assert row.tolist() == expected
            assert allowed[row].all()


def test_all_items_gone():
    index = ExactIndex(np.eye(3, dtype=np.float32))
    nothing = np.empty(0, np.int64)
    rows, new = match_items(np.arange(3), np.zeros(3, np.int64), nothing, nothing)
    changed_index = IndexWithChanges(index, rows, nothing, new, ExactIndex(np.empty((0, 3), np.float32)))
    assert changed_index.search(np.eye(3, dtype=np.float32), 2)[1].tolist() == [[-1, -1]] * 3
    assert changed_index.search(np.eye(3, dtype=np.float32), 2, np.empty(0, bool))[1].tolist() == [[-1, -1]] * 3
    assert changed_index.changed == 1
