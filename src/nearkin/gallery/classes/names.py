"""Names of classes: how one is written, and when two are the same."""

import unicodedata
from typing import Any

from nearkin.data.cells import class_name, shown
from nearkin.errors import InvalidInput

# Characters of the longest name.
LONGEST = 200


def checked_name(name: Any) -> str:
    """The name as it is shown: composed Unicode (NFC), without spaces around it, single ones inside.

    Raises:
        InvalidInput: empty, only spaces, no text, longer than 200 characters, or with control characters.

    Example:
        >>> checked_name("  Anna\\t Maria ")
        'Anna Maria'
    """
    try:
        written = class_name(name)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the name of a class is {shown(name)}: expected text, such as 'Anna'") from error
    if written is None:
        raise InvalidInput(f"the name of a class is empty ({shown(name)}): expected text, such as 'Anna'")
    if len(written) > LONGEST:
        raise InvalidInput(
            f"the name of a class has {len(written):,} characters ({shown(written)}): expected 1 to {LONGEST}"
        )
    written = " ".join(written.split())
    for position, character in enumerate(written, start=1):
        if unicodedata.category(character) == "Cc":
            raise InvalidInput(
                f"the name of a class is {written!r}: character {position} is a control character; leave it out"
            )
    return written


def name_key(name: str) -> str:
    """What two names have in common if they are one: case, spaces and Unicode form do not count.

    Args:
        name: as `checked_name` gives it.

    Example:
        >>> name_key("Straße") == name_key("STRASSE"), name_key("e\\u0301") == name_key("\\u00c9")
        (True, True)
    """
    return unicodedata.normalize("NFC", " ".join(unicodedata.normalize("NFC", name).split()).casefold())
