"""Tensors of dlib's face recognition network, read from the file as dlib writes it, without dlib."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from nearkin.errors import ArtefactError


def read_tensors(path: Path, sizes: Iterable[tuple[int, int]]) -> list[np.ndarray]:
    """The tensors of these `(samples, channels)`, in the order of the file.

    dlib writes a tensor as its version, 2, its four dimensions, and little-endian floats; a number as the count of its
    bytes and these bytes. All that is between the tensors is passed over.

    Raises:
        ArtefactError: one is not there.
    """
    content = path.read_bytes()
    position, found = 0, []
    for size in sizes:
        header = b"".join(map(_number, (2, *size, 1, 1)))
        start = content.find(header, position)
        count = size[0] * size[1]
        if start < 0 or start + len(header) + 4 * count > len(content):
            raise ArtefactError(f"'{path}' has no tensor of {size} where one is expected: it is damaged")
        position = start + len(header)
        found.append(np.frombuffer(content, "<f4", count, position).reshape(size))
        position += 4 * count
    return found


def _number(value: int) -> bytes:
    encoded = value.to_bytes((value.bit_length() + 7) // 8, "little")
    return bytes((len(encoded),)) + encoded
