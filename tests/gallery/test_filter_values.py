"""What filters become: typed literals, columns brought to 64 bits, exact comparisons of integers with floats."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest

from nearkin.errors import InvalidInput
from nearkin.gallery.filters import values
from nearkin.gallery.filters.condition import checked_filter

COLUMNS = {
    "n": pa.int64(), "small": pa.int32(), "x": pa.float64(), "price": pa.float32(), "label": pa.string(),
    "uri": pa.string(), "day": pa.date32(), "at": pa.timestamp("us"), "zoned": pa.timestamp("us", "UTC"),
    "sold": pa.bool_(), "tags": pa.list_(pa.string()),
    "caf\u00e9": pa.int64(),
}  # fmt: skip
X, SMALL = "(CAST(`x` AS DOUBLE) + CAST('0' AS DOUBLE))", "CAST(`small` AS BIGINT)"
N = "CAST(`n` AS DOUBLE)"
MAY = "CAST('2024-05-01 00:00:00' AS TIMESTAMP)"
BEYOND = f"CAST('{2.0**63!r}' AS DOUBLE)"
LEAST, GREATEST = -(2**63), 2**63 - 1


def sql(where: str) -> str:
    return checked_filter(where, COLUMNS).sql


def guards(where: str) -> list[str]:
    return [guard.sql for guard in checked_filter(where, COLUMNS).guards]


@pytest.mark.parametrize(
    ("part", "made", "shown"),
    [
        (values.text("it's"), "'it''s'", "'it''s'"),
        (values.text("a", "say a"), "'a'", "say a"),
        (values.boolean(True), "true", "True"),
        (values.boolean(False, "no"), "false", "no"),
        (values.integer(0), "0", "0"),
        (values.integer(1), "1", "1"),
        (values.integer(-1), "(-1)", "-1"),
        (values.integer(7, "seven"), "7", "seven"),
        (values.integer(GREATEST), str(GREATEST), str(GREATEST)),
        (values.integer(LEAST + 1), f"({LEAST + 1})", str(LEAST + 1)),
        (values.integer(LEAST), f"(CAST('{LEAST}' AS BIGINT))", str(LEAST)),
        (values.real(1.5), "CAST('1.5' AS DOUBLE)", "1.5"),
        (values.real(-0.0, "zero"), "CAST('0.0' AS DOUBLE)", "zero"),
        (values.day(date(2024, 5, 1)), "CAST('2024-05-01' AS DATE)", "DATE '2024-05-01'"),
        (values.day(date(2024, 5, 1), "May"), "CAST('2024-05-01' AS DATE)", "May"),
        (values.moment(datetime(2024, 5, 1)), MAY, "TIMESTAMP '2024-05-01 00:00:00'"),
        (values.moment(datetime(2024, 5, 1), "May"), MAY, "May"),
        (
            values.moment(datetime(2024, 5, 1, 2, tzinfo=timezone(timedelta(hours=2)))),
            MAY,
            "TIMESTAMP '2024-05-01 02:00:00+02:00'",
        ),
        (values.moment(datetime(2024, 5, 1, tzinfo=UTC), "May"), MAY, "May"),
        (values.as_real(values.integer(3, "three")), "CAST('3.0' AS DOUBLE)", "three"),
        (values.as_real(values.column("small", pa.int32(), "s")), f"CAST({SMALL} AS DOUBLE)", "s"),
        (values.as_real(values.real(2.5)), "CAST('2.5' AS DOUBLE)", "2.5"),
        (values.column("n", pa.int64(), "n"), "`n`", "n"),
        (values.column("small", pa.int32(), "small"), SMALL, "small"),
        (values.column("x", pa.float64(), "x"), X, "x"),
    ],
)  # fmt: skip
def test_parts(part: values.Part, made: str, shown: str) -> None:
    assert (part.sql, part.shown) == (made, shown)


@pytest.mark.parametrize(
    ("number", "whole"),
    [
        (0.0, True),
        (1.5, False),
        (-3.0, True),
        (2.0**62, True),
        (2.0**63, False),
        (-(2.0**63), True),
        (-(2.0**64), False),
        (float("inf"), False),
        (float("-inf"), False),
        (float("nan"), False),
    ],
)
def test_whole_numbers_of_64_bits(number: float, whole: bool) -> None:
    assert values.is_whole(number) is whole


@pytest.mark.parametrize(
    ("where", "made"),
    [
        # A number with a sign.
        ("n > -3", "(`n` > (-3))"),
        ("x > -1.5", f"({X} > CAST('-1.5' AS DOUBLE))"),
        ("n = -(-2)", "(`n` = 2)"),
        ("n + -(2) = 1", "((`n` + (-2)) = 1)"),
        ("x > -(1.5)", f"({X} > CAST('-1.5' AS DOUBLE))"),
        ("-n < 3", "((0 - `n`) < 3)"),
        ("round(n) = 4", f"(round({N}) = CAST('4.0' AS DOUBLE))"),
        ("at = TIMESTAMP '2024-05-01'", f"(`at` = {MAY})"),
        ("-x < 3", f"((CAST('0.0' AS DOUBLE) - {X}) < CAST('3.0' AS DOUBLE))"),
        # Integers beside floats, without a change of value.
        ("n = 2.0", "(`n` = 2)"),
        ("n > 2.5", f"({N} > CAST('2.5' AS DOUBLE))"),
        ("2.5 < n", f"(CAST('2.5' AS DOUBLE) < {N})"),
        ("n > 1e30", f"({N} > CAST('1e+30' AS DOUBLE))"),
        (f"x > {2**53}", f"({X} > CAST('{2.0**53!r}' AS DOUBLE))"),
        ("sold IS TRUE", "(`sold` IS TRUE)"),
        ("sold IS NOT FALSE", "(NOT (`sold` IS FALSE))"),
        # Dates beside timestamps, and functions.
        ("at > day", "(`at` > CAST(`day` AS TIMESTAMP))"),
        ("day < at", "(CAST(`day` AS TIMESTAMP) < `at`)"),
        ("coalesce(n) = 7", "(coalesce(`n`) = 7)"),
        ("cardinality(tags) = 2", "(CAST(array_length(`tags`) AS BIGINT) = 2)"),
        ("list_has(tags, 'red')", "array_has(`tags`, 'red')"),
        ("coalesce(n, 7) = 7", "(coalesce(`n`, 7) = 7)"),
        ("nullif(label, 'x') = 'y'", "(nullif(`label`, 'x') = 'y')"),
        ("label || 'a' = 'ba'", "((`label` || 'a') = 'ba')"),
        # Texts are composed, but for those beside paths.
        ("label = 'e\u0301'", "(`label` = '\u00e9')"),
        ("uri = 'e\u0301'", "(`uri` = 'e\u0301')"),
        ("URI = ('e\u0301')", "(`uri` = 'e\u0301')"),
        ("'e\u0301' <> uri", "('e\u0301' <> `uri`)"),
        ("label = 'e\u0301' OR uri = 'e\u0301'", "((`label` = '\u00e9') OR (`uri` = 'e\u0301'))"),
        # A column's name is composed as well.
        ("cafe\u0301 = 1", "(`caf\u00e9` = 1)"),
        ("label || 'uri' = 'e\u0301'", "((`label` || 'uri') = '\u00e9')"),
        ("label = 'uri' AND label <> 'e\u0301'", "((`label` = 'uri') AND (`label` <> '\u00e9'))"),
    ],
)
def test_what_lance_is_given(where: str, made: str) -> None:
    assert sql(where) == made


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (f"x = {2**53 + 1}", "has floats beside the integer 9007199254740993"),
        (f"x = -{2**53 + 1}", "has floats beside the integer -9007199254740993"),
        ("x = n + 0.5 OR label + 1 = 2", "computes label \\+ 1 with label \\(text\\): expected numbers"),
        ("x DIV 2 = 1", "uses DIV in .* for other numbers than integers: use /"),
        ("n DIV 2.0 = 1", "uses DIV in .* for other numbers than integers: use /"),
        ("label || n = 'a1'", "joins other values than text in label \\|\\| n"),
        ("n || label = '1a'", "joins other values than text in n \\|\\| label"),
        ("label = 5", "put the value in single quotes, as in '5'"),
        ("label = n", "say CAST\\(n AS TEXT\\)"),
        ("n = '5'", "write the number without quotes"),
        ("n = label", "compares n \\(integers\\) with label \\(text\\)$"),
        ("sold = 1", "say sold or NOT sold"),
        ("day = 2024", "put the date in single quotes"),
        ("tags = 'red'", "use array_has\\(tags, 'text'\\)"),
        ("at = zoned", "give the time with an offset"),
        ("sold IS (1 = 1)", "uses what a filter cannot"),
        ("coalesce(n, 'a') = 7", "mixes kinds of values in COALESCE\\(n, 'a'\\)"),
        ("coalesce(tags, tags) IS NULL", "mixes kinds of values"),
        ("length(n) = 1", "gives length\\(\\) the values n \\(integers\\): expected text"),
        ("EXTRACT(year FROM label) = 1", "gives year\\(\\) the values label \\(text\\): expected dates"),
        # Where a syntax error stands.
        ('label = "x', 'at position 9 \\(""x"\\): this quote is not closed'),
        ("label /* x", "at position 7 .*this comment is not closed"),
        ("n >", "at position 4 \\(end of filter\\): expected an expression"),
        ("n IS", "at position 5 \\(end of filter\\): expected an expression"),
        ("NOT (", "at position 6 \\(end of filter\\): expected an expression"),
        ("n +", "at position 4 \\(end of filter\\): expected an expression"),
        ("label RLIKE 'a' ESCAPE '!'", "uses what a filter cannot: REGEXP_LIKE"),
        ("n = *", 'at position 5 \\("\\*"\\): expected an expression'),
        ("n = 1 AND\n  x = *", 'at position 17 \\("\\*"\\)'),
        ("n = 1 AND\nn = 2 3", 'at position 17 \\("3"\\): expected the end, AND or OR'),
        ("day = DATE '2024-05-01 12:00:00'", "which is no date"),
        ("x = (1 +", "at position 9 \\(end of filter\\): expected \\)"),
        ("nullif(n) = 1", 'at position 9 \\("\\)"\\): expected an expression'),
        ("nullif(n, 1, 2) = 1", 'at position 15 \\("\\)"\\): expected the end, AND or OR'),
        ("label = 'a' ESCAPE '!'", 'at position 13 \\("ESCAPE"\\): expected the end, AND or OR'),
    ],
)
def test_what_is_refused(where: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        sql(where)


@pytest.mark.parametrize(
    ("where", "checked"),
    [
        ("x > n", [f"abs(CAST(`n` AS DOUBLE)) > CAST('{2.0**53!r}' AS DOUBLE)"]),
        (f"x > {2**53}", []),
        ("n > 2.5", []),
        ("n > 0.5", []),
        ("n > 1e30", [f"abs({N}) > CAST('{2.0**53!r}' AS DOUBLE)"]),
        ("-n < 3", [f"abs(CAST(0 AS DOUBLE) - CAST(`n` AS DOUBLE)) >= {BEYOND}"]),
        ("n % 2 = 1", ["2 = 0", f"abs(CAST(`n` AS DOUBLE) % CAST(nullif(2, 0) AS DOUBLE)) >= {BEYOND}"]),
    ],
)  # fmt: skip
def test_what_is_checked_on_the_items_first(where: str, checked: list[Any]) -> None:
    assert guards(where) == [f"({each})" for each in checked]
