"""Shape aliases, unit length, and the checks of arrays that come from the caller."""

import math
from collections.abc import Iterable
from operator import index

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int, UInt8

from nearkin.errors import InvalidInput

Vectors = Float[np.ndarray, "n dim"]
Ids = Int[np.ndarray, " n"]
Pixels = UInt8[np.ndarray, "n height width channels"]

# Rows that are scaled at once: in double precision they stay in the cache.
_BLOCK = 512
# The largest whole number of 64 bits.
_MOST = 2**63 - 1


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


def check_count(value: object, name: str, *, least: int = 1, most: int | None = None) -> int:
    """The whole number, if it is one within the limits; true and false, 1.0 and "1" are none.

    Raises:
        InvalidInput: it is not.

    Example:
        >>> check_count(np.int64(3), "k"), check_count(1.5, "k")
        Traceback (most recent call last):
        nearkin.errors.InvalidInput: k is 1.5, expected a whole number of at least 1
    """
    try:
        number = None if isinstance(value, bool | np.bool_) else index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or number < least or (most is not None and number > most):
        limits = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise InvalidInput(f"{name} is {value!r:.60}, expected a whole number {limits}".replace("\n", " "))
    return number


def check_counts(values: object, name: str) -> tuple[int, ...]:
    """The whole numbers of at least 1 in a list of one or more.

    Raises:
        InvalidInput: one is none, or it is no list.
    """
    listed = list(values) if isinstance(values, Iterable) and not isinstance(values, str | bytes) else []
    if not listed:
        raise InvalidInput(f"{name} is {values!r:.60}, expected whole numbers of at least 1, such as (1, 5)")
    return tuple(check_count(value, f"{name}[{position}]", most=_MOST) for position, value in enumerate(listed))


def check_number(value: object, name: str, expected: str = "a number") -> float:
    """The number, if it is one; true and false, NaN and "1" are none.

    Raises:
        InvalidInput: it is not; the message says what is expected.

    Example:
        >>> check_number("0.5", "threshold", "a score, -1 to 1")
        Traceback (most recent call last):
        nearkin.errors.InvalidInput: threshold is '0.5', expected a score, -1 to 1
    """
    number = math.nan
    if not isinstance(value, str | bytes | bool | np.bool_) and np.ndim(value) == 0:  # type: ignore[arg-type]
        try:
            number = float(value)  # type: ignore[arg-type]
        except OverflowError:  # a whole number of more than 308 digits
            number = math.inf if value > 0 else -math.inf  # type: ignore[operator]
        except (TypeError, ValueError):
            pass
    if math.isnan(number):
        raise InvalidInput(f"{name} is {value!r:.60}, expected {expected}".replace("\n", " "))
    return number


def as_scores(scores: object) -> Float[np.ndarray, " n"]:
    """Scores as float64 `[n]`; a single one becomes one of one.

    Raises:
        InvalidInput: no numbers, NaN, or an array of more dimensions.

    Example:
        >>> as_scores(0.5)
        array([0.5])
    """
    try:
        given = np.asarray(scores)
        values = np.atleast_1d(given).astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        given = values = np.empty((0, 0))
    if given.dtype.kind not in "iufO" or values.ndim != 1:
        raise InvalidInput(f"scores are {scores!r:.60}, expected numbers [n]".replace("\n", " "))
    if len(bad := np.flatnonzero(np.isnan(values))):
        raise InvalidInput(f"score {bad[0]} is not a finite number")
    return values


def check_share(value: object, name: str, what: str = "") -> float:
    """The number, if it is more than 0 and less than 1.

    Args:
        value: what was given.
        name: of the argument.
        what: it is expected to be, such as "a false accept rate".

    Raises:
        InvalidInput: it is not.

    Example:
        >>> check_share(1, "prior", "a prior probability")
        Traceback (most recent call last):
        nearkin.errors.InvalidInput: prior is 1, expected a prior probability, more than 0 and less than 1
    """
    expected = f"{what}{', ' * bool(what)}more than 0 and less than 1"
    number = check_number(value, name, expected)
    if not 0 < number < 1:
        raise InvalidInput(f"{name} is {number:g}, expected {expected}")
    return number


def check_seed(seed: object) -> int:
    """The random seed, if all generators take it.

    Raises:
        InvalidInput: it is no whole number, is negative, or has more than 32 bits.

    Example:
        >>> check_seed(-1)
        Traceback (most recent call last):
        nearkin.errors.InvalidInput: the random seed is -1, expected a whole number from 0 to 4294967295
    """
    return check_count(seed, "the random seed", least=0, most=2**32 - 1)
