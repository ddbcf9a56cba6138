"""Counts in sentences."""

import pytest

from nearkin.wording import counted


@pytest.mark.parametrize(
    ("count", "noun", "expected"),
    [
        (0, "picture", "0 pictures"),
        (1, "class", "1 class"),
        (2, "class", "2 classes"),
        (1, "copy", "1 copy"),
        (3, "copy", "3 copies"),
        (1200, "item", "1,200 items"),
    ],
)
def test_counted(count: int, noun: str, expected: str) -> None:
    assert counted(count, noun) == expected
