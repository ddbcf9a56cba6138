"""Products of integers: the same by torch, by numpy, and by Python's own integers."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from nearkin.arrays import unit
from nearkin.similarity import CertifiedSearch, int8_product
from nearkin.similarity.int8_product import best_of_groups, int8_products


@pytest.fixture(params=["numpy", "torch"])
def by(request, monkeypatch):
    if request.param == "numpy":
        monkeypatch.setattr(int8_product, "_usable_torch", lambda: None)
    else:
        assert int8_product._checked_torch() is torch
    return request.param


@pytest.mark.usefixtures("by")
@pytest.mark.parametrize("dim", [0, 1, 40, 1024, 1025, 3000])
@pytest.mark.parametrize("count", [1, 3, 4, 20])
def test_equals_the_product_of_integers(count, dim):
    generator = np.random.default_rng(dim)
    queries = generator.integers(-127, 128, (count, dim)).astype(np.int8)
    codes = generator.integers(-127, 128, (1100, dim)).astype(np.int8)
    codes[:2], queries[0] = [[127], [-127]], 127  # the greatest sums
    out = np.full((count, 1100), 77, np.int32)
    int8_products(queries, codes, out)
    np.testing.assert_array_equal(out, queries.astype(np.int64) @ codes.astype(np.int64).T)


@pytest.mark.usefixtures("by")
@pytest.mark.parametrize("shape", [(0, 3, 32), (2, 0, 32), (3, 5, 32), (1, 1, 1)])
def test_best_of_groups(shape):
    scores = np.random.default_rng(0).integers(-(1 << 30), 1 << 30, shape).astype(np.int32)
    np.testing.assert_array_equal(best_of_groups(scores), scores.max(axis=2, initial=-(1 << 31)))


def test_a_search_finds_the_same_by_either(monkeypatch):
    generator = np.random.default_rng(0)
    vectors = unit(generator.standard_normal((3000, 48), dtype=np.float32))
    vectors[1000:1010] = vectors[0]
    allowed = generator.random(3000) < 0.5
    for metric in ("cosine", "euclidean"):
        search = CertifiedSearch(vectors, metric)
        for count, mask in ((1, None), (9, None), (9, allowed)):
            by_torch = search(vectors[:count], 12, mask)
            with monkeypatch.context() as patch:
                patch.setattr(int8_product, "_usable_torch", lambda: None)
                by_numpy = search(vectors[:count], 12, mask)
            for one, other in zip(by_torch, by_numpy, strict=True):
                np.testing.assert_array_equal(one, other)


def wrong(query, keys, out):
    return out.fill_(1)


def gone(query, keys, out):
    raise RuntimeError("not implemented for 'Char'")


@pytest.mark.parametrize("private", [wrong, gone, None])
def test_a_private_function_of_torch_that_is_gone_or_wrong_is_not_used(private, monkeypatch):
    if private is None:
        monkeypatch.delattr(torch, "_int_mm")
    else:
        monkeypatch.setattr(torch, "_int_mm", private)
    int8_product._checked_torch.cache_clear()
    try:
        assert int8_product._checked_torch() is None
        search = CertifiedSearch(np.eye(40, dtype=np.float32))
        assert search(np.eye(5, 40, dtype=np.float32), 1)[1].ravel().tolist() == [0, 1, 2, 3, 4]
    finally:
        int8_product._checked_torch.cache_clear()


def run(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_search_loads_no_torch_until_that_pays():
    run(
        "import sys; import numpy as np\n"
        "import nearkin.similarity as similarity\n"
        "from nearkin.similarity import int8_product\n"
        "search = similarity.CertifiedSearch(np.eye(64, dtype=np.float32))\n"
        "query = np.eye(9, 64, dtype=np.float32)\n"
        "before = search(query, 3); similarity.top_k(query, query, 2)\n"
        "assert not {'torch', 'pandas', 'faiss', 'scipy'} & sys.modules.keys(), sorted(sys.modules)\n"
        "assert int8_product._spent > 0\n"
        "int8_product._spent = int8_product._WORTH_LOADING\n"
        "after = search(query, 3)\n"
        "assert 'torch' in sys.modules\n"
        "assert all((one == other).all() for one, other in zip(before, after))\n"
    )


def test_without_torch_all_works():
    run(
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np\n"
        "from nearkin.similarity import CertifiedSearch\n"
        "search = CertifiedSearch(np.eye(64, dtype=np.float32))\n"
        "assert search(np.eye(2, 64, dtype=np.float32), 1)[1].tolist() == [[0], [1]]"
    )
