"""Directions of vectors of any length, and what the door refuses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearkin.arrays import as_ids, as_unit_vectors, as_vectors, unit
from nearkin.errors import InvalidInput

DIRECTION = np.array([[3.0, -4.0, 0.0, 12.0]])
UNIT = DIRECTION / 13


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("power", [-320, -160, -45, -38, -30, -7, 0, 3, 20, 30, 37, 150, 300])
def test_the_length_does_not_matter(dtype: type, power: int) -> None:
    scaled = DIRECTION * 10.0**power
    largest, tiny = float(np.finfo(dtype).max), float(np.finfo(dtype).smallest_subnormal)
    if not 1e4 * tiny < np.abs(scaled[scaled != 0]).min() <= np.abs(scaled).max() < largest:
        pytest.skip("the type cannot hold these numbers")
    vectors = scaled.astype(dtype)
    found = unit(vectors)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, UNIT, atol=2 * float(np.finfo(dtype).eps), rtol=1e-3)


def test_denormal_numbers_have_a_direction() -> None:
    least = np.float32(np.finfo(np.float32).smallest_subnormal)
    np.testing.assert_array_equal(unit(np.array([[0, least], [-least, 0]], np.float32)), [[0, 1], [-1, 0]])
    np.testing.assert_allclose(unit(np.full((1, 4), least, np.float32)), 0.5)


@given(st.integers(1, 40), st.integers(1, 9), st.floats(-30, 30), st.integers(0, 99))
@settings(max_examples=200, deadline=None)
def test_against_the_formula_in_extended_precision(n: int, dim: int, power: float, seed: int) -> None:
    vectors = (np.random.default_rng(seed).standard_normal((n, dim)) * 10.0**power).astype(np.float32)
    exact = vectors.astype(np.longdouble)
    exact /= np.sqrt((exact**2).sum(1, keepdims=True))
    np.testing.assert_array_equal(unit(vectors), exact.astype(np.float32))


def test_zero_stays_zero_and_shapes_stay() -> None:
    assert unit(np.zeros((2, 3), np.float32)).tolist() == [[0, 0, 0]] * 2
    assert unit(np.array([0.0, 2.0])).tolist() == [0, 1]
    assert unit(np.ones((2, 3, 4))).shape == (2, 3, 4)
    assert unit(np.empty((0, 4), np.float32)).shape == (0, 4)
    assert len(np.unique(unit(np.ones((1500, 2))))) == 1, "block by block"


def test_what_float32_cannot_hold() -> None:
    with pytest.raises(InvalidInput, match=r"query: row 1 holds numbers beyond 3.4e\+38"):
        as_vectors([[1.0, 2.0], [1e39, 0.0]], "query")
    np.testing.assert_array_equal(as_unit_vectors([1e39, 0.0], "query"), [[1, 0]])
    np.testing.assert_allclose(as_unit_vectors(DIRECTION * 1e-200, "query"), UNIT, rtol=1e-6)
    assert as_unit_vectors([3, 4], "query").dtype == np.float32, "integers are numbers"
    assert as_unit_vectors(np.array([10**15, 0]), "query").tolist() == [[1, 0]]


@pytest.mark.parametrize("check", [as_vectors, as_unit_vectors])
def test_refused(check) -> None:
    for array, message in [
        ([[np.nan, 1]], "1 of 1 rows hold NaN or infinity, the first is row 0"),
        ([[1, 2], [np.inf, 1]], "1 of 2 rows hold NaN or infinity, the first is row 1"),
        ("abc", r"expected an array of numbers \[n, dim\], got str"),
        ([[1], [2, 3]], "expected an array of numbers"),
        (np.array([1j]), "expected an array of numbers"),
        (np.array(["2020-01-01"], "M8[D]"), "expected an array of numbers"),
        (np.zeros((1, 2, 3)), r"expected an array \[n, dim\], got shape \(1, 2, 3\)"),
        (np.zeros((1, 2)), "the dimension is 2, expected 3"),
    ]:
        with pytest.raises(InvalidInput, match=f"^vectors: .*{message}"):
            check(array, "vectors", dim=3 if "dimension" in message else None)


def test_ids() -> None:
    with pytest.raises(InvalidInput, match=r"labels: expected whole numbers \[n\], got float64 of shape \(1,\)"):
        as_ids([0.5], "labels", length=1)
    with pytest.raises(InvalidInput, match="labels: 1 given for 2 vectors"):
        as_ids([1], "labels", length=2)
