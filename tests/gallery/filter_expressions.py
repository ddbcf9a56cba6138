"""Filters drawn at random, and what DuckDB makes of them on the same rows."""

import random
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from hypothesis import strategies as st

from nearkin.data.items import Items, Picture
from nearkin.gallery.gallery import Gallery
from tests.fakes import FakeEncoder

TEXTS = (
    "", "a", "mug", "Mug", "it's", 'say "x"', "a\\b", "50%", "A_b", "a_b", "x\ny", "жук", "ЖУК", "é", "e\u0301", "😀",
    "007", "1.5", " a", "NULL", "true", "2024-05-01", "`", "--", "/*", "a b", "price", "\\", "%", "_",
)  # fmt: skip
INTEGERS = (0, 1, -1, 2, 3, 7, 10, -5)
BIG = (0, 1, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 10**15)
FLOATS = (0.0, -0.0, 1.5, -2.5, 0.1, 2.0, 1e300, float("inf"), float("-inf"), 9007199254740992.0, 1e-320, 3.0)
DAYS = (date(2024, 5, 1), date(2024, 2, 29), date(1969, 12, 31), date(1, 1, 1), date(9999, 12, 31))
MOMENTS = (datetime(2024, 5, 1), datetime(2024, 5, 1, 12, 30, 5, 250000), datetime(1969, 12, 31, 23, 59, 59, 999999))
LISTS = ([], ["a"], ["a", "mug"], ["it's"], ["жук", "😀"])

# Columns by kind; names with spaces, Unicode, quotes, keywords, and two that differ in case alone.
COLUMNS: dict[str, tuple[str, ...]] = {
    "text": ("label", "a b", "order", "Имя", 'q"q'), "int": ("n", "m", "Цена, руб", "case", "Case"), "big": ("big",),
    "float": ("price", "Select"), "bool": ("sold", "is"), "date": ("day", "date"), "timestamp": ("seen",),
    "moment": ("zoned",), "list": ("captions",),
}  # fmt: skip
PLAIN = {"label", "n", "m", "big", "price", "sold", "day", "seen", "zoned", "captions"}
_VALUES: dict[str, tuple[Any, ...]] = {
    "text": TEXTS, "int": INTEGERS, "big": BIG, "float": FLOATS, "bool": (True, False), "date": DAYS,
    "timestamp": MOMENTS, "moment": tuple(moment.replace(tzinfo=UTC) for moment in MOMENTS), "list": LISTS,
}  # fmt: skip


def make_gallery(folder: Path, count: int = 60, seed: int = 0) -> Gallery:
    """A gallery with all COLUMNS; a fifth of the values is null."""
    generator = random.Random(seed)
    table = {
        name: [None if generator.random() < 0.2 else generator.choice(_VALUES[kind]) for _ in range(count)]
        for kind, names in COLUMNS.items()
        for name in names
    }
    labels, captions = table.pop("label"), [texts or [] for texts in table.pop("captions")]
    gallery = Gallery.create(folder, FakeEncoder(dim=2))
    pictures = [Picture(f"/{row}.png") for row in range(count)]
    items = Items.build(pictures, labels=labels, captions=captions, metadata=table)
    gallery.add_vectors(items, np.ones((count, 2)))
    return gallery


def duckdb_answers(gallery: Gallery) -> Callable[[str], list[int]]:
    """What DuckDB answers to a filter: the ids of the rows that pass."""
    snapshot = gallery._newest().snapshot
    table = snapshot.read(list(snapshot.columns))
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = true; SET threads = 1")
    renamed = table.rename_columns([name if name != "Case" else "Case " for name in table.column_names])
    connection.register("given", renamed)
    # A table of its own: what DuckDB pushes down into Arrow is not its own arithmetic.
    connection.execute("CREATE TABLE items AS SELECT * FROM given")
    for macro in ("regexp_like(a, b) AS regexp_matches(a, b)", "array_length(a) AS len(a)"):
        connection.execute(f"CREATE MACRO {macro}")

    def answers(where: str) -> list[int]:
        found = connection.execute(f"SELECT item_id FROM items WHERE {where}\n ORDER BY item_id").fetchall()
        return [id for (id,) in found]

    return answers


class Drawn:
    """A filter in nearkin's SQL, built part by part.

    Args:
        draw: Hypothesis's own.
        strange: whether values of other kinds stand where one is due, now and then.
    """

    def __init__(self, draw: Any, *, strange: bool) -> None:
        self._draw = draw
        self._strange = strange

    def one_of(self, *choices: Any) -> Any:
        return self._draw(st.sampled_from(choices))

    def chance(self, share: int) -> bool:
        """True once in so many times."""
        return self._draw(st.integers(0, share - 1)) == share - 1

    def column(self, kind: str) -> str:
        name = self.one_of(*COLUMNS[kind])
        way = self.one_of("plain", "double", "double", "backtick")
        if way == "plain" and name in PLAIN:
            return self.one_of(name, name, name.upper(), name.capitalize())
        quote = "`" if way == "backtick" else '"'
        return quote + name.replace(quote, quote * 2) + quote

    def value(self, kind: str, depth: int) -> str:
        if self._strange and self.chance(12):
            kind = self.one_of(*(each for each in COLUMNS if each != "list"))
        if depth <= 0 or self.chance(3):
            return self.column(kind) if self.chance(2) else self.literal(kind)
        return getattr(self, f"_{kind}", lambda depth: self.column(kind))(depth - 1)

    def literal(self, kind: str) -> str:
        value = self.one_of(*(value for value in _VALUES[kind] if value not in (float("inf"), float("-inf"))))
        if kind == "text":
            return "'" + value.replace("'", "''") + "'"
        if kind in ("int", "big"):
            return self.one_of(str(value), str(value), f"{value}.0" if abs(value) < 10**6 else str(value))
        if kind == "float":
            return self.one_of(repr(value), "2.5", "1e2", ".5", "3")
        if kind == "bool":
            return str(value).upper()
        if kind == "date":
            return self.one_of("DATE ", "", "date ") + f"'{value}'"
        if kind == "timestamp":
            return self.one_of("TIMESTAMP ", "") + f"'{value}'"
        return self.one_of("TIMESTAMPTZ ", "") + f"'{value}'"

    def _text(self, depth: int) -> str:
        form = self.one_of("lower({})", "upper({})", "{} || {}", "coalesce({}, {})", "nullif({}, {})")
        if self.chance(5):
            return f"CAST({self.value(self.one_of('int', 'bool', 'date'), depth)} AS TEXT)"
        return form.format(*(self.value("text", depth) for _ in range(form.count("{}"))))

    def _int(self, depth: int) -> str:
        forms = ("{} + {}", "{} - {}", "{} * {}", "{} % {}", "{} DIV {}", "-{}", "({} + {})", "coalesce({}, {})")
        form = self.one_of(*forms, "nullif({}, {})", "length", "year", "month", "day", "array_length", "cast")
        if form == "length":
            return f"length({self.value('text', depth)})"
        if form in ("year", "month", "day"):
            moment = self.value(self.one_of("date", "timestamp"), 0)
            return self.one_of(f"{form}({moment})", f"EXTRACT({form} FROM {moment})")
        if form == "array_length":
            return f"array_length({self.column('list')})"
        if form == "cast":
            kind = self.one_of("text", "bool", "float")
            return f"{self.one_of('CAST', 'TRY_CAST')}({self.value(kind, depth)} AS INT)"
        kind = self.one_of("int", "int", "int", "big")
        return form.format(*(self.value(kind, depth) for _ in range(form.count("{}"))))

    _big = _int

    def _float(self, depth: int) -> str:
        signs = ("{} + {}", "{} - {}", "{} * {}", "{} / {}", "-{}")
        form = self.one_of(*signs, "abs({})", "round({})", "coalesce({}, {})")
        if self.chance(6):
            return f"{self.one_of('CAST', 'TRY_CAST')}({self.value(self.one_of('text', 'int'), depth)} AS DOUBLE)"
        kinds = [self.one_of("float", "float", "int") for _ in range(form.count("{}"))]
        return form.format(*(self.value(kind, depth) for kind in kinds))

    def _date(self, depth: int) -> str:
        return self.one_of(f"CAST({self.value('timestamp', 0)} AS DATE)", self.column("date"))

    def _bool(self, depth: int) -> str:
        return self.condition(depth)

    def condition(self, depth: int) -> str:
        """A condition, with parentheses or without."""
        if depth > 0 and self.chance(2):
            left, right = (self.condition(depth - 1) for _ in range(2))
            joined = self.one_of("{} AND {}", "{} OR {}", "NOT {}", "({} AND {})", "({} OR {})", "NOT ({})")
            return joined.format(left, right)
        kind = self.one_of("text", "text", "int", "int", "big", "float", "float", "bool", "date", "timestamp", "moment")
        one, two, three = (self.value(kind, depth) for _ in range(3))
        if kind == "float" and self.chance(3):
            two = self.value(self.one_of("int", "big"), depth)
        sign = self.one_of("=", "=", "<>", "!=", "<", "<=", ">", ">=", "==")
        forms = [f"{one} {sign} {two}"] * 4
        forms += [f"{one} IS NULL", f"{one} IS NOT NULL", f"{one} BETWEEN {two} AND {three}"]
        forms += [f"{one} NOT BETWEEN {two} AND {three}", f"{one} IS DISTINCT FROM {two}"]
        forms += [f"{one} IS NOT DISTINCT FROM {two}", f"{self.column('bool')}", f"NOT {self.column('bool')}"]
        forms += [f"{self.column('bool')} IS {self.one_of('TRUE', 'FALSE', 'NOT TRUE', 'NOT FALSE', 'UNKNOWN')}"]
        listed = ", ".join(self.literal(kind) for _ in range(self.one_of(1, 2, 3)))
        listed += ", NULL" if self.chance(10) else ""
        forms += [f"{one} IN ({listed})", f"{one} NOT IN ({listed})"] * 2
        if kind == "text":
            forms += [self._pattern(one)] * 4
            forms += [f"{name}({one}, {two})" for name in ("starts_with", "ends_with", "contains")]
            forms += [f"array_has({self.column('list')}, {two})", f"regexp_like({one}, '^[a-zа-я]+$')"]
        return self.one_of(*forms)

    def _pattern(self, text: str) -> str:
        pattern = "".join(self._draw(st.lists(st.sampled_from("a%_b\\!жЖ'\nM"), max_size=5))).replace("'", "''")
        escape = self.one_of("", "", "", " ESCAPE '!'", " ESCAPE '\\'")
        return f"{text} {self.one_of('LIKE', 'NOT LIKE', 'ILIKE')} '{pattern}'{escape}"


@st.composite
def filters(draw: Any) -> str:
    """A filter, in part one that must be refused."""
    drawn = Drawn(draw, strange=draw(st.integers(0, 3)) == 0)
    where = drawn.condition(draw(st.integers(0, 3)))
    return where + draw(st.sampled_from(["", "", "", "", "\n", " -- a 'comment", ' /* " */']))


def for_duckdb(where: str) -> str:
    """The same filter in DuckDB's SQL: names in double quotes, `//` for DIV, NULL for UNKNOWN."""
    parts, position = [], 0
    while position < len(where):
        sign = where[position]
        if sign in "'\"`":
            end = position + 1
            while where[end] != sign or where[end : end + 2] == sign * 2:
                end += 2 if where[end] == sign else 1
            quoted = where[position : end + 1]
            if sign != "'":
                name = quoted[1:-1].replace(sign * 2, sign)
                # DuckDB has no columns that differ in case alone.
                name = "Case " if name == "Case" else name
                quoted = '"' + name.replace('"', '""') + '"'
            parts.append(quoted)
            position = end + 1
        elif where.startswith(("--", "/*"), position):
            # A comment stands at the end.
            break
        elif where.startswith("UNKNOWN", position):
            parts.append("NULL")
            position += 7
        elif where[position : position + 5] == " DIV ":
            parts.append(" // ")
            position += 5
        else:
            parts.append(sign)
            position += 1
    return "".join(parts)
