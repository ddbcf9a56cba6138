"""Products of 8-bit integer vectors, and the best of each group: by torch's int8 kernels, or by numpy.

Both give the same integers. Torch is faster, most of all in batches, but takes seconds to load; so it is used where it
is loaded already, and loaded once numpy has worked longer than loading takes. Its int8 product is a private function:
whether it is there, and right, is checked once.

numpy has no fast product of integers. Products of numbers of 7 bits and a sign are exact in float32 as long as their
sum stays below 2^24, which 1,024 dimensions cannot reach.
"""

import sys
import time
from functools import cache
from importlib import import_module
from types import ModuleType

import numpy as np
from jaxtyping import Int8, Int32

# Seconds that numpy may work before loading torch pays.
_WORTH_LOADING = 5.0
# Rows that are turned into float32 at once, so that they stay in the cache; and dimensions whose products are exact.
_ROWS, _EXACT_DIM = 1 << 10, 1 << 10
# Up to so many queries, torch is faster with one product after the other than with one product of all.
_FEW_QUERIES = 3
_spent = 0.0


def int8_products(
    queries: Int8[np.ndarray, "q dim"], codes: Int8[np.ndarray, "n dim"], out: Int32[np.ndarray, "q n"]
) -> None:
    """All dot products, written into `out`.

    Args:
        queries, codes: integers of -127 to 127.
        out: is overwritten.

    Example:
        >>> out = np.empty((1, 2), np.int32)
        >>> int8_products(np.array([[1, 2]], np.int8), np.array([[3, 4], [-127, 0]], np.int8), out)
        >>> out.tolist()
        [[11, -127]]
    """
    global _spent
    torch = _usable_torch()
    if torch is None:
        started = time.perf_counter()
        _products_by_numpy(queries, codes, out)
        _spent += time.perf_counter() - started
    else:
        _products_by_torch(torch, queries, codes, out)


def best_of_groups(scores: Int32[np.ndarray, "q groups size"]) -> Int32[np.ndarray, "q groups"]:
    """The highest score of each group.

    Example:
        >>> best_of_groups(np.array([[[1, 5], [2, 0]]], np.int32)).tolist()
        [[5, 2]]
    """
    torch = _usable_torch()
    if torch is None:
        # Twice as fast as the maximum over a short axis.
        starts = np.arange(0, scores.size, scores.shape[2])
        best = np.maximum.reduceat(scores.reshape(-1), starts) if scores.size else np.empty(0, np.int32)
        return best.reshape(scores.shape[:2])
    highest: np.ndarray = torch.from_numpy(scores).amax(dim=2).numpy()
    return highest


def _usable_torch() -> ModuleType | None:
    """Torch, if it is loaded or worth loading, and has an int8 product that works."""
    if "torch" not in sys.modules and _spent < _WORTH_LOADING:
        return None
    return _checked_torch()


@cache
def _checked_torch() -> ModuleType | None:
    try:
        torch = import_module("torch")
        _check(torch)
    # An installation that is broken, or a version whose private function is gone, changed or wrong.
    except (ImportError, OSError, AttributeError, TypeError, RuntimeError, NotImplementedError, AssertionError):
        return None
    return torch


def _check(torch: ModuleType) -> None:
    """Compare torch's products with numpy's, for one query and for several."""
    numbers = np.random.default_rng(0).integers(-127, 128, (96, 40)).astype(np.int8)
    for queries in (numbers[:1], numbers[:17]):
        found, expected = (np.empty((len(queries), 64), np.int32) for _ in range(2))
        _products_by_torch(torch, queries, numbers[32:], found)
        _products_by_numpy(queries, numbers[32:], expected)
        if not np.array_equal(found, expected):
            raise RuntimeError("torch._int_mm gives other products than numpy")


def _products_by_torch(torch: ModuleType, queries: np.ndarray, codes: np.ndarray, out: np.ndarray) -> None:
    asked, keys, products = torch.from_numpy(queries), torch.from_numpy(codes).T, torch.from_numpy(out)
    parts = len(queries) if len(queries) <= _FEW_QUERIES else 1
    for query, product in zip(asked.chunk(parts), products.chunk(parts), strict=True):
        torch._int_mm(query, keys, out=product)


def _products_by_numpy(queries: np.ndarray, codes: np.ndarray, out: np.ndarray) -> None:
    rows, dim = min(_ROWS, len(codes)), min(_EXACT_DIM, codes.shape[1])
    floats, product = np.empty((rows, dim), np.float32), np.empty((len(queries), rows), np.float32)
    for first in range(0, max(1, codes.shape[1]), _EXACT_DIM):
        asked = queries[:, first : first + _EXACT_DIM].astype(np.float32)
        for start in range(0, len(codes), _ROWS):
            part = codes[start : start + _ROWS, first : first + _EXACT_DIM]
            keys, block = floats[: len(part), : part.shape[1]], product[:, : len(part)]
            np.copyto(keys, part)
            np.matmul(asked, keys.T, out=block)
            if first:
                out[:, start : start + _ROWS] += block.astype(np.int32)
            else:
                out[:, start : start + _ROWS] = block
