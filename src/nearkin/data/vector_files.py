"""Files of vectors, as `nearkin embed` writes them: each vector with what its source says of the picture."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from nearkin.arrow import pa
from nearkin.data.column_roles import build_items
from nearkin.data.file_finder import FileFinder
from nearkin.data.items import Items
from nearkin.data.picture import Picture
from nearkin.data.tables import Table, read_table
from nearkin.data.tables.arrow import table_of_arrow
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
        _items(table_of_arrow(stated, str(path), path.parent), path),
        vectors_of(table),
        None if fingerprint is None else fingerprint.decode(errors="replace"),
        _known(hashes),
    )


def _known(hashes: Sequence[Any] | None) -> tuple[str, ...] | None:
    """Hashes, if there is one for each row."""
    return tuple(map(str, hashes)) if hashes and all(hashes) else None


def _lengths(column: pa.Array) -> list[int | None]:
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
    items = _items(read_table(beside), path)
    if vectors.ndim != 2 or len(vectors) != len(items):
        raise SourceError(f"{path}: shape {vectors.shape} for {len(items)} rows of '{beside}': expected [n, dim]")
    metadata = dict(items.metadata)
    hashes = metadata.pop(CONTENT_HASH, None)
    return VectorFile(replace(items, metadata=metadata), vectors, hashes=_known(hashes))


def _items(table: Table, path: Path) -> Items:
    """What the columns say; the pictures themselves may be elsewhere, or gone."""
    if PATH not in table.columns:
        raise SourceError(f"{table.name}: has no column '{PATH}': expected one with the path of each row")
    finder = FileFinder(path.parent)
    cells = [None if cell is None else str(cell) for cell in table.columns[PATH]]
    if None in cells:
        raise SourceError(f"{table.name}: row {table.rows[cells.index(None)]}: '{PATH}' is empty")
    items = build_items(table, [Picture(finder.find(cell) or cell) for cell in cells if cell], taken=[PATH])
    if len(items) != len(cells):
        raise SourceError(
            f"{table.name}: {len(cells)} rows of {len(items)} pictures: expected one row for each picture"
        )
    return replace(items, source=str(path))
