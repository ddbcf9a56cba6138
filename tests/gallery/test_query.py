from pathlib import Path

import pytest

from nearkin.errors import InvalidInput
from nearkin.gallery.query import terms_of
from tests.fakes import draw_noise


def parsed(query: str) -> list[tuple[object, float]]:
    return [(term.value, term.weight) for term in terms_of(query)]


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    draw_noise(tmp_path, [1])
    (tmp_path / "a - b.png").write_bytes((tmp_path / "1.png").read_bytes())
    return "1.png"


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("red mug", [("red mug", 1)]),
        ("black - white", [("black - white", 1)]),
        ("C++ - a book", [("C++ - a book", 1)]),
        ("- red", [("- red", 1)]),
        ('"red mug"', [("red mug", 1)]),
        ("#7", [(7, 1)]),
        (" #7 ", [(7, 1)]),
        ("#7th", [("#7th", 1)]),
        ('+ "red" - 1.png', [("red", 1), ("1.png", -1)]),
        ('1.png + "red"', [("1.png", 1), ("red", 1)]),
        ('- "red" + 1.png', [("red", -1), ("1.png", 1)]),
        ('0.5 * 1.png - 2*"a + b" + .25 * #3', [("1.png", 0.5), ("a + b", -2), (3, 0.25)]),
        ('+"red" -#3', [("red", 1), (3, -1)]),
        ("a - b.png", [("a - b.png", 1)]),
    ],
)
def test_terms(photo: str, query: str, terms: list[tuple[object, float]]) -> None:
    assert parsed(query) == terms


@pytest.mark.parametrize(
    ("query", "position"), [("1.png + red", 9), ('red + "blue"', 1), ("1.png + ", 9), ('#3 - "red" + old shoe', 14)]
)
def test_bare_words_in_a_mixture_are_refused(photo: str, query: str, position: int) -> None:
    with pytest.raises(InvalidInput, match=f"the term at position {position} is no picture, no #id"):
        terms_of(query)


def test_pairs(photo: str) -> None:
    terms = terms_of([(Path(photo), 1), ("a - b", -0.5), (7, 2.0)])
    assert [(term.value, term.weight) for term in terms] == [(Path(photo), 1), ("a - b", -0.5), (7, 2)]
