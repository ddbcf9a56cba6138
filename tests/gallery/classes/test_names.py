import unicodedata

import pytest

from nearkin.errors import InvalidInput
from nearkin.gallery.classes.names import LONGEST, checked_name, name_key


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("Anna", "Anna"),
        ("  Anna \t Maria\n", "Anna Maria"),
        ("e\u0301", "\u00e9"),
        ("\ufeffАнна\u200b", "Анна"),
        (7, "7"),
        (1.0, "1"),
        ("❤️", "❤️"),
        ("x" * LONGEST, "x" * LONGEST),
    ],
)
def test_what_is_a_name(typed: object, shown: str) -> None:
    assert checked_name(typed) == shown


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "is empty"),
        (" \t\n\u200b", "is empty"),
        (None, "is empty"),
        (float("nan"), "is empty"),
        ("x" * 10_000, "has 10,000 characters"),
        ("a\x00b", "character 2 is a control character"),
        ("a\x1b[31m", "control character"),
        (["a"], "expected text"),
        (b"a", "expected text"),
    ],
)
def test_what_is_no_name(typed: object, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        checked_name(typed)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("Anna", "aNNA"),
        ("Straße", "STRASSE"),
        ("É", unicodedata.normalize("NFD", "é")),
        ("Anna  Maria", "anna maria"),
        ("Ёлка", "ёЛКА"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
    ],
)
def test_one_name_in_two_spellings(one: str, two: str) -> None:
    assert name_key(checked_name(one)) == name_key(checked_name(two))


@pytest.mark.parametrize(("one", "two"), [("Anna", "Ana"), ("m²", "m2"), ("a b", "ab"), ("Е", "E")])
def test_two_names(one: str, two: str) -> None:
    assert name_key(checked_name(one)) != name_key(checked_name(two))
