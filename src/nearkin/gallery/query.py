"""What a query is: words, a picture or a vector."""

import os
from pathlib import Path
from typing import Literal

from nearkin.data.decoding import EXTENSIONS
from nearkin.encoders.encoder import PictureLike
from nearkin.errors import InvalidInput


def kind_of(query: PictureLike) -> Literal["words", "picture", "vector"]:
    """What a query is. A string is a picture if it is the name of a file, or ends as pictures do; else it is words.

    Args:
        query: a path, words, a Pillow picture, pixels `[height, width, ...]`, or a vector `[dim]`.

    Raises:
        InvalidInput: the path of a picture that does not exist.

    Example:
        >>> import numpy as np
        >>> kind_of("red heart"), kind_of(np.array([0.6, 0.8]))
        ('words', 'vector')
        >>> kind_of("missing.png")
        Traceback (most recent call last):
        nearkin.errors.InvalidInput: no picture at 'missing.png': wanted the path of a picture, or words
    """
    if not isinstance(query, str | Path):
        return "vector" if getattr(query, "ndim", None) == 1 else "picture"
    # os.path.isfile, unlike Path.is_file, says no to a sentence that is too long for a file's name.
    if os.path.isfile(query):  # noqa: PTH113
        return "picture"
    if isinstance(query, Path) or Path(query).suffix.lower() in EXTENSIONS:
        raise InvalidInput(f"no picture at '{query}': wanted the path of a picture, or words")
    return "words"
