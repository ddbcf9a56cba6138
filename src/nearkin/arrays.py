"""Shape aliases, unit length, and the checks of arrays that come from the caller."""

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int, UInt8

from nearkin.errors import InvalidInput

Vectors = Float[np.ndarray, "n dim"]
Ids = Int[np.ndarray, " n"]
Pixels = UInt8[np.ndarray, "n height width channels"]

# Rows that are scaled at once: in double precision they stay in the cache.
_BLOCK = 512


def unit(vectors: Float[np.ndarray, "*rows dim"]) -> Float[np.ndarray, "*rows dim"]:
    """Vectors scaled to length 1, whatever their length; a zero vector stays zero.

    A row is divided by its largest magnitude first, so that no square overflows or is lost, and its length is taken in
    double precision: 1e30, 1e-30 and denormal numbers give the same direction as numbers around 1.

    Args:
        vectors: of any floating type, which the result has too.

    Example:
        >>> unit(np.array([[3.0, 4.0], [0.0, 0.0]])), unit(np.array([3e-200, 4e-200])).round(6)
        (array([[0.6, 0.8],
               [0. , 0. ]]), array([0.6, 0.8]))
    """
    rows = vectors.reshape(-1, vectors.shape[-1])
    scaled = np.empty_like(rows)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK].astype(np.float64)
        block /= _or_one(np.abs(block).max(axis=1, keepdims=True, initial=0))
        block /= _or_one(np.sqrt(np.einsum("nd,nd->n", block, block))[:, None])
        scaled[start : start + _BLOCK] = block
    return scaled.reshape(vectors.shape)


def as_vectors(array: npt.ArrayLike, name: str, *, dim: int | None = None) -> Float[np.ndarray, "n dim"]:
    """The array as float32 `[n, dim]`; a single vector becomes one row.

    Args:
        array: numbers, `[n, dim]` or `[dim]`; a torch tensor on the CPU serves as well.
        name: what the array is, for the message ("queries", "vectors").
        dim: expected length of a row, if it is known.

    Raises:
        InvalidInput: not numbers, not one- or two-dimensional, rows of another length, NaN or infinity, or numbers
            beyond float32.

    Example:
        >>> as_vectors([1, 2], "query").shape
        (1, 2)
    """
    with np.errstate(over="ignore"):
        vectors = _checked(array, name, dim).astype(np.float32, copy=False)
    if len(beyond := np.flatnonzero(~np.isfinite(vectors).all(axis=1))):
        raise InvalidInput(f"{name}: row {beyond[0]} holds numbers beyond {np.finfo(np.float32).max:.2g}: scale it")
    return vectors


def as_unit_vectors(array: npt.ArrayLike, name: str, *, dim: int | None = None) -> Float[np.ndarray, "n dim"]:
    """The directions of the rows, as float32 `[n, dim]` of length 1; a zero vector stays zero.

    Args:
        array, name, dim: as in `as_vectors`. A row may have any length: it is scaled before it becomes float32.

    Raises:
        InvalidInput: as in `as_vectors`, but for numbers beyond float32.

    Example:
        >>> as_unit_vectors([[3e300, 4e300]], "query").tolist() == [[np.float32(0.6), np.float32(0.8)]]
        True
    """
    vectors = _checked(array, name, dim)
    if vectors.dtype.itemsize < 4:  # a unit vector in half precision is off by a thousandth
        vectors = vectors.astype(np.float32)
    return unit(vectors).astype(np.float32, copy=False)


def _checked(array: npt.ArrayLike, name: str, dim: int | None) -> Float[np.ndarray, "n dim"]:
    """Finite numbers `[n, dim]` in their own floating type; integers and long doubles become float64."""
    try:
        vectors = np.asarray(array)
        if vectors.dtype.kind in "cM":  # complex numbers would lose a part, dates are no coordinates
            raise TypeError
        if vectors.dtype.kind != "f" or vectors.dtype.itemsize > 8:
            with np.errstate(over="ignore"):
                vectors = vectors.astype(np.float64)
    except OverflowError as error:  # an int of Python's of more than 308 digits
        raise InvalidInput(f"{name}: a number is beyond {np.finfo(np.float64).max:.2g}: scale it") from error
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{name}: expected an array of numbers [n, dim], got {type(array).__name__}") from error
    if vectors.ndim == 1:
        vectors = vectors[None]
    if vectors.ndim != 2:
        raise InvalidInput(f"{name}: expected an array [n, dim], got shape {tuple(vectors.shape)}")
    if dim is not None and vectors.shape[1] != dim:
        raise InvalidInput(f"{name}: the dimension is {vectors.shape[1]}, expected {dim}")
    if len(bad := np.flatnonzero(~np.isfinite(vectors).all(axis=1))):
        raise InvalidInput(f"{name}: {len(bad)} of {len(vectors)} rows hold NaN or infinity, the first is row {bad[0]}")
    return vectors


def _or_one(lengths: Float[np.ndarray, "n 1"]) -> Float[np.ndarray, "n 1"]:
    return np.where(lengths > 0, lengths, 1)


def as_ids(array: npt.ArrayLike, name: str, *, length: int) -> Int[np.ndarray, " n"]:
    """The array as int64 `[n]`, n = length.

    Raises:
        InvalidInput: not integers, or another length.

    Example:
        >>> as_ids([3, 3, 7], "labels", length=3)
        array([3, 3, 7])
    """
    ids = np.asarray(array)
    if ids.ndim != 1 or (ids.size and not np.issubdtype(ids.dtype, np.integer)):
        raise InvalidInput(f"{name}: expected whole numbers [n], got {ids.dtype} of shape {tuple(ids.shape)}")
    if len(ids) != length:
        raise InvalidInput(f"{name}: {len(ids)} given for {length} vectors")
    return ids.astype(np.int64)


def check_seed(seed: int) -> None:
    """Refuse a random seed that some generator would not take.

    Raises:
        InvalidInput: it is negative, or has more than 32 bits.

    Example:
        >>> check_seed(-1)
        Traceback (most recent call last):
        nearkin.errors.InvalidInput: the random seed is -1: expected a whole number from 0 to 4294967295
    """
    if not 0 <= seed < 2**32:
        raise InvalidInput(f"the random seed is {seed}: expected a whole number from 0 to {2**32 - 1}")
