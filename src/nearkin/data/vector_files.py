"""Files of vectors, as `nearkin embed` writes them: each vector with what its source says of the picture."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from nearkin.arrow import pa
from nearkin.data.items import Items
from nearkin.data.sources import read_items
from nearkin.errors import EncoderMismatch, SourceError

SUFFIXES = (".parquet", ".npy", ".csv")
PATH, VECTOR, CONTENT_HASH = "path", "vector", "content_hash"
# Keys of the metadata of a Parquet file.
FINGERPRINT, PREPROCESSING = "nearkin.fingerprint", "nearkin.preprocessing"


@dataclass(frozen=True, eq=False)
class VectorFile:
    """What a file of vectors holds.

    Args:
        items: the pictures with labels, captions and metadata.
        vectors: one for each.
        fingerprint: of the encoder that made them; None if the file does not say.
        hashes: of the contents of the pictures, if the file says.
    """

    items: Items
    vectors: Float[np.ndarray, "n dim"]
    fingerprint: str | None = None
    hashes: tuple[str, ...] | None = None

    def check(self, fingerprint: str, dim: int) -> None:
        """Refuses an encoder that did not make them.

        Raises:
            EncoderMismatch: another fingerprint, or another dimension.
        """
        if self.fingerprint is not None:
            check_fingerprint(self.fingerprint, fingerprint)
        if self.vectors.shape[1] != dim:
            raise EncoderMismatch(
                f"{self.items.source}: vectors of dimension {self.vectors.shape[1]}, the model's have {dim}: they come "
                "from another model"
            )


def check_fingerprint(found: str, expected: str) -> None:
    """Refuses vectors of one encoder where another's are expected.

    Raises:
        EncoderMismatch: they are another's.
    """
    if found != expected:
        raise EncoderMismatch(
            f"the vectors come from encoder {found}, expected {expected}: embed the pictures with that one, or index "
            "them into a gallery of their own"
        )


def read_vectors(path: str | Path) -> VectorFile:
    """Vectors from a file of `nearkin embed`, or of the same shape.

    Args:
        path: a Parquet file with columns `path` and `vector`; or a `.npy` of an array `[n, dim]` with a `.csv` beside
            it, row by row, that has a column `path`.

    Raises:
        SourceError: there is no such file, it is damaged, or it lacks something.

    Example:
        >>> file = read_vectors("vectors.parquet")                          # doctest: +SKIP
        >>> Gallery.open("shop").add_vectors(file.items, file.vectors)      # doctest: +SKIP
    """
    file = Path(path).expanduser()
    if file.suffix.lower() not in (".parquet", ".npy"):
        raise SourceError(f"{path}: expected a Parquet file of vectors, or .npy with a .csv beside it")
    if not file.is_file():
        raise SourceError(f"{path}: no such file")
    return _of_parquet(file) if file.suffix.lower() == ".parquet" else _of_array(file)


def vectors_of(table: pa.Table) -> Float[np.ndarray, "n dim"]:
    """The column of vectors as an array."""
    column = table[VECTOR].combine_chunks()
    return np.asarray(column.flatten().to_numpy(zero_copy_only=False)).reshape(len(table), -1)


def _of_parquet(path: Path) -> VectorFile:
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{path}: cannot be read as a Parquet file: {str(error).splitlines()[0]}") from error
    for name in (PATH, VECTOR):
        if name not in table.column_names:
            raise SourceError(f"{path}: has no column '{name}': expected {PATH} and {VECTOR}, as nearkin embed writes")
    kind = table.schema.field(VECTOR).type
    if not (pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        raise SourceError(f"{path}: column '{VECTOR}' holds {kind}: expected lists of numbers")
    column = table[VECTOR].combine_chunks()
    lengths = {column.type.list_size} if pa.types.is_fixed_size_list(kind) else set(_lengths(column))
    if column.null_count or len(lengths) > 1 or not pa.types.is_floating(kind.value_type):
        raise SourceError(f"{path}: column '{VECTOR}': expected a list of as many numbers in every row")
    hashes = table[CONTENT_HASH].to_pylist() if CONTENT_HASH in table.column_names else None
    stated = table.drop_columns([name for name in (VECTOR, CONTENT_HASH) if name in table.column_names])
    fingerprint = (table.schema.metadata or {}).get(FINGERPRINT.encode())
    return VectorFile(
        _items(stated, path),
        vectors_of(table),
        None if fingerprint is None else fingerprint.decode(errors="replace"),
        tuple(hashes) if hashes and all(hashes) else None,
    )


def _lengths(column: pa.Array) -> list[int]:
    import pyarrow.compute as pc

    return pc.unique(pc.list_value_length(column)).to_pylist()


def _of_array(path: Path) -> VectorFile:
    try:
        vectors = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise SourceError(f"{path}: cannot be read as an array of numpy: {error}") from error
    beside = path.with_suffix(".csv")
    if not beside.is_file():
        raise SourceError(f"{path}: expected the paths of its rows in '{beside}', in a column '{PATH}'")
    items = read_items(beside)
    if vectors.ndim != 2 or len(vectors) != len(items):
        raise SourceError(f"{path}: shape {vectors.shape} for {len(items)} rows of '{beside}': expected [n, dim]")
    return VectorFile(items, vectors)


def _items(table: pa.Table, path: Path) -> Items:
    items = replace(read_items(table, path_column=PATH), source=str(path))
    if len(items) != len(table):
        raise SourceError(f"{path}: {len(table)} rows of {len(items)} pictures: expected one row for each picture")
    return items
