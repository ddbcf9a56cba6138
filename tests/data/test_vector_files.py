from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nearkin.data.vector_files import read_vectors
from nearkin.errors import SourceError


def write(file: Path, columns: dict[str, object]) -> Path:
    pq.write_table(pa.table(columns), file)
    return file


def test_files_of_other_writers_are_read(tmp_path: Path) -> None:
    lists = pa.array([[1.0, 0.0], [0.0, 2.0]], pa.list_(pa.float64()))
    file = read_vectors(
        write(tmp_path / "a.parquet", {"path": ["a.png", "b.png"], "vector": lists, "label": ["x", "y"]})
    )
    assert file.vectors.tolist() == [[1, 0], [0, 2]]
    assert (file.items.labels, file.fingerprint, file.hashes) == (("x", "y"), None, None)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"path": ["a"]}, "has no column 'vector'"),
        ({"vector": [[1.0]]}, "has no column 'path'"),
        ({"path": ["a"], "vector": ["1"]}, "holds string: expected lists of numbers"),
        ({"path": ["a", "b"], "vector": [[1.0], [1.0, 2.0]]}, "as many numbers in every row"),
        ({"path": ["a", "b"], "vector": [[1.0], None]}, "as many numbers in every row"),
        ({"path": ["a"], "vector": [["1"]]}, "as many numbers in every row"),
    ],
)
def test_a_file_that_lacks_something_is_refused(columns: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=message):
        read_vectors(write(tmp_path / "a.parquet", columns))


def test_no_such_or_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        read_vectors(tmp_path / "a.parquet")
    (tmp_path / "a.parquet").write_bytes(b"no table")
    with pytest.raises(SourceError, match="cannot be read as a Parquet file"):
        read_vectors(tmp_path / "a.parquet")
    (tmp_path / "a.npy").write_bytes(b"no array")
    with pytest.raises(SourceError, match="cannot be read as an array"):
        read_vectors(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.eye(2))
    with pytest.raises(SourceError, match=r"expected the paths of its rows in '.*b.csv'"):
        read_vectors(tmp_path / "b.npy")
    (tmp_path / "b.csv").write_text("path\na.png\n")
    with pytest.raises(SourceError, match=r"shape \(2, 2\) for 1 rows"):
        read_vectors(tmp_path / "b.npy")
    with pytest.raises(SourceError, match="expected a Parquet file of vectors"):
        read_vectors(tmp_path)
