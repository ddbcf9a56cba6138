"""An index back from the folder that `Index.save` filled."""

import json
from pathlib import Path

from nearkin.errors import ArtefactError, UnknownName
from nearkin.gallery.index.base import HEADER, Index, Vectors
from nearkin.gallery.index.kinds import KINDS
from nearkin.intervals.figure import Figure


def load(path: Path, vectors: Vectors) -> Index:
    """The index in a folder, over the vectors that it was built from.

    Raises:
        ArtefactError: missing, damaged, of a kind that is unknown here, or of another number of vectors.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> vectors, folder = np.eye(3, dtype=np.float32), Path(tempfile.mkdtemp())
        >>> KINDS["exact"](vectors).save(folder)
        >>> load(folder, vectors).search(vectors[:1], k=1)[1].tolist()
        [[0]]
    """
    try:
        header = json.loads((path / HEADER).read_text(encoding="utf-8"))
        if header["n"] != len(vectors):
            raise ValueError(f"it was built from {header['n']} vectors, expected {len(vectors)}")
        index = KINDS[header["kind"]]._read(path, vectors, header)
        index.recall = header["recall"] and Figure(**header["recall"])
        index.build_seconds = header["build_seconds"]
    # faiss raises RuntimeError for a file that it cannot read.
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, UnknownName) as error:
        raise ArtefactError(f"the index at '{path}' cannot be read ({error}): build it again") from error
    return index
