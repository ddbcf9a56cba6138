"""A filter's syntax tree to a condition that Lance may be given: columns resolved, kinds of values checked.

What SQL databases read in different ways is refused, with the way to say it clearly: a filter may go to a delete.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from nearkin.arrow import pa
from nearkin.data.names import plain_text
from nearkin.errors import InvalidInput, UnknownName
from nearkin.gallery.filters import values
from nearkin.gallery.filters.functions import ALIASES, FUNCTIONS, Function, kinds_fit, known_functions
from nearkin.gallery.filters.like import like_pattern
from nearkin.gallery.filters.syntax import parse
from nearkin.gallery.filters.tree import is_beside_a_path, says_nothing_of_items, tests_in
from nearkin.gallery.filters.values import NAMES, Kind, Part

_NUMBERS = ("int", "float")
_COMPARISONS = {"EQ": "=", "NEQ": "<>", "LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="}
_ARITHMETIC = {"Add": "+", "Sub": "-", "Mul": "*", "Div": "/", "IntDiv": "/", "Mod": "%"}
# Names that other databases give to types.
_TYPES: dict[str, tuple[Kind, str]] = {
    "BOOLEAN": ("bool", "BOOLEAN"), "INT": ("int", "BIGINT"), "BIGINT": ("int", "BIGINT"),
    "DOUBLE": ("float", "DOUBLE"), "TEXT": ("text", "STRING"), "VARCHAR": ("text", "STRING"),
    "DATE": ("date", "DATE"), "TIMESTAMP": ("timestamp", "TIMESTAMP"),
}  # fmt: skip
_TIMES: dict[str, Kind] = {"DATE": "date", "TIMESTAMP": "timestamp", "TIMESTAMPTZ": "moment"}
# What a cast may do: whatever cannot change a value or depend on how a database rounds and prints.
_CASTS: set[tuple[Kind, Kind]] = {
    ("int", "float"), ("int", "text"), ("bool", "text"), ("bool", "int"), ("text", "int"), ("text", "float"),
    ("date", "text"), ("date", "timestamp"), ("text", "date"), ("timestamp", "date"),
}  # fmt: skip


@dataclass(frozen=True)
class Guard:
    """A condition that must hold for no item, for the filter would not mean there what it says.

    Args:
        sql: the condition.
        reason: what is wrong with the items for which it holds.
    """

    sql: str
    reason: str


@dataclass(frozen=True)
class Condition:
    """A filter, checked.

    Args:
        sql: what Lance may be given.
        guards: what must hold for no item.
    """

    sql: str
    guards: tuple[Guard, ...] = ()


def checked_filter(where: str, columns: Mapping[str, pa.DataType]) -> Condition:
    """The filter in a form that means to Lance what it says.

    Args:
        where: an SQL expression, such as `label = 'mug' AND price < 10`. Text goes in single quotes; a column whose
            name is no plain word in double quotes or backticks.
        columns: names and types of those there are.

    Raises:
        InvalidInput: not an expression, or not one that is true or false; the position of a syntax error is named; a
            comparison of values of different kinds, such as text and numbers.
        UnknownName: no such column or function; near names are suggested.

    Example:
        >>> checked_filter('"price" > 3', {"price": pa.int64()}).sql
        '(`price` > 3)'
    """
    translation = _Translation(where, columns)
    tree = parse(where, columns)
    part = translation.part(tree)
    if part.kind != "bool":
        raise translation.refuse(f"gives {NAMES[part.kind]}, not true or false: expected a comparison")
    for test in tests_in(tree):
        if says_nothing_of_items(test):
            raise translation.refuse(
                f"asks of no column in {test.sql()}, which holds for all items or for none: text goes in single "
                "quotes, a column's name in double quotes or none"
            )
    return Condition(part.sql, tuple(translation.guards))


def fails_on_an_item(where: str, error: Exception) -> InvalidInput:
    """What only the values show, such as a text that is no number."""
    reason = re.split(r", /\w+/", str(error))[0]
    reason = re.split(r"(?:Invalid user input|Arrow error|External error|Execution error|Cast error): ", reason)[-1]
    return InvalidInput(f'where "{where}" fails on an item: {reason}')


@dataclass
class _Translation:
    where: str
    columns: Mapping[str, pa.DataType]
    guards: list[Guard] = field(default_factory=list)

    def refuse(self, reason: str) -> InvalidInput:
        return InvalidInput(f'where "{self.where}" {reason}')

    def part(self, node: Any) -> Part:
        """A node of the tree; every argument that it has must be one that is read here."""
        name = type(node).__name__
        if name in _COMPARISONS:
            return self._comparison(node, _COMPARISONS[name])
        if name in _ARITHMETIC:
            return self._arithmetic(node, name)
        reader: Callable[[Any], Part] | None = getattr(self, f"_{name.lower()}", None)
        if reader is not None:
            return reader(node)
        return self._function(node)

    def _read(self, node: Any, *names: str) -> list[Any]:
        """These arguments of a node, all that it has."""
        extra = {name for name, value in node.args.items() if value and name not in names and name[0] != "_"}
        extra -= {"safe", "coalesce", "big_int", "is_numeric"} if type(node).__name__ in ("DPipe", "Div") else set()
        if extra:
            raise self._unsupported(node)
        return [node.args.get(name) for name in names]

    def _unsupported(self, node: Any) -> InvalidInput:
        return self.refuse(f"uses what a filter cannot: {node.sql()}")

    # Names and literals.

    def _column(self, node: Any) -> Part:
        (identifier,) = self._read(node, "this") if not node.args.get("table") else (None,)
        if identifier is None:
            raise UnknownName("column", node.sql(), self.columns, "put a name with dots in double quotes")
        name, quoted = identifier.this, identifier.quoted
        if name not in self.columns:
            # As names of columns are kept.
            name = plain_text(name)
        if name not in self.columns:
            same = [] if quoted else [known for known in self.columns if known.lower() == name.lower()]
            if len(same) > 1:
                raise self.refuse(f"names the column {name}, which may be {' or '.join(same)}: put it in double quotes")
            if not same:
                raise UnknownName("column", name, self.columns, f'in where "{self.where}"; text goes in single quotes')
            name = same[0]
        return values.column(name, self.columns[name], node.sql())

    def _literal(self, node: Any) -> Part:
        if node.is_string:
            # Paths are kept as they came, all other texts composed: both forms of a letter are one.
            return values.text(node.this if is_beside_a_path(node) else plain_text(node.this))
        if re.fullmatch(r"\d+", node.this):
            return self._integer(int(node.this), node.sql())
        number = float(node.this)
        if number in (float("inf"), float("-inf")):
            raise self.refuse(f"holds the number {node.this}, which is too large")
        return values.real(number, node.sql())

    def _integer(self, number: int, shown: str) -> Part:
        if not values.LEAST <= number <= values.GREATEST:
            raise self.refuse(f"holds the integer {shown}, which is beyond 64 bits")
        return values.integer(number, shown)

    def _boolean(self, node: Any) -> Part:
        return values.boolean(bool(node.this))

    def _null(self, node: Any) -> Part:
        return Part("NULL", "null", "NULL")

    def _paren(self, node: Any) -> Part:
        (inner,) = self._read(node, "this")
        part = self.part(inner)
        return Part(part.sql, part.kind, f"({part.shown})", part.value, part.is_condition)

    def _neg(self, node: Any) -> Part:
        (inner,) = self._read(node, "this")
        if type(inner).__name__ == "Literal" and not inner.is_string and re.fullmatch(r"\d+", inner.this):
            return self._integer(-int(inner.this), node.sql())
        part = self._number(self.part(inner), node)
        if part.value is not None:
            return values.integer(-part.value) if part.kind == "int" else values.real(-part.value)
        return self._computed(values.integer(0) if part.kind == "int" else values.real(0.0), "-", part, node)

    # True and false.

    def _and(self, node: Any) -> Part:
        return self._joined(node, "AND")

    def _or(self, node: Any) -> Part:
        return self._joined(node, "OR")

    def _joined(self, node: Any, word: str) -> Part:
        # A long chain leans to the left: walked without recursion, for a thousand terms are no mistake.
        name, parts = type(node).__name__, []
        while type(node).__name__ == name:
            left, right = self._read(node, "this", "expression")
            parts.append(self._truth(self.part(right)))
            node = left
        parts.append(self._truth(self.part(node)))
        return _condition(f" {word} ".join(part.sql for part in reversed(parts)))

    def _not(self, node: Any) -> Part:
        (inner,) = self._read(node, "this")
        return _condition(f"NOT {self._truth(self.part(inner)).sql}")

    def _truth(self, part: Part) -> Part:
        if part.kind != "bool":
            raise self.refuse(f"has {part.shown} ({NAMES[part.kind]}) as a condition: compare it with a value")
        return part

    def _is(self, node: Any) -> Part:
        this, expression = self._read(node, "this", "expression")
        part, what = self._plain(self.part(this), this), self.part(expression)
        if what.kind == "null":
            # A column is asked as it stands, for one of any type may be null.
            return _condition(f"{_bare(part)} IS NULL")
        if what.kind == "bool" and what.value is not None:
            return _condition(f"{self._truth(part).sql} IS {what.sql.upper()}")
        raise self._unsupported(node)

    # Comparisons.

    def _comparison(self, node: Any, sign: str) -> Part:
        this, expression = self._read(node, "this", "expression")
        return self._compared(self._plain(self.part(this), this), sign, self._plain(self.part(expression), expression))

    def _nullsafeeq(self, node: Any) -> Part:
        return _condition(f"NOT {self._nullsafeneq(node).sql}")

    def _nullsafeneq(self, node: Any) -> Part:
        this, expression = self._read(node, "this", "expression")
        left, right = (self._plain(self.part(side), side) for side in (this, expression))
        if "null" in (left.kind, right.kind):
            other = right if left.kind == "null" else left
            return _condition(f"{_bare(other)} IS NOT NULL")
        same = self._compared(left, "=", right).sql
        nulls = [f"({_bare(part)} IS NULL)" for part in (left, right)]
        return _condition(f"NOT coalesce({same}, {nulls[0]} AND {nulls[1]})")

    def _between(self, node: Any) -> Part:
        this, low, high = self._read(node, "this", "low", "high")
        part, least, most = (self._plain(self.part(each), each) for each in (this, low, high))
        return _condition(f"{self._compared(part, '>=', least).sql} AND {self._compared(part, '<=', most).sql}")

    def _in(self, node: Any) -> Part:
        this, entries = self._read(node, "this", "expressions")
        if not entries:
            raise self.refuse("has an empty list, or a query, after IN: expected values in parentheses")
        part = self._plain(self.part(this), this)
        listed = [self.part(entry) for entry in entries]
        if any(entry.value is None and entry.kind != "null" for entry in listed):
            raise self.refuse("has more than values in the list after IN: expected text, numbers or dates")
        # In groups of a kind, since a list in Lance is of one.
        equal = [self._coerced(part, entry) for entry in map(self._known, listed)]
        groups: dict[str, list[str]] = {}
        for left, right in equal:
            groups.setdefault(left.sql, []).append(right.sql)
        return _condition(" OR ".join(f"{left} IN ({', '.join(right)})" for left, right in groups.items()))

    def _like(self, node: Any, *, word: str = "LIKE", escape: str = "") -> Part:
        this, expression, negate = self._read(node, "this", "expression", "negate")
        part, pattern = self._plain(self.part(this), this), self.part(expression)
        if part.kind != "text":
            raise self.refuse(f"compares {part.shown}, which holds {NAMES[part.kind]}, by {word}: expected text")
        if pattern.kind != "text" or pattern.value is None:
            raise self.refuse(f"has {pattern.shown} after {word}: expected a pattern in single quotes")
        try:
            sql = f"{part.sql} {word} {values.text(like_pattern(pattern.value, escape)).sql}"
        except ValueError as error:
            raise self.refuse(f"has a pattern that {error}") from error
        return _condition(f"NOT ({sql})" if negate else sql)

    def _ilike(self, node: Any) -> Part:
        return self._like(node, word="ILIKE")

    def _escape(self, node: Any) -> Part:
        like, sign = self._read(node, "this", "expression")
        if not (type(sign).__name__ == "Literal" and sign.is_string and len(sign.this) == 1):
            raise self.refuse(f"has {sign.sql()} after ESCAPE: expected one character in single quotes")
        name = type(like).__name__
        if name == "Not":
            return _condition(f"NOT {self._escape(type(node)(this=like.this, expression=sign)).sql}")
        if name not in ("Like", "ILike"):
            raise self._unsupported(node)
        return self._like(like, word=name.upper(), escape=sign.this)

    def _plain(self, part: Part, node: Any) -> Part:
        """An operand of a comparison. Databases differ in `a < b < c`, and in `a = b IS NULL`, around which sqlglot
        puts parentheses of its own."""
        names = [type(node).__name__, type(getattr(node, "this", None)).__name__]
        if part.is_condition and (names[0] != "Paren" or names[1] in ("Is", "NullSafeEQ", "NullSafeNEQ")):
            raise self.refuse(f"compares {node.sql()}, a comparison: join them with AND or OR, or use parentheses")
        return part

    def _known(self, part: Part) -> Part:
        if part.kind == "null":
            raise self.refuse("compares with NULL, which is never true: use IS NULL or IS NOT NULL")
        return part

    def _compared(self, left: Part, sign: str, right: Part) -> Part:
        left, right = self._coerced(self._known(left), self._known(right))
        return _condition(f"{left.sql} {sign} {right.sql}")

    def _coerced(self, left: Part, right: Part) -> tuple[Part, Part]:
        """Both in one kind, without a change of value."""
        if right.value is None and left.value is not None:
            right, left = self._coerced(right, left)
            return left, right
        kinds = (left.kind, right.kind)
        if kinds == ("int", "float") and right.value is not None and values.is_whole(right.value):
            return left, values.integer(int(right.value), right.shown)
        if kinds == ("int", "float") and right.value is not None and right.value % 1:
            # Rounding to floats keeps the order to a number between two integers.
            return values.as_real(left), right
        if set(kinds) == {"int", "float"}:
            return self._as_real(left), self._as_real(right)
        if right.kind == "text" and right.value is not None and left.kind in ("date", "timestamp", "moment"):
            return self._coerced(left, self._time(right, left))
        if kinds == ("timestamp", "date"):
            return left, self._as_timestamp(right)
        if kinds == ("date", "timestamp"):
            return self._as_timestamp(left), right
        if left.kind != right.kind or left.kind not in ("int", "float", "text", "bool", "date", "timestamp", "moment"):
            raise self._mismatch(left, right)
        return left, right

    def _mismatch(self, left: Part, right: Part) -> InvalidInput:
        hint = ""
        if left.kind == "text" and right.kind in (*_NUMBERS, "bool"):
            hint = f": put the value in single quotes, as in '{right.shown}'" if right.value is not None else ""
            hint = hint or f": say CAST({right.shown} AS TEXT)"
        elif right.kind == "text" and right.value is not None and left.kind in _NUMBERS:
            hint = ": write the number without quotes"
        elif left.kind == "bool" and right.value is not None:
            hint = f": say {left.shown} or NOT {left.shown}"
        elif left.kind in ("date", "timestamp", "moment") and right.kind in _NUMBERS:
            hint = ": put the date in single quotes, as in '2024-05-01'"
        elif "texts" in (left.kind, right.kind):
            hint = f": use array_has({left.shown}, 'text')"
        elif {left.kind, right.kind} == {"timestamp", "moment"}:
            hint = ": give the time with an offset, such as '2024-05-01 12:00:00+00:00', only where the column has one"
        return self.refuse(f"compares {left.shown} ({NAMES[left.kind]}) with {right.shown} ({NAMES[right.kind]}){hint}")

    def _time(self, part: Part, other: Part) -> Part:
        """A text that stands where a date or a timestamp is due."""
        text = part.value
        try:
            if re.fullmatch(r"\d{4}-\d\d-\d\d", text) and other.kind != "moment":
                return values.day(date.fromisoformat(text))
            # A fraction of more than microseconds would be cut off.
            if re.fullmatch(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d(:?\d\d)?)?", text):
                return values.moment(datetime.fromisoformat(text))
        except ValueError:
            pass
        example = "2024-05-01 12:00:00+00:00" if other.kind == "moment" else "2024-05-01"
        raise self.refuse(f"compares {other.shown} with {part.shown}, which is no date or time: expected '{example}'")

    def _as_timestamp(self, part: Part) -> Part:
        return Part(f"CAST({part.sql} AS TIMESTAMP)", "timestamp", part.shown, part.value)

    def _as_real(self, part: Part) -> Part:
        if part.kind == "int" and part.value is not None and abs(part.value) > 2**53:
            raise self.refuse(f"has floats beside the integer {part.value}, which not all floats are exact for")
        if part.kind == "int" and part.value is None:
            exact = values.real(2.0**53).sql
            self._guard(
                f"abs(CAST({part.sql} AS DOUBLE)) > {exact}", f"{part.shown} has more digits than a float holds"
            )
        return values.as_real(part)

    # Computed values.

    def _number(self, part: Part, node: Any) -> Part:
        if part.kind not in _NUMBERS:
            raise self.refuse(f"computes {node.sql()} with {part.shown} ({NAMES[part.kind]}): expected numbers")
        return part

    def _arithmetic(self, node: Any, name: str) -> Part:
        this, expression = self._read(node, "this", "expression")
        left, right = (self._number(self.part(each), node) for each in (this, expression))
        if name == "Div" and left.kind == right.kind == "int":
            raise self.refuse(
                f"divides integers in {node.sql()}, which some databases round and others do not: write "
                f"1.0 * {left.shown} / {right.shown}, or {left.shown} DIV {right.shown} for the integer part"
            )
        if name == "IntDiv" and "float" in (left.kind, right.kind):
            raise self.refuse(f"uses DIV in {node.sql()} for other numbers than integers: use /")
        return self._computed(left, _ARITHMETIC[name], right, node)

    def _computed(self, left: Part, sign: str, right: Part, node: Any) -> Part:
        shown = node.sql()
        if left.kind != right.kind:
            left, right = self._as_real(left), self._as_real(right)
        if sign in "/%":
            zero = "0" if right.kind == "int" else values.real(0.0).sql
            way_out = f"; NULLIF({right.shown}, 0) passes over it" if right.value is None else ""
            self._guard(f"{right.sql} = {zero}", f"{shown} divides by zero{way_out}")
            right = Part(f"nullif({right.sql}, {zero})", right.kind, right.shown)
        sql = f"({left.sql} {sign} {right.sql})"
        if left.kind == "float":
            self._guard(f"isnan({sql})", f"{shown} is not a number")
        else:
            as_floats = f"CAST({left.sql} AS DOUBLE) {sign} CAST({right.sql} AS DOUBLE)"
            limit = values.real(float(values.GREATEST)).sql
            self._guard(f"abs({as_floats}) >= {limit}", f"{shown} is beyond 64 bits")
        return Part(sql, left.kind, shown)

    def _dpipe(self, node: Any) -> Part:
        this, expression = self._read(node, "this", "expression")
        parts = [self.part(each) for each in (this, expression)]
        if any(part.kind != "text" for part in parts):
            raise self.refuse(f"joins other values than text in {node.sql()}")
        return Part(f"({parts[0].sql} || {parts[1].sql})", "text", node.sql())

    def _cast(self, node: Any) -> Part:
        return self._converted(node, "CAST")

    def _trycast(self, node: Any) -> Part:
        return self._converted(node, "TRY_CAST")

    def _converted(self, node: Any, word: str) -> Part:
        this, to, _ = self._read(node, "this", "to", "safe")
        part, name = self.part(this), to.this.name
        if part.kind == "text" and part.value is not None and name in _TIMES and word == "CAST":
            return self._time_literal(part, name, node)
        if name not in _TYPES or to.expressions:
            raise self.refuse(f"casts to {to.sql()}: expected INT, DOUBLE, TEXT, BOOLEAN, DATE or TIMESTAMP")
        kind, sql = _TYPES[name]
        if part.kind == kind:
            return part
        if (part.kind, kind) not in _CASTS:
            hint = "; use round()" if (part.kind, kind) == ("float", "int") else ""
            raise self.refuse(
                f"casts {part.shown} ({NAMES[part.kind]}) to {NAMES[kind]}, which databases do in different ways{hint}"
            )
        return Part(f"{word}({part.sql} AS {sql})", kind, node.sql())

    def _time_literal(self, part: Part, name: str, node: Any) -> Part:
        """What `DATE '2024-05-01'` and `TIMESTAMP '2024-05-01 12:00:00'` say."""
        kind = _TIMES[name]
        made = self._time(part, Part("", kind, node.sql()))
        if (made.kind, kind) == ("date", "timestamp"):
            return values.moment(datetime.fromisoformat(part.value), node.sql())
        if made.kind != kind and (made.kind, kind) != ("moment", "timestamp"):
            raise self.refuse(f"has {node.sql()}, which is no {name.lower()}")
        return made

    def _function(self, node: Any) -> Part:
        from sqlglot import exp

        if isinstance(node, exp.Array):
            raise self.refuse(f"has brackets in {node.sql()}: a column's name goes in double quotes or none")
        if not isinstance(node, exp.Func):
            raise self._unsupported(node)
        written = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
        name = written.lower()
        name = ALIASES.get(name, name)
        if name in ("coalesce", "nullif", "extract"):
            return getattr(self, f"_call_{name}")(node)
        if name not in FUNCTIONS:
            raise UnknownName("function", written.lower(), known_functions(), f'in where "{self.where}"')
        return self._called(FUNCTIONS[name], name, self._arguments(node), node)

    def _arguments(self, node: Any) -> list[Part]:
        """The arguments of a call, which are all that the node has."""
        found = []
        for name, value in node.args.items():
            if (name == "this" and isinstance(value, str)) or not value or value is True:
                continue
            found += [self.part(each) for each in (value if isinstance(value, list) else [value])]
        return found

    def _called(self, function: Function, name: str, parts: list[Part], node: Any) -> Part:
        parts = [
            self._as_real(part) if kinds == ("float",) and part.kind == "int" else part
            for part, kinds in zip(parts, function.takes, strict=False)
        ] + parts[len(function.takes) :]
        if not kinds_fit(function, parts):
            takes = ", ".join(" or ".join(NAMES[kind] for kind in kinds) for kinds in function.takes)
            given = ", ".join(f"{part.shown} ({NAMES[part.kind]})" for part in parts)
            raise self.refuse(f"gives {name}() the values {given}: expected {takes}")
        return Part(function.sql(*(part.sql for part in parts)), function.gives, node.sql())

    def _call_extract(self, node: Any) -> Part:
        this, expression = self._read(node, "this", "expression")
        part = this.name.lower()
        if part not in ("year", "month", "day"):
            raise self.refuse(f"extracts {part}: expected year, month or day")
        return self._called(FUNCTIONS[part], part, [self.part(expression)], node)

    def _call_coalesce(self, node: Any) -> Part:
        this, others = self._read(node, "this", "expressions")
        parts = self._of_one_kind([this, *(others or [])], node)
        return Part(f"coalesce({', '.join(part.sql for part in parts)})", parts[0].kind, node.sql())

    def _call_nullif(self, node: Any) -> Part:
        parts = self._of_one_kind(self._read(node, "this", "expression"), node)
        if len(parts) != 2:
            raise self._unsupported(node)
        return Part(f"nullif({parts[0].sql}, {parts[1].sql})", parts[0].kind, node.sql())

    def _of_one_kind(self, nodes: list[Any], node: Any) -> list[Part]:
        parts = [self._known(self.part(each)) for each in nodes]
        kinds = {part.kind for part in parts}
        if kinds == {"int", "float"}:
            return [self._as_real(part) for part in parts]
        if len(kinds) != 1 or kinds & {"other", "texts", "numbers"}:
            raise self.refuse(f"mixes kinds of values in {node.sql()}")
        return parts

    def _guard(self, sql: str, reason: str) -> None:
        guard = Guard(f"({sql})", reason)
        if guard not in self.guards:
            self.guards.append(guard)


def _condition(sql: str) -> Part:
    return Part(f"({sql})", "bool", sql, is_condition=True)


def _bare(part: Part) -> str:
    """A column as it stands, without what brings its values into form."""
    return part.column or part.sql
