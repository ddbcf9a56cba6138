from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nearkin.errors import InvalidInput
from nearkin.gallery.query import kind_of, terms_of
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


def test_vectors_from_files_and_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("red.npy", np.array([0.6, 0.8]))
    for query in ("red.npy", Path("red.npy"), [0.6, 0.8], (0.6, 0.8)):
        (term,) = terms_of(query)
        assert (kind_of(term.value), list(term.value)) == ("vector", pytest.approx([0.6, 0.8]))
    first, second = terms_of("#7 - 0.5 * red.npy")
    assert (first.value, second.weight, list(second.value)) == (7, -0.5, [0.6, 0.8])
    np.save("two.npy", np.eye(2))
    Path("none.npy").write_bytes(b"")
    np.save("objects.npy", np.array([None]), allow_pickle=True)
    for name, reason in {
        "two.npy": r"'two.npy' is an array of shape \(2, 2\): expected one vector",
        "none.npy": "'none.npy' holds no vector",
        "objects.npy": "'objects.npy' holds no vector",
        "gone.npy": "cannot read the vector in 'gone.npy': No such file",
    }.items():
        with pytest.raises(InvalidInput, match=reason):
            terms_of(name)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (["red", "blue"], "the list holds no vector"),
        ([10**400, 1], "the list holds no vector"),
        ([[1.0, 2.0]], "the list is an array of shape"),
        ([(7, float("nan"))], "the weight of a term is nan"),
        ([(7, "much")], "expected a part and its weight"),
        ([(7, 1.0, 2.0)], "expected a part and its weight"),
        ([(7, 0.0)], "the weights of all terms are 0"),
        ('0 * #7 + 0 * "red"', "the weights of all terms are 0"),
    ],
)
def test_queries_that_are_none(query: object, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        terms_of(query)


def test_what_no_query_can_be() -> None:
    assert kind_of(Image.new("L", (2, 2))) == "picture"
    with pytest.raises(InvalidInput, match="a query of type NoneType: expected words, a picture"):
        kind_of(None)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    draw_noise(tmp_path, [1])
    draw_noise(tmp_path / "photos", [7])
    for name in ("cat.png", "img_0001.png", "photos/dog 1.png"):
        (tmp_path / name).write_bytes((tmp_path / "1.png").read_bytes())
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("photos", "'photos' is a folder: a query is one picture, such as a file in it; to search for these words"),
        ("photos/", "'photos/' is a folder"),
        (Path("photos"), "is a folder"),
        ("cat", "no such file: 'cat', did you mean cat.png.; to search for these words, quote them: .cat.$"),
        ("CAT", "did you mean cat.png"),
        ("img_001", "did you mean img_0001.png"),
        ("photos/dog 1", "did you mean dog 1.png"),
        ("photos/dog 2", "no such file: 'photos/dog 2'"),
        ("photos/7.jpg", "no such file: 'photos/7.jpg', did you mean 7.png"),
        ("elsewhere/cat", "no such file: 'elsewhere/cat'; to search for these words, quote them: .elsewhere/cat.$"),
        ("/nowhere at all/cat", "no such file"),
        ("~/cat", "no such file"),
        (Path("cat"), "no such file"),
        ("missing.png", "no such file: 'missing.png'"),
    ],
)
def test_what_looks_like_a_path_is_not_taken_for_words(folder: Path, query: str | Path, message: str) -> None:
    (term,) = terms_of(query)
    with pytest.raises(InvalidInput, match=message):
        kind_of(term.value)


@pytest.mark.parametrize(
    "words", ["red mug", "black/white shoes", "dog", "notes", "cat food", "a photo of a cat", "x" * 5000]
)
def test_what_are_words(folder: Path, words: str) -> None:
    (term,) = terms_of(words)
    assert kind_of(term.value) == "words"


@pytest.mark.parametrize("quoted", ["cat", "photos", "photos/8.png", "missing.png", "a/b"])
def test_quotes_make_words_of_anything(folder: Path, quoted: str) -> None:
    for query in (f'"{quoted}"', f'#3 + 0.5 * "{quoted}"'):
        term = terms_of(query)[-1]
        assert (kind_of(term.value), term.value) == ("words", quoted)
    (term,) = terms_of('"photos/dog 1.png"')
    assert kind_of(term.value) == "picture", "quotes around a file's name keep its spaces"
