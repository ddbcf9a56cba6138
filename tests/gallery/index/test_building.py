import numpy as np
import pytest

from nearkin.arrays import unit
from nearkin.errors import UnknownName
from nearkin.gallery.index import KINDS, build, building, measure_recall

IN_AUTO = {name for name, kind in KINDS.items() if kind.in_auto}
VECTORS = unit(np.random.default_rng(0).standard_normal((2000, 16), dtype=np.float32))


def test_unknown_kind():
    with pytest.raises(UnknownName, match="unknown kind of index 'hsnw': did you mean hnsw"):
        build(VECTORS, "hsnw")


def test_few_vectors_are_searched_exactly_whatever_was_asked_for():
    index = build(VECTORS[:255], "ivf")
    assert index.kind == "exact"
    assert index.recall is None


def test_a_higher_target_takes_more_effort():
    low, high = (build(VECTORS, "lsh", recall=recall) for recall in (0.7, 0.99))
    assert low.effort < high.effort
    assert low.recall.value < high.recall.value
    assert 0.7 <= low.recall.value < 0.95


def test_tuned_on_given_queries_and_judged_on_others():
    queries = unit(np.random.default_rng(1).standard_normal((80, 16), dtype=np.float32))
    index = build(VECTORS, "ivf", recall=0.9, queries=queries)
    assert index.recall.n == 40
    assert len(index.search(queries[:1], 2000)[1][0]) == 2000


def test_held_out_vectors_are_in_the_index_at_the_end():
    index = build(VECTORS, "hnsw", recall=0.9)
    assert (index.search(VECTORS, 1)[1][:, 0] == np.arange(2000)).mean() > 0.98


def test_same_seed_same_index():
    first, second = (build(VECTORS, "ivf", recall=0.9, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first.search(VECTORS[:50], 10)[1], second.search(VECTORS[:50], 10)[1])
    assert first.recall == second.recall


def test_recall_counts_any_of_equal_scores():
    """All vectors equal: whatever is found is right."""
    index = build(np.ones((300, 4), np.float32) / 2, "lsh", recall=0.5)
    assert measure_recall(index, np.ones((3, 4), np.float32) / 2).value == 1


def test_auto_is_exact_where_that_is_fast():
    assert build(VECTORS, "auto").kind == "exact"


@pytest.mark.parametrize(("worth", "kinds"), [(1e-9, {"exact"}), (1e9, IN_AUTO)])
def test_auto_takes_an_approximate_kind_only_where_it_gains(worth, kinds, monkeypatch):
    monkeypatch.setattr(building, "AUTO_IS_EXACT_UP_TO", 1000)
    monkeypatch.setattr(building, "_TRIAL", 800)
    monkeypatch.setattr(building, "_WORTH_IT", 1 / worth)
    index = build(VECTORS, "auto", recall=0.9)
    assert index.kind in kinds
    assert len(index) == 2000
    assert index.recall is None or index.recall.value > 0.88
