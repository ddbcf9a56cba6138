"""What a query asks for: words, a picture, a vector, an item of the gallery, or a mixture of these."""

import math
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nearkin.data.box import split_region
from nearkin.data.decoding import EXTENSIONS
from nearkin.data.items import Picture
from nearkin.data.picture import not_a_file
from nearkin.encoders.embedder import PictureLike
from nearkin.errors import InvalidInput

Kind = Literal["words", "picture", "vector", "item"]

# What can be asked for. Pairs are the parts of a mixture and their weights; a list of numbers is a vector.
Query = PictureLike | int | Sequence[tuple[Any, float | int]] | Sequence[float]

# The name of a file that holds a vector.
VECTOR_FILE = ".npy"
# Names of a folder that are looked at for near spellings.
MOST_NAMES = 5000


@dataclass(frozen=True, eq=False)
class Term:
    """A part of a query.

    Args:
        value: a path, words, a Pillow picture, pixels, a vector, or the id of an item.
        weight: negative for items that are unlike it.
    """

    value: Any
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.weight):
            raise InvalidInput(f"the weight of a term is {self.weight}: expected a finite number")


class Words(str):
    """Words that were given in double quotes, and name no file: never taken for a misspelt path or a folder."""

    __slots__ = ()


def kind_of(value: Any) -> Kind:
    """What a part of a query is. A string is a picture if it names a file, and words if it looks like no file's name.

    Args:
        value: a path, words, a Pillow picture, pixels `[height, width, ...]`, a vector `[dim]`, or the id of an item.

    Raises:
        InvalidInput: a folder; what looks like the path of a picture, and does not exist; something else.

    Example:
        >>> kind_of("red heart"), kind_of(np.array([0.6, 0.8])), kind_of(7)
        ('words', 'vector', 'item')
        >>> kind_of("missing.png")
        Traceback (most recent call last):
        nearkin.errors.InvalidInput: no such file: 'missing.png'; to search for these words, quote them: "missing.png"
    """
    if isinstance(value, Words):
        return "words"
    if isinstance(value, int | np.integer):
        return "item"
    if not isinstance(value, str | Path):
        dimensions = getattr(value, "ndim", None)
        if dimensions is None and not isinstance(value, Picture | bytes) and not _is_pillow(value):
            raise InvalidInput(
                f"a query of type {type(value).__name__}: expected words, a picture, an id, a vector, or pairs of "
                "these and their weights"
            )
        return "vector" if dimensions == 1 else "picture"
    # os.path, unlike Path, says no to a sentence that is too long for a file's name.
    if os.path.isfile(value) or os.path.isfile(split_region(str(value))[0]):  # noqa: PTH113
        return "picture"
    if os.path.isdir(value):  # noqa: PTH112
        raise InvalidInput(f"'{value}' is a folder: a query is one picture, such as a file in it{_quoted(value)}")
    if kind := _special_file(value):
        raise InvalidInput(f"'{value}' is {kind}: a query is a picture in a file{_quoted(value)}")
    if isinstance(value, Path) or _looks_like_a_path(value):
        raise InvalidInput(f"no such file: '{value}'{_near_names(value)}{_quoted(value)}")
    if _has_file_named(value):
        raise InvalidInput(f"no such file: '{value}'{_near_names(value)}{_quoted(value)}")
    return "words"


def _special_file(value: str | Path) -> str:
    """What an entry of this name is that is no file, such as a pipe or a broken link; "" if there is none."""
    try:
        return not_a_file(os.stat(value).st_mode)  # noqa: PTH116
    except (OSError, ValueError):
        return "a link that leads nowhere" if os.path.lexists(value) and os.path.islink(value) else ""  # noqa: PTH114


def _is_pillow(value: Any) -> bool:
    """Whether it is a picture of Pillow, which is then loaded already."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(value, pillow.Image)


def _looks_like_a_path(text: str) -> bool:
    """By its extension, or by a separator in it: "a/b" and "./a b", and "photos/a b" if there is a folder photos."""
    if _is_picture_name(text):
        return True
    if not set(text) & {"/", os.sep}:
        return False
    rooted = text.startswith(("/", "./", "../", "~")) or bool(re.match(r"[A-Za-z]:[\\/]", text))
    return rooted or not re.search(r"\s", text) or os.path.isdir(os.path.dirname(text))  # noqa: PTH112, PTH120


def _has_file_named(text: str) -> bool:
    """Whether the folder has a picture of this name but for its extension, or nearly: `img_0001` for `img_001.jpg`."""
    plain = text.casefold()
    stems = [Path(name).stem.casefold() for name in _pictures_beside(text)]
    return plain in stems or (bool(re.search(r"[\d_]", text)) and bool(get_close_matches(plain, stems, 1, 0.85)))


def _near_names(path: str | Path) -> str:
    """Files that may be meant, for a message."""
    name = os.path.basename(path)  # noqa: PTH119
    names = _pictures_beside(path)
    same = [one for one in names if Path(one).stem.casefold() == Path(name).stem.casefold()]
    near = same[:3] or get_close_matches(name, names, 3, 0.7)
    return f", did you mean {' or '.join(near)}?" if near else ""


def _pictures_beside(path: str | Path) -> list[str]:
    """Names of pictures and vectors in the folder of a path; at most some thousand, no matter how many there are."""
    folder = os.path.dirname(path) or "."  # noqa: PTH120
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, MOST_NAMES)]
    except (OSError, ValueError):
        return []
    return sorted(name for name in names if _is_picture_name(name) or name.lower().endswith(VECTOR_FILE))


def _quoted(value: str | Path) -> str:
    return f'; to search for these words, quote them: "{value}"'


def terms_of(query: Any) -> list[Term]:
    """The parts of a query.

    In a string, `+` and `-` between spaces separate the terms of a mixture, if at least one of them is more than bare
    words: the path of a picture or of a vector (`.npy`), `#7` for item 7, or words in double quotes; then all must be.
    `0.5 *` before a term is its weight.

    Args:
        query: a path, words, a picture, a vector, an id, or a mixture: a string, or pairs of a part and its weight.

    Raises:
        InvalidInput: bare words in a mixture, whose position is named; weights that are no numbers, or all 0; a file
            without a vector.

    Example:
        >>> [(term.value, term.weight) for term in terms_of('#7 + 0.5 * "red" - "old shoe"')]
        [(7, 1.0), ('red', 0.5), ('old shoe', -1.0)]
        >>> [(term.value, term.weight) for term in terms_of([(7, 1.0), ("red", -0.5)])]
        [(7, 1.0), ('red', -0.5)]
        >>> [(term.value, term.weight) for term in terms_of("Coca-Cola - can")]
        [('Coca-Cola - can', 1.0)]
    """
    if isinstance(query, str) and not os.path.isfile(query):  # noqa: PTH113
        terms = _parsed(query)
    elif isinstance(query, list | tuple) and query and all(isinstance(pair, tuple) for pair in query):
        terms = [_weighted(pair) for pair in query]
    else:
        return [Term(_as_vector(query))]
    if not any(term.weight for term in terms):
        raise InvalidInput("the weights of all terms are 0: nothing is asked for")
    return [Term(_as_vector(term.value), term.weight) for term in terms]


def _weighted(pair: tuple[Any, ...]) -> Term:
    try:
        value, number = pair
        if isinstance(number, bool | str):
            raise TypeError(number)
        weight = float(number)
    except (TypeError, ValueError) as error:
        raise InvalidInput("a mixture in pairs: expected a part and its weight, such as ('photo.jpg', 0.5)") from error
    return Term(value, weight)


def _as_vector(value: Any) -> Any:
    """The vector in a .npy file, or in a list of numbers; anything else as it is."""
    where = "the list"
    try:
        if isinstance(value, list | tuple):
            vector = np.asarray(value, dtype=np.float64)
        elif isinstance(value, str | Path) and Path(value).suffix.lower() == VECTOR_FILE:
            where = f"'{value}'"
            vector = np.load(value)
        else:
            return value
    except OSError as error:
        raise InvalidInput(f"cannot read the vector in '{value}': {error.strerror or error}") from error
    except (TypeError, ValueError, EOFError, OverflowError) as error:
        raise InvalidInput(f"{where} holds no vector: expected numbers") from error
    if vector.ndim != 1:
        raise InvalidInput(f"{where} is an array of shape {vector.shape}: expected one vector [dim]")
    return vector


def _parsed(text: str) -> list[Term]:
    # Signs in quotes belong to the words.
    blanked = re.sub(r'"[^"]*"', lambda quoted: '"' * len(quoted[0]), text)
    signs = [(sign.start(), sign.end(), sign[0]) for sign in re.finditer(r'(?:^|(?<=\s))[+-](?=[\s"#])', blanked)]
    if not signs or text[: signs[0][0]].strip():
        signs.insert(0, (0, 0, "+"))
    ends = [*(start for start, _, _ in signs[1:]), len(text)]
    terms = [_term(text[start:end], sign) for (_, start, sign), end in zip(signs, ends, strict=True)]
    if not any(terms):
        return [Term(text)]
    if None in terms:
        _, start, _ = signs[terms.index(None)]
        bare = text[start:].lstrip()
        raise InvalidInput(
            f"query '{text}': the term at position {len(text) - len(bare) + 1} is no picture, no #id, and not in "
            'quotes: put words of a mixture in double quotes, as in photo.jpg + "red"'
        )
    return [term for term in terms if term is not None]


def _term(text: str, sign: str) -> Term | None:
    """A term of a mixture, None if it is bare words or nothing."""
    weight, value = re.fullmatch(r"(?:(\d+\.?\d*|\.\d+)\s*\*)?(.*)", text.strip(), re.DOTALL).groups()  # type: ignore[union-attr]
    value, weight = value.strip(), float(f"{sign}{weight or 1}")
    if len(value) > 1 and value[0] == value[-1] == '"' and '"' not in value[1:-1]:
        quoted = value[1:-1]
        return Term(quoted if os.path.isfile(quoted) else Words(quoted), weight)  # noqa: PTH113
    if re.fullmatch(r"#\d+", value):
        return Term(int(value[1:]), weight)
    named = _is_picture_name(value) or value.lower().endswith(VECTOR_FILE)
    return Term(value, weight) if named or os.path.isfile(value) else None  # noqa: PTH113


def _is_picture_name(text: str | Path) -> bool:
    return isinstance(text, Path) or Path(split_region(text)[0]).suffix.lower() in EXTENSIONS
