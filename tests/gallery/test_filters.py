from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nearkin.data.items import Items, Picture
from nearkin.errors import InvalidInput, UnknownName
from nearkin.gallery.filters.syntax import check_text
from nearkin.gallery.gallery import Gallery
from nearkin.gallery.reader import as_id_array
from tests.fakes import FakeEncoder

GREATEST = 2**63 - 1


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    gallery = Gallery.create(tmp_path_factory.mktemp("filters") / "gallery", FakeEncoder(dim=2))
    items = Items.build(
        [Picture(f"/{i}.png") for i in range(6)],
        labels=["mug", "mug", "cup", None, "it's", "007"],
        captions=[[], ["red"], ["red", "big"], [], [], []],
        metadata={
            "price": [1.5, 2.5, -0.0, None, 5.5, float("inf")],
            "Цена, руб": [1, 2, 3, 4, None, GREATEST],
            "day": [date(2024, 5, day) for day in range(1, 7)],
            "sold": [True, False, None, True, True, False],
            "at": [datetime(2024, 5, 1, 12, second=second) for second in range(6)],
            "zoned": [datetime(2024, 5, 1, 12, second=second, tzinfo=UTC) for second in range(6)],
            "order": ["a\\b", "50%", "A_b", None, "x\ny", "ЖУК"],
            "Case": [1, 2, 3, 4, 5, 6],
            "case": [6, 5, 4, 3, 2, 1],
            'q"q': [0, 1, 2, 3, 4, 5],
            "tags": [[1], [2, 3], None, [], [4], [1]],
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
        ("label = 'mug'", [0, 1]),
        ("'mug' = label", [0, 1]),
        ("label == 'mug' AND label != 'cup'", [0, 1]),
        ("label = 'it''s' OR label IS NULL", [3, 4]),
        ("label IN ('cup', 'mug') AND NOT sold", [1]),
        ("label NOT IN ('cup', 'mug')", [4, 5]),
        ("price BETWEEN 2 AND 5", [1]),
        ("price NOT BETWEEN 2 AND 5", [0, 2, 4, 5]),
        ("PRICE > 5 -- a comment", [4, 5]),
        ("day < date '2024-05-03'", [0, 1]),
        ("day = '2024-05-03'", [2]),
        ("day <= TIMESTAMP '2024-05-02 00:00:00'", [0, 1]),
        ("at >= '2024-05-01 12:00:03' AND at > DATE '2024-05-01'", [3, 4, 5]),
        ("zoned >= '2024-05-01 14:00:03+02:00'", [3, 4, 5]),
        ("zoned >= TIMESTAMP '2024-05-01 12:00:03Z'", [3, 4, 5]),
        ("array_has(captions, 'red') AND array_length(captions) = 2", [2]),
        ("array_length(tags) = 0", [3]),
        ("tags IS NULL", [2]),
        ("uri LIKE '%/3.png'", [3]),
        ("item_id % 2 = 0\n AND\n price > 1", [0, 4]),
        ("false", []),
        ("1 = 1", [0, 1, 2, 3, 4, 5]),
        ("price > 1e9", [5]),
    ],
)
def test_what_passes(gallery: Gallery, where: str, ids: list[int]) -> None:
    assert found(gallery, where) == ids
    assert found(gallery, where) == ids


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        # Lance itself reads "price" as a text, which is never null.
        ('"price" IS NOT NULL', [0, 1, 2, 4, 5]),
        ('"price" IS NULL', [3]),
        ("\"label\" = 'mug'", [0, 1]),
        ('"Цена, руб" = 3', [2]),
        ("`Цена, руб` = 3", [2]),
        ('"q""q" = 3', [3]),
        # Lance itself gives CASE and "case" to whichever column comes first.
        ('"case" = 1', [5]),
        ('"Case" = 1', [0]),
        ("`order` LIKE 'A%'", [2]),
        ("label <> '\"price\"' AND label <> '`'", [0, 1, 2, 4, 5]),
    ],
)
def test_quoted_names_are_columns(gallery: Gallery, where: str, ids: list[int]) -> None:
    assert found(gallery, where) == ids


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        # Lance orders floats by their bits: -0.0 would be less than 0.
        ("price = 0", [2]),
        ("price = -0.0 AND price >= 0", [2]),
        ("item_id > 2.5", [3, 4, 5]),
        ("item_id = 2.5 OR item_id IN (1, 2.0, 2.5)", [1, 2]),
        ("item_id <> 2.5 AND 3 < item_id", [4, 5]),
        ('"Цена, руб" = 9223372036854775807', [5]),
        ('"Цена, руб" > 2.5', [2, 3, 5]),
        ("item_id > -9223372036854775808 AND item_id < 1", [0]),
        ("1.0 * item_id / 2 = 1.5 AND item_id DIV 2 = 1", [3]),
        ("10.0 / NULLIF(item_id - 3, 0) > 1", [4, 5]),
        ("- item_id < -3 AND -(2.5) < 0", [4, 5]),
        ("abs(price - 2) = 0.5 AND round(price) = 3", [1]),
        ("coalesce(price, 0) < 2", [0, 2, 3]),
        ("TRY_CAST(label AS INT) = 7", [5]),
        ("CAST(item_id AS TEXT) = '3'", [3]),
        ("year(day) = 2024 AND EXTRACT(month FROM day) = 5 AND day(day) = 2", [1]),
        ("lower(\"order\") = 'жук' OR upper(label) = 'CUP'", [2, 5]),
        ("length(\"order\") = 3 AND label || 'x' = 'mugx'", [0, 1]),
        ("starts_with(label, 'm') OR ends_with(label, 'p') OR contains(label, '''')", [0, 1, 2, 4]),
        ("regexp_like(label, '^[a-z]+$')", [0, 1, 2]),
    ],
)
def test_numbers_and_functions(gallery: Gallery, where: str, ids: list[int]) -> None:
    assert found(gallery, where) == ids


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        # A backslash is a character as any other unless ESCAPE says otherwise.
        ("\"order\" LIKE '%\\%'", [0]),
        ("\"order\" LIKE '%!%' ESCAPE '!'", [1]),
        ("\"order\" LIKE '%\\%' ESCAPE '\\'", [1]),
        ("\"order\" LIKE '_!_b' ESCAPE '!'", [2]),
        ("\"order\" LIKE 'x_y'", [4]),
        ("\"order\" NOT LIKE '_!_b' ESCAPE '!'", [0, 1, 4, 5]),
        ("NOT \"order\" LIKE '%b'", [1, 4, 5]),
        ("\"order\" ILIKE 'a%' OR \"order\" ILIKE 'жук'", [0, 2, 5]),
    ],
)
def test_patterns(gallery: Gallery, where: str, ids: list[int]) -> None:
    assert found(gallery, where) == ids


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("price IS NULL OR price > 5", [3, 4, 5]),
        ("NOT (price > 2)", [0, 2]),
        ("(price > 2) IS NULL", [3]),
        ("sold IS TRUE", [0, 3, 4]),
        ("sold IS NOT TRUE", [1, 2, 5]),
        ("sold IS FALSE OR sold IS UNKNOWN", [1, 2, 5]),
        ("sold = false", [1, 5]),
        ("NOT (sold AND label = 'mug')", [1, 2, 4, 5]),
        ("label IS DISTINCT FROM 'mug'", [2, 3, 4, 5]),
        ("label IS NOT DISTINCT FROM NULL", [3]),
        ("price IS NOT DISTINCT FROM 2.5", [1]),
        ("NOT label = 'mug' AND sold OR label = 'cup'", [2, 4]),
    ],
)
def test_logic_of_null(gallery: Gallery, where: str, ids: list[int]) -> None:
    assert found(gallery, where) == ids


@pytest.mark.parametrize(
    ("where", "position", "token", "reason"),
    [
        ("price > > 3", 9, '">"', "expected an expression"),
        ("price > 3 label = 'x'", 11, '"label"', "expected the end, AND or OR"),
        ("price > 3 )", 11, '")"', "no parenthesis is open"),
        ("(price > 3", 11, "end of filter", "expected )"),
        ("price >", 8, "end of filter", "expected an expression"),
        ("label = 'mug", 9, '"\'mug"', "this quote is not closed"),
        ("label = 'it''s", 9, "\"'it''s\"", "this quote is not closed"),
        ('"label = 1', 1, '""label = 1"', "this quote is not closed"),
        ("price > 1 /* x", 11, '"/* x"', "this comment is not closed"),
        ("price = 1; DROP", 10, '";"', "expected the end, AND or OR"),
        ("price > 3\nAND = sold", 15, '"="', "expected an expression"),
        ("label = 'a > b' AND", 20, "end of filter", "expected an expression"),
        ("label = 'a' {# AND sold #}", 13, '"{"', "expected the end, AND or OR"),
        ("price AS p", 7, '"AS"', "expected the end, AND or OR"),
    ],
)
def test_a_syntax_error_is_named_with_its_position(
    gallery: Gallery, where: str, position: int, token: str, reason: str
) -> None:
    with pytest.raises(InvalidInput) as error:
        found(gallery, where)
    assert f"syntax error at position {position} ({token}): {reason}" in str(error.value)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("", "where is empty"),
        ("-- price > 3", "holds only a comment"),
        ("label = 3", "compares label (text) with 3 (integers): put the value in single quotes, as in '3'"),
        ("3 = label", "put the value in single quotes"),
        ("price = '3'", "write the number without quotes"),
        ("label = item_id", "say CAST(item_id AS TEXT)"),
        ("sold = 1", "compares sold (true or false) with 1 (integers): say sold or NOT sold"),
        ("sold = 'true'", "say sold or NOT sold"),
        ("day = 2024-05-01", "put the date in single quotes, as in '2024-05-01'"),
        ("[price] IS NOT NULL", "has brackets in ARRAY(price): a column's name goes in double quotes"),
        ("case = 3", 'put a column whose name is a word of SQL in double quotes: "Case", "case"'),
        ("label IN ('a', 3)", "compares label (text) with 3"),
        ("item_id IN (price)", "more than values in the list after IN"),
        ("captions = 'red'", "use array_has(captions, 'text')"),
        ("zoned > '2024-05-01 12:00:00'", "with an offset"),
        ("at > '2024-05-01 12:00:00Z'", "only where the column has one"),
        ("day > '1.5.2024'", "is no date or time: expected '2024-05-01'"),
        ("day = '2024-02-30'", "is no date or time"),
        ("price + 1", "gives numbers, not true or false"),
        ("NOT price", "has price (numbers) as a condition"),
        ("price AND sold", "has price (numbers) as a condition"),
        ("NULL", "gives NULL"),
        ("price = NULL", "is never true: use IS NULL"),
        ("price NOT IN (1, NULL)", "is never true: use IS NULL"),
        ("1 < item_id < 3", "join them with AND or OR"),
        ("sold = price IS NULL", "join them with AND or OR"),
        ("3 IS NOT DISTINCT FROM item_id <= sold", "join them with AND or OR"),
        ("item_id IS DISTINCT FROM item_id NOT BETWEEN sold AND sold", "join them with AND or OR"),
        ("1.5 IS NOT DISTINCT FROM price == TRUE", "join them with AND or OR"),
        ("price IS DISTINCT FROM 1.5 IN (TRUE)", "join them with AND or OR"),
        ("item_id / 2 = 1", "1.0 * item_id / 2, or item_id DIV 2"),
        ("CAST(price AS INT) = 2", "databases do in different ways; use round()"),
        ("CAST(label AS INT) = 2", "fails on an item: Cannot cast string 'mug'"),
        # Lance computes what has no column before it reads a row, and fails otherwise.
        ("CAST('a_b' AS DOUBLE) + price > 2", "Cannot cast string 'a_b'"),
        ("CAST('x' AS INT) = item_id", "Cannot cast string 'x'"),
        ("CAST('1.5.2024' AS DATE) = day", "1.5.2024"),
        ("label = 'mug' AND 1 / 0.0 > 2", "divides by zero"),
        ("price / item_id > 1", "divides by zero; NULLIF(item_id, 0) passes over it (1 item)"),
        ("price - price = 0", "price - price is not a number (1 item)"),
        ("`Цена, руб` + 1 > 0", "is beyond 64 bits (1 item)"),
        ("`Цена, руб` = price", "has more digits than a float holds (1 item)"),
        ("price = 9007199254740993", "beside the integer 9007199254740993"),
        ("item_id < 9223372036854775808", "is beyond 64 bits"),
        ("price < 1e999", "too large"),
        ("item_id IN (SELECT 1)", "uses what a filter cannot"),
        ("label IN ()", "after IN: expected values in parentheses"),
        ("label LIKE 3", "expected a pattern in single quotes"),
        ("item_id LIKE '3'", "compares item_id, which holds integers, by LIKE"),
        ("label LIKE 'a!b' ESCAPE '!'", "the escape character !"),
        ("label LIKE 'a' ESCAPE '!!'", "expected one character"),
        ("label LIKE ANY ('a', 'b')", "uses what a filter cannot"),
        ("label SIMILAR TO 'a'", "uses what a filter cannot"),
        ("captions[0] = 'red'", "uses what a filter cannot"),
        ("CASE WHEN sold THEN true ELSE false END", "unknown function 'case'"),
        ("label COLLATE nocase = 'MUG'", "unknown function 'collate'"),
        ("lower(price) = 'x'", "expected text"),
        ("regexp_like(label, item_id)", "expected text, text"),
        ("round(price, 1) = 2", "round()"),
        ("extract(hour FROM at) = 12", "expected year, month or day"),
        ("CAST(label AS FROB) = 1", "casts to"),
    ],
)
def test_what_is_no_filter(gallery: Gallery, where: str, message: str) -> None:
    with pytest.raises(InvalidInput) as error:
        found(gallery, where)
    assert message in str(error.value)
    assert "/home/" not in str(error.value)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("prise > 3", "unknown column 'prise': did you mean price"),
        ('"prise" IS NULL', "unknown column 'prise': did you mean price"),
        ('"Price" > 3', "unknown column 'Price': did you mean price"),
        ("label = mug", "unknown column 'mug': .*text goes in single quotes"),
        ('label = "mug"', "unknown column 'mug': .*text goes in single quotes"),
        ("shop.price = 3", "unknown column 'shop.price'"),
        ("vector IS NULL", "unknown column 'vector'"),
        ("lowr(label) = 'x'", "unknown function 'lowr': did you mean lower"),
        ("random() > 0.5", "unknown function"),
    ],
)
def test_an_unknown_name_with_near_names(gallery: Gallery, where: str, message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        found(gallery, where)


def test_a_name_that_two_columns_have_but_for_the_case(gallery: Gallery) -> None:
    gallery.update({"Sum": 1, "sum": 2}, where="true", create=True)
    with pytest.raises(InvalidInput, match="names the column SUM, which may be Sum or sum: put it in double quotes"):
        found(gallery, "SUM = 1")
    assert found(gallery, "Sum = 1 AND sum = 2") == [0, 1, 2, 3, 4, 5]


def test_a_filter_of_a_thousand_terms(gallery: Gallery) -> None:
    assert found(gallery, " OR ".join(f"item_id = {i}" for i in range(3, 1000))) == [3, 4, 5]
    assert found(gallery, f"item_id IN ({', '.join(map(str, range(3, 20_000)))})") == [3, 4, 5]
    with pytest.raises(InvalidInput, match="nested too deeply"):
        found(gallery, "(" * 5000 + "true" + ")" * 5000)


@pytest.mark.parametrize(
    "where",
    [
        "CAST(label AS INT) = 2",
        "CAST('x' AS INT) = item_id",
        "CAST('x' AS DOUBLE) + price > 2",
        "CAST(label AS DOUBLE) + 1 > 2",
    ],
)
def test_a_filter_that_fails_is_refused_by_all_that_take_one(gallery: Gallery, tmp_path: Path, where: str) -> None:
    before = gallery.version
    for use in (
        lambda: gallery.delete(where=where),
        lambda: gallery.delete(where=where, dry_run=True),
        lambda: gallery.update({"label": "x"}, where=where),
        lambda: gallery.select(where=where),
        lambda: gallery.export(tmp_path / "out.parquet", where=where),
        lambda: gallery.to_pandas(where=where),
        lambda: gallery.search(0, where=where),
    ):
        with pytest.raises(InvalidInput, match="fails on an item: Cannot cast string"):
            use()
    assert gallery.version == before
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize(
    "where",
    [
        # A column's name in the wrong quotes: each of these would hold for every item, and empty the gallery.
        "'price' IS NOT NULL",
        "'label' <> 'mug'",
        "'label' LIKE '%'",
        "'x' BETWEEN 'a' AND 'z'",
        "'label' IN ('label', 'x')",
        "length('label') > 2",
        "coalesce('label', 'x') <> 'mug'",
        "sold OR ('price' IS NOT NULL)",
        "NOT 'label' = 'mug'",
        # A column called null.
        "null IS NULL",
        "starts_with('label', 'l')",
    ],
)
def test_what_asks_of_no_column_is_refused(gallery: Gallery, where: str) -> None:
    with pytest.raises(InvalidInput, match=r"asks of no column .* a column's name in double quotes or none"):
        gallery.delete(where=where)
    assert len(gallery) == 6


@pytest.mark.parametrize("where", [5, True, b"label = 'mug'", ["label = 'mug'"], {"label": "mug"}, Path("x")])
def test_a_filter_is_a_text(where: Any) -> None:
    with pytest.raises(InvalidInput, match="expected a text of SQL"):
        check_text(where)


@pytest.mark.parametrize(
    "ids",
    [[True, False], np.ones(6, bool), [1.5], [1.0], ["1"], "1", b"1", 1, [None], [2**63], np.array([[1]]), slice(2)],
)
def test_ids_are_whole_numbers(ids: Any) -> None:
    with pytest.raises(InvalidInput, match="expected whole numbers, such as"):
        as_id_array(ids)


def test_ids_may_come_one_by_one(gallery: Gallery) -> None:
    assert gallery.delete(iter([1, 2]), dry_run=True) == 2
    assert gallery.update({"label": None}, iter([3])) == 1
