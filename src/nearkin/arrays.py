"""Shape aliases, unit length, and the checks that arrays pass at the public door."""

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int, UInt8

from nearkin.errors import InvalidInput

Vectors = Float[np.ndarray, "n dim"]
Ids = Int[np.ndarray, " n"]
Pixels = UInt8[np.ndarray, "n height width channels"]


def unit(vectors: Float[np.ndarray, "*rows dim"]) -> Float[np.ndarray, "*rows dim"]:
    """Vectors scaled to length 1; a zero vector stays zero.

    Example:
        >>> unit(np.array([[3.0, 4.0], [0.0, 0.0]]))
        array([[0.6, 0.8],
               [0. , 0. ]])
    """
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1).astype(vectors.dtype)


def as_vectors(array: npt.ArrayLike, name: str, *, dim: int | None = None) -> Float[np.ndarray, "n dim"]:
    """The array as float32 `[n, dim]`; a single vector becomes one row.

    Args:
        array: numbers, `[n, dim]` or `[dim]`; a torch tensor on the CPU serves as well.
        name: what the array is, for the message ("queries", "vectors").
        dim: wanted length of a row, if it is known.

    Raises:
        InvalidInput: not numbers, not one- or two-dimensional, rows of another length, NaN or infinity.

    Example:
        >>> as_vectors([1, 2], "query").shape
        (1, 2)
    """
    try:
        vectors = np.asarray(array, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{name}: wanted an array of numbers [n, dim], got {type(array).__name__}") from error
    if vectors.ndim == 1:
        vectors = vectors[None]
    if vectors.ndim != 2:
        raise InvalidInput(f"{name}: wanted an array [n, dim], got shape {tuple(vectors.shape)}")
    if dim is not None and vectors.shape[1] != dim:
        raise InvalidInput(f"{name}: rows have {vectors.shape[1]} numbers, wanted {dim}")
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        bad = np.flatnonzero(~finite)
        raise InvalidInput(f"{name}: {len(bad)} of {len(vectors)} rows hold NaN or infinity, the first is row {bad[0]}")
    return vectors


def as_ids(array: npt.ArrayLike, name: str, *, length: int) -> Int[np.ndarray, " n"]:
    """The array as int64 `[n]`, n = length.

    Raises:
        InvalidInput: not whole numbers, or another length.

    Example:
        >>> as_ids([3, 3, 7], "labels", length=3)
        array([3, 3, 7])
    """
    ids = np.asarray(array)
    if ids.ndim != 1 or (ids.size and not np.issubdtype(ids.dtype, np.integer)):
        raise InvalidInput(f"{name}: wanted whole numbers [n], got {ids.dtype} of shape {tuple(ids.shape)}")
    if len(ids) != length:
        raise InvalidInput(f"{name}: {len(ids)} given for {length} vectors")
    return ids.astype(np.int64)
