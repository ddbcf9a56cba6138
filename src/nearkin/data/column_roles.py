"""Which column of a table is what: from named columns to items."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from nearkin.data.cells import class_name, labels_of_text, numbers_of_text, shown, texts
from nearkin.data.items import Items, Picture, split_name
from nearkin.data.names import plain_text
from nearkin.data.region_columns import cut_to_regions
from nearkin.data.tables import Table, raise_faults
from nearkin.errors import UnknownName

_Value = TypeVar("_Value")

CAPTION_COLUMNS = ("caption", "captions", "text")
CAPTION_PREFIXES = ("caption_", "text_")
# The end of such a column's name, or of any that was chosen for captions, if it is a language: two or three letters.
LANGUAGE = re.compile(r"_([a-z]{2,3})$")

_FLAGS = dict.fromkeys(("true", "t", "yes", "y", "1", "1.0"), True)
_FLAGS |= dict.fromkeys(("false", "f", "no", "n", "0", "0.0"), False)


def build_items(
    table: Table,
    pictures: Sequence[Picture],
    *,
    label: str | None = None,
    captions: Sequence[str] | None = None,
    taken: Collection[str] = (),
) -> Items:
    """Items of a table whose rows have these pictures; rows of one picture, or of one region of it, become one item.

    Columns `x`, `y`, `width` and `height`, or `bbox`, make each row a region; see `cut_to_regions`. Captions of all
    rows of an item are kept, each text once. Label, split and roles must agree between its rows; of a further column
    the first value counts.

    Args:
        table: columns `split`, `is_query` and `is_gallery` have that meaning.
        pictures: one per row.
        label: column of class names; `label` by default, if there is one.
        captions: columns of texts; by default `caption`, `captions`, `text`, `caption_*` and `text_*`.
        taken: columns that say where the pictures are.

    Raises:
        UnknownName: no such column.
        SourceError: a value that is not allowed, or rows that disagree; row and column are named.
    """
    free = [name for name in table.columns if name not in taken]
    label = None if label is None else plain_text(label)
    captions = None if captions is None else [plain_text(name) for name in captions]
    for name in [label, *(captions or ())]:
        if name is not None and name not in free:
            raise UnknownName("column", name, free)
    label = label or _called("label", free)
    split, is_query, is_gallery = (_called(name, free) for name in ("split", "is_query", "is_gallery"))
    special = [label, split, is_query, is_gallery]
    if captions is None:
        captions = [name for name in free if name not in special and _holds_captions(name.lower())]
    regions = cut_to_regions(table, pictures, [name for name in free if name not in (*special, *captions)])
    if regions.columns is not None:
        pictures = regions.pictures
        columns = {name: cells for name, cells in table.columns.items() if name not in regions.taken}
        table = replace(table, columns={**columns, **regions.columns})
        free = [name for name in free if name not in regions.taken] + list(regions.columns)
    positions: dict[str, list[int]] = {}
    for position, picture in enumerate(pictures):
        positions.setdefault(picture.uri, []).append(position)
    rows = _MergedRows(table, list(positions.values()))
    items = Items.build(
        [pictures[first] for first, *_ in rows.positions],
        labels=rows.labels(label),
        captions=rows.texts(captions),
        splits=rows.agreed(split, _split, "train, val or test"),
        is_query=rows.flags(is_query),
        is_gallery=rows.flags(is_gallery),
        metadata={name: rows.first(name) for name in free if name not in (*special, *captions)},
        source=table.name,
        repeated_captions=rows.repeated_captions,
        languages=rows.languages,
    )
    raise_faults(table.name, rows.faults)
    return items


def _called(expected: str, names: Sequence[str]) -> str | None:
    return next((name for name in names if name.lower() == expected), None)


def _holds_captions(name: str) -> bool:
    return name in CAPTION_COLUMNS or name.startswith(CAPTION_PREFIXES)


class _MergedRows:
    """Columns with one value per picture, and the faults found on the way.

    Args:
        table: with a row per picture and caption.
        positions: for each picture those of its rows.
    """

    def __init__(self, table: Table, positions: Sequence[Sequence[int]]) -> None:
        self.table = table
        self.positions = positions
        self.faults: list[str] = []
        self.repeated_captions = 0
        self.languages: dict[str, str] = {}

    def first(self, name: str) -> list[Any]:
        """The first value that is not empty; numbers where a column of text holds nothing else."""
        cells: Sequence[Any] = self.table.columns[name]
        if not self.table.typed and not all(cell is None or isinstance(cell, float) for cell in cells):
            cells = numbers_of_text(cells, decimal_comma=self.table.decimal_comma)
        return [
            next((cells[position] for position in positions if cells[position] is not None), None)
            for positions in self.positions
        ]

    def labels(self, name: str | None) -> list[str | None] | None:
        """The class that all rows of a picture agree on."""
        if name is None:
            return None
        cells = self.table.columns[name]
        return self._agreed(name, cells if self.table.typed else labels_of_text(cells), class_name, "a class")

    def agreed(
        self, name: str | None, parse: Callable[[Any], _Value | None], expected: str
    ) -> list[_Value | None] | None:
        """The value that all rows of a picture agree on, empty cells aside."""
        return None if name is None else self._agreed(name, self.table.columns[name], parse, expected)

    def _agreed(
        self, name: str, cells: Sequence[Any], parse: Callable[[Any], _Value | None], expected: str
    ) -> list[_Value | None]:
        values: list[_Value | None] = []
        for positions in self.positions:
            agreed, agreed_row = None, 0
            for position in positions:
                row, cell = self.table.rows[position], cells[position]
                value = None if cell is None else self._parsed(f"row {row}: '{name}'", cell, parse, expected)
                if agreed is None:
                    agreed, agreed_row = value, row
                elif value not in (None, agreed):
                    self.faults.append(
                        f"row {row}: '{name}' is '{value}', but '{agreed}' for the same picture in row {agreed_row}"
                    )
            values.append(agreed)
        return values

    def _parsed(self, where: str, cell: Any, parse: Callable[[Any], _Value | None], expected: str) -> _Value | None:
        try:
            value = parse(cell)
        except ValueError:
            value = None
        if value is None:
            self.faults.append(f"{where} is {shown(cell)}, expected {expected}")
        return value

    def flags(self, name: str | None) -> list[bool] | None:
        """Yes or no; an empty cell is a no."""
        values = self.agreed(name, _flag, "true or false")
        return None if values is None else [bool(value) for value in values]

    def texts(self, names: Sequence[str]) -> list[list[str]]:
        """Every text of a picture once, in the order of rows and columns; repeated ones are counted.

        Of a text that stands in the columns of several languages, the first column names its language.
        """
        cells = {name: [self._texts(name, position) for position in range(len(self.table.rows))] for name in names}
        for name in names:
            if (language := LANGUAGE.search(name.lower())) is not None:
                for several in cells[name]:
                    self.languages |= {text: self.languages.get(text, language[1]) for text in several}
        found = []
        for positions in self.positions:
            several = [text for position in positions for name in names for text in cells[name][position]]
            found.append(list(dict.fromkeys(several)))
            self.repeated_captions += len(several) - len(found[-1])
        return found

    def _texts(self, name: str, position: int) -> list[str]:
        cell = self.table.columns[name][position]
        try:
            return texts(cell)
        except ValueError:
            self.faults.append(f"row {self.table.rows[position]}: '{name}' is {shown(cell)}, expected a text")
            return []


def _split(cell: Any) -> str | None:
    return split_name(cell) if isinstance(cell, str) else None


def _flag(cell: Any) -> bool | None:
    return _FLAGS.get(str(cell).strip().lower())
