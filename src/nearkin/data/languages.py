"""The language of a text: what its column says, or else the script of its letters."""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache


def script_of(text: str) -> str:
    """The script that most letters of a text are of, "" if it has none.

    Example:
        >>> script_of("a red heart"), script_of("красное сердце"), script_of("???")
        ('latin', 'cyrillic', '')
    """
    scripts = Counter(_script(letter) for letter in text if letter.isalpha())
    return scripts.most_common(1)[0][0] if scripts else ""


def languages_of(texts: Sequence[str], known: Mapping[str, str]) -> list[str]:
    """The language of each text: the known one, or else the script of its letters.

    Args:
        texts: captions or queries.
        known: languages by text, as `Items.languages` has them.

    Example:
        >>> languages_of(["a heart", "сердце"], {"a heart": "en"})
        ['en', 'cyrillic']
    """
    return [known.get(text) or script_of(text) for text in texts]


@cache
def _script(letter: str) -> str:
    return unicodedata.name(letter, "unknown").split()[0].lower()
