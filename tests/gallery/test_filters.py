from datetime import date

import numpy as np
import pytest

from nearkin.data.items import Items, Picture
from nearkin.errors import InvalidInput, UnknownName
from nearkin.gallery.gallery import Gallery
from tests.fakes import FakeEncoder


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    gallery = Gallery.create(tmp_path_factory.mktemp("filters") / "gallery", FakeEncoder(dim=2))
    items = Items.build(
        [Picture(f"/{i}.png") for i in range(6)],
        labels=["mug", "mug", "cup", None, "it's", "mug"],
        captions=[[], ["red"], ["red", "big"], [], [], []],
        metadata={
            "price": [1.5, 2.5, 3.5, None, 5.5, 6.5],
            "Цена в рублях": [1, 2, 3, 4, 5, 6],
            "day": [date(2024, 5, day) for day in range(1, 7)],
            "sold": [True, False, None, True, True, False],
        },
    )
    angles = np.arange(6) / 10
    gallery.add_vectors(items, np.stack([np.cos(angles), np.sin(angles)], 1))
    return gallery


def found(gallery: Gallery, where: str) -> list[int]:
    return gallery.search(np.array([1.0, 0.0]), k=10, where=where).ids.tolist()


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("label = 'mug'", [0, 1, 5]),
        ("label = 'it''s' OR label IS NULL", [3, 4]),
        ("label IN ('cup', 'mug') AND NOT sold", [1, 5]),
        ("price BETWEEN 2 AND 5", [1, 2]),
        ("PRICE > 5 -- a comment", [4, 5]),
        ("`Цена в рублях` >= 5", [4, 5]),
        ("day < date '2024-05-03'", [0, 1]),
        ("array_has(captions, 'red')", [1, 2]),
        ("uri LIKE '%/3.png'", [3]),
        ("item_id % 2 = 0\n AND\n price > 1", [0, 2, 4]),
        ("false", []),
        ("price > 1e9", []),
    ],
)
def test_what_passes(gallery: Gallery, where: str, ids: list[int]) -> None:
    assert found(gallery, where) == ids
    assert found(gallery, where) == ids


@pytest.mark.parametrize(
    ("where", "position", "token", "reason"),
    [
        ("price > > 3", 9, ">", "wanted an expression"),
        ("price > 3 label = 'x'", 11, "label", "wanted the end or AND, OR"),
        ("price > 3 )", 11, ")", "no parenthesis is open"),
        ("(price > 3", 11, "the end", "wanted"),
        ("price >", 8, "the end", "wanted an expression"),
        ("label = 'mug", 9, "'mug", "this quote is not closed"),
        ("price = 1; DROP", 10, ";", "wanted the end or AND, OR"),
        ("price > 3\nAND = sold", 15, "=", "wanted an expression"),
        ("label = 'a > b' AND", 20, "the end", "wanted an expression"),
    ],
)
def test_a_slip_is_named_with_its_position(
    gallery: Gallery, where: str, position: int, token: str, reason: str
) -> None:
    with pytest.raises(InvalidInput) as error:
        found(gallery, where)
    assert f"slip at position {position}, at {token}: {reason}" in str(error.value)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("", "where is empty"),
        ("label = 3", 'where "label = 3": Received literal Int64'),
        ("price + 1", "does not return a boolean"),
        ("frob(price) = 1", "Invalid function 'frob'"),
        ("10 / (item_id - 3) > 1", "fails on an item: Divide by zero"),
        ("item_id IN (SELECT 1)", "not supported"),
    ],
)
def test_what_is_no_filter(gallery: Gallery, where: str, message: str) -> None:
    with pytest.raises(InvalidInput) as error:
        found(gallery, where)
    assert message in str(error.value)
    assert "/home/" not in str(error.value)


def test_an_unknown_column_with_near_names(gallery: Gallery) -> None:
    with pytest.raises(UnknownName, match="unknown column 'prise': did you mean price"):
        found(gallery, "prise > 3")
    with pytest.raises(UnknownName, match=r"unknown column 'mug': .*text goes in single quotes"):
        found(gallery, "label = mug")
