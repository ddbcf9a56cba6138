import numpy as np
import pytest

from nearkin.arrays import unit
from nearkin.gallery.index import build


@pytest.mark.parametrize("dim", [1, 7, 30])
def test_numbers_that_do_not_part_into_whole_groups(dim: int) -> None:
    vectors = np.random.default_rng(0).standard_normal((900, dim), dtype=np.float32)
    index = build(vectors, "pq", metric="euclidean", recall=0.9)
    assert index.recall is not None
    assert index.recall.value >= 0.88
    assert (index.search(vectors, 1)[1][:, 0] == np.arange(900)).mean() > 0.9


def test_no_less_right_far_from_the_origin() -> None:
    vectors = unit(np.random.default_rng(0).standard_normal((900, 16), dtype=np.float32)) + np.float32(50)
    index = build(vectors, "pq", metric="euclidean", recall=0.9)
    assert index.recall is not None
    assert index.recall.value >= 0.88
