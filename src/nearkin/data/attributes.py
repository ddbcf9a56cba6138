"""Attributes of classes: what a table says of each class, as numbers that a network takes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from jaxtyping import Float

from nearkin.data.cells import class_name, is_missing, labels_of_text, numbers_of_text, shown, texts
from nearkin.data.names import plain_text
from nearkin.data.tables import Table, read_table
from nearkin.errors import InvalidInput, SourceError, UnknownName

Kind = Literal["number", "flag", "category", "words"]

# What the column of the class names is called, if it is not named.
CLASS_COLUMNS = ("label", "class", "name")
# What parts the words of a cell: the first of these that the column holds.
SEPARATORS = ("|", ";", ",")
# Names that a message lists.
_NAMED = 5


@dataclass(frozen=True)
class AttributeColumn:
    """One column of attributes.

    Args:
        name: of the column.
        kind: "number"; "flag", 0 or 1; "category", one of several words; "words", any of several words.
        mean, std: of a number, over the classes trained on.
        words: that a category or a set of words is made of, in their order.
        separator: what parts the words of a text; "" if a text is one word.
    """

    name: str
    kind: Kind
    mean: float = 0.0
    std: float = 1.0
    words: tuple[str, ...] = ()
    separator: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Of its numbers: the column's own, or one for each word."""
        return tuple(f"{self.name}={word}" for word in self.words) if self.words else (self.name,)

    def numbers(self, cell: Any, *, unknown_words: bool = False) -> Float[np.ndarray, " k"]:
        """A cell as numbers.

        Args:
            cell: of a table.
            unknown_words: whether a category may be one that was not trained on.

        Raises:
            InvalidInput: no number, NaN, neither 0 nor 1, or empty where it must not be.
            UnknownName: a category that was not trained on.
        """
        if self.kind in ("number", "flag"):
            return np.array([self._number(cell)])
        found = self._words(cell)
        if self.kind == "category":
            if len(found) != 1:
                raise InvalidInput(f"'{self.name}' is {shown(cell)}: expected one of {_some(self.words)}")
            if found[0] not in self.words and not unknown_words:
                raise UnknownName(f"value of '{self.name}'", found[0], self.words)
        return np.isin(self.words, found).astype(np.float64)

    def scaled(self, numbers: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
        """As the network takes them: numbers standardised; a set of words as a vector of length 1 at most."""
        if self.kind == "words":
            return numbers / np.maximum(np.linalg.norm(numbers, axis=1, keepdims=True), 1)
        return (numbers - self.mean) / self.std

    def _number(self, cell: Any) -> float:
        allowed = "0 or 1" if self.kind == "flag" else "a number"
        try:
            number = float(cell)
        except (TypeError, ValueError):
            number = np.nan
        if not np.isfinite(number) or (self.kind == "flag" and number not in (0, 1)):
            what = "empty" if is_missing(cell) and not isinstance(cell, float) else shown(cell)
            raise InvalidInput(f"'{self.name}' is {what}: expected {allowed}")
        return number

    def _words(self, cell: Any) -> list[str]:
        try:
            return words_of(cell, self.separator)
        except ValueError as error:
            raise InvalidInput(f"'{self.name}' is {shown(cell)}: expected words") from error


@dataclass(frozen=True)
class Attributes:
    """What the attributes are, and how they become numbers; kept with a model.

    Args:
        columns: in the order of their numbers.

    Example:
        >>> of = Attributes.fit([{"legs": 4, "colour": "red"}, {"legs": 2, "colour": "blue"}])
        >>> of.names, of.numbers([{"legs": 3, "colour": "red"}]).tolist()
        (('legs', 'colour=blue', 'colour=red'), [[3.0, 0.0, 1.0]])
    """

    columns: tuple[AttributeColumn, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the numbers."""
        return tuple(name for column in self.columns for name in column.names)

    def numbers(
        self,
        rows: npt.ArrayLike | Sequence[Mapping[str, Any]],
        *,
        classes: Sequence[str] | None = None,
        unknown_words: bool = False,
    ) -> Float[np.ndarray, "n k"]:
        """Rows as numbers, in the order of `names`.

        Args:
            rows: mappings from the columns' names to their values; or the numbers themselves `[n, k]`.
            classes: names of the rows, for messages.
            unknown_words: whether a row may have a category, or only words, that were not trained on.

        Raises:
            InvalidInput: another number of them, NaN, infinity, a value of another kind, or none of the words is known.
            UnknownName: no such attribute.
        """
        if isinstance(rows, Sequence) and all(isinstance(row, Mapping) for row in rows):
            named = [f"row {row}" for row in range(len(rows))] if classes is None else [f"'{name}'" for name in classes]
            found = [self._row(name, row, unknown_words) for name, row in zip(named, rows, strict=True)]
            return np.array(found, dtype=np.float64).reshape(len(rows), len(self.names))
        return self._checked(rows)

    def scaled(self, numbers: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
        """Numbers as the network takes them, float32."""
        ends = np.cumsum([len(column.names) for column in self.columns])[:-1]
        parts = zip(self.columns, np.split(numbers, ends, axis=1), strict=True)
        return np.concatenate([column.scaled(part) for column, part in parts], axis=1).astype(np.float32)

    def to_dict(self) -> list[dict[str, Any]]:
        """As JSON has them."""
        return [asdict(column) for column in self.columns]

    @staticmethod
    def from_dict(columns: Sequence[Mapping[str, Any]]) -> "Attributes":
        """The inverse of `to_dict`."""
        return Attributes(tuple(AttributeColumn(**{**one, "words": tuple(one["words"])}) for one in columns))

    @staticmethod
    def fit(rows: Sequence[Mapping[str, Any]]) -> "Attributes":
        """The kinds of the columns, their words and their scale, from the classes trained on.

        Numbers that are all 0 or 1 are flags, other numbers are standardised. Text is words, parted by `|`, `;` or `,`;
        where each class has exactly one word, it is a category. Words of one class only teach nothing of others: those
        of a set are left out.

        Args:
            rows: at least one, all with the same columns.

        Raises:
            InvalidInput: a column that is partly text and partly numbers, or empty; no word that two classes share.
        """
        return Attributes(tuple(_fitted(name, [row[name] for row in rows]) for name in rows[0]))

    def _row(self, named: str, row: Mapping[str, Any], unknown_words: bool) -> Float[np.ndarray, " k"]:
        expected = [column.name for column in self.columns]
        for name in row:
            if name not in expected:
                raise UnknownName("attribute", name, expected)
        if missing := [name for name in expected if name not in row]:
            raise InvalidInput(f"attributes of {named}: {_quoted(missing)} missing: expected {_some(expected)}")
        try:
            numbers = np.concatenate(
                [column.numbers(row[column.name], unknown_words=unknown_words) for column in self.columns]
            )
        except InvalidInput as error:
            raise InvalidInput(f"attributes of {named}: {error}") from error
        if not unknown_words and not numbers.any() and all(column.kind == "words" for column in self.columns):
            cells = ", ".join(shown(row[name]) for name in expected)
            raise InvalidInput(
                f"attributes of {named}: {cells}: none of these words was trained on, expected some of "
                f"{_some([word for column in self.columns for word in column.words])}"
            )
        return numbers

    def _checked(self, rows: npt.ArrayLike | Sequence[Mapping[str, Any]]) -> Float[np.ndarray, "n k"]:
        expected = f"expected {len(self.names)} numbers a row ({_some(self.names)}), or mappings by name"
        try:
            numbers = np.atleast_2d(np.asarray(rows, dtype=np.float64))
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"attributes: {shown(rows)}: {expected}") from error
        if numbers.ndim != 2 or numbers.shape[1] != len(self.names):
            raise InvalidInput(f"attributes of shape {numbers.shape}: {expected}")
        if len(bad := np.argwhere(~np.isfinite(numbers))):
            row, column = bad[0]
            raise InvalidInput(
                f"attributes, row {row}: '{self.names[column]}' is {numbers[row, column]}: expected a number"
            )
        return numbers


@dataclass(frozen=True, eq=False)
class ClassTable:
    """A table with the attributes of classes, a row for each.

    Args:
        rows: by class name, mappings from columns to cells.
        source: where it was read, for messages.
    """

    rows: Mapping[str, Mapping[str, Any]]
    source: str

    def of(self, names: Sequence[str], columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """The rows of these classes, with these columns only.

        Raises:
            InvalidInput: a class has no row.
            UnknownName: no such column.
        """
        if missing := sorted(set(names) - set(self.rows)):
            raise InvalidInput(
                f"{self.source}: no row for {len(missing):,} of {len(set(names)):,} classes ({_quoted(missing)}): add "
                "a row for each class"
            )
        if columns is None:
            return [dict(self.rows[name]) for name in names]
        there = next(iter(self.rows.values()))
        for column in columns:
            if column not in there:
                raise UnknownName("column", column, there, f"it is looked for in {self.source}")
        return [{column: self.rows[name][column] for column in columns} for name in names]


def scaled_attributes(rows: Sequence[Mapping[str, Any]]) -> Float[np.ndarray, "n k"]:
    """Rows of a table as numbers, scaled by these rows themselves: for comparing classes by what is said of them."""
    attributes = Attributes.fit(rows)
    return attributes.scaled(attributes.numbers(rows, unknown_words=True))


def read_class_table(path: str | Path, *, label: str | None = None) -> ClassTable:
    """Read a table with a row per class.

    Args:
        path: CSV, TSV, JSON lines or Parquet.
        label: column of the class names, if the table has it; else `label`, `class` or `name`.

    Raises:
        SourceError: cannot be read; no column of class names, or none besides; a class without name or with two rows.
    """
    path = Path(path)
    if not path.is_file():
        raise SourceError(f"{path}: no such file: expected a table with a row of attributes for each class")
    table = read_table(path)
    key = _class_column(table, label)
    cells = table.columns[key]
    names = [class_name(cell) for cell in (cells if table.typed else labels_of_text(cells))]
    if None in names:
        raise SourceError(f"{path}: row {table.rows[names.index(None)]}: no class in column '{key}'")
    if twice := sorted(name for name, count in Counter(names).items() if name is not None and count > 1):
        raise SourceError(f"{path}: two rows for {_quoted(twice)}: expected one row a class")
    others = {plain_text(name): _typed(table, name) for name in table.columns if name != key}
    if not others:
        raise SourceError(f"{path}: no column besides '{key}': expected columns of attributes")
    rows = {str(name): {one: column[row] for one, column in others.items()} for row, name in enumerate(names)}
    return ClassTable(rows, str(path))


def words_of(cell: Any, separator: str) -> list[str]:
    """The words of a cell: a list, or a text that is parted; in lower case, without spaces around.

    Example:
        >>> words_of("Heart | red heart", "|"), words_of(["Love"], ""), words_of(None, "|")
        (['heart', 'red heart'], ['love'], [])
    """
    found = [part for text in texts(cell) for part in (text.split(separator) if separator else [text])]
    return [" ".join(word.split()).casefold() for word in found if word.strip()]


def _class_column(table: Table, label: str | None) -> str:
    names = list(table.columns)
    for wanted in (*([label] if label is not None else ()), *CLASS_COLUMNS):
        if found := [name for name in names if name.casefold() == wanted.casefold()]:
            return found[0]
    raise SourceError(
        f"{table.name}: no column of class names among {_some(names)}: call it one of {', '.join(CLASS_COLUMNS)}, or "
        "as --label says"
    )


def _typed(table: Table, name: str) -> Sequence[Any]:
    cells = table.columns[name]
    return cells if table.typed else numbers_of_text(cells, decimal_comma=table.decimal_comma)


def _fitted(name: str, cells: Sequence[Any]) -> AttributeColumn:
    """The column, its kind told by its cells."""
    there = [cell for cell in cells if not is_missing(cell)]
    if not there:
        raise InvalidInput(f"'{name}' is empty for all classes: fill it in, or leave the column out")
    if all(isinstance(cell, bool | int | float | np.number | np.bool_) for cell in there):
        numbers = np.array(there, dtype=np.float64)
        if len(there) < len(cells) or not np.isfinite(numbers).all():
            raise InvalidInput(f"'{name}' is empty or not finite for some classes: expected a number for each")
        if np.isin(numbers, (0, 1)).all():
            return AttributeColumn(name, "flag")
        return AttributeColumn(name, "number", float(numbers.mean()), float(numbers.std()) or 1.0)
    separator = next((sign for sign in SEPARATORS if any(isinstance(c, str) and sign in c for c in there)), "")
    column = AttributeColumn(name, "words", separator=separator)
    found = [column._words(cell) for cell in cells]
    count = Counter(word for words in found for word in set(words))
    if all(len(words) == 1 for words in found):
        return replace(column, kind="category", words=tuple(sorted(count)))
    shared = tuple(sorted(word for word, classes in count.items() if classes > 1))
    if not shared:
        raise InvalidInput(f"'{name}': no word is of two classes, so that nothing can be learned of others from it")
    return replace(column, words=shared)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
