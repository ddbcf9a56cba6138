"""Which column of a table is what: from named columns to items."""

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, TypeVar

from nearkin.data.items import Items, Picture, split_name
from nearkin.data.table import Table, raise_faults
from nearkin.errors import SourceError, UnknownName

_Value = TypeVar("_Value")

PICTURE_COLUMNS = ("path", "file_name", "file", "image", "filename")
CAPTION_COLUMNS = ("caption", "captions", "text")
CAPTION_PREFIXES = ("caption_", "text_")

_FLAGS = dict.fromkeys(("true", "t", "yes", "y", "1", "1.0"), True)
_FLAGS |= dict.fromkeys(("false", "f", "no", "n", "0", "0.0"), False)
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")


def has_picture_column(table: Table) -> bool:
    """Whether a column is called as if it named the pictures' files."""
    return bool(_picture_columns(table))


def find_pictures(table: Table, folder: Path) -> tuple[str, list[Picture]]:
    """The column that names files, and the picture of each row.

    The first of `PICTURE_COLUMNS` with any value that is a file: below the folder, below its subfolder images, or
    absolute. Files that are missing beside others count as broken pictures later on.

    Args:
        table: as read.
        folder: that of the table.

    Raises:
        SourceError: no such column, none of its files exists, or a cell is empty.
    """
    columns = _picture_columns(table)
    if not columns:
        raise SourceError(
            f"{table.name}: no column names the pictures' files: found {', '.join(table.columns)}; "
            f"wanted one of {', '.join(PICTURE_COLUMNS)}"
        )
    for name in columns:
        cells = table.columns[name]
        files = {text: _file(text, folder) for text in {str(cell) for cell in cells if cell is not None}}
        if any(files.values()):
            empty = [row for row, cell in zip(table.rows, cells, strict=True) if cell is None]
            raise_faults(table.name, [f"row {row}: '{name}' is empty" for row in empty])
            return name, [Picture(files[str(cell)] or str(folder / str(cell))) for cell in cells]
    cells = table.columns[columns[0]]
    row, cell = next((pair for pair in zip(table.rows, cells, strict=True) if pair[1] is not None), (table.rows[0], ""))
    raise SourceError(
        f"{table.name}: none of the files in column '{columns[0]}' exists; row {row}: '{cell}' is neither in {folder} "
        f"nor in {folder / 'images'}: move the table beside its pictures"
    )


def _picture_columns(table: Table) -> list[str]:
    return [name for wanted in PICTURE_COLUMNS for name in table.columns if name.lower() == wanted]


def _file(text: str, folder: Path) -> str | None:
    text = text.replace("\\", "/")
    places = (folder / text, folder / "images" / text)
    try:
        return next((str(place) for place in places if place.is_file()), None)
    except OSError:  # A text too long for a name.
        return None


def build_items(
    table: Table,
    pictures: Sequence[Picture],
    *,
    label: str | None = None,
    captions: Sequence[str] | None = None,
    taken: Collection[str] = (),
) -> Items:
    """Items of a table whose rows have these pictures; rows of one picture become one item.

    Captions of all its rows are kept, each text once. Label, split and roles must agree between its rows; of a
    further column the first value counts.

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
    for name in [label, *(captions or ())]:
        if name is not None and name not in free:
            raise UnknownName("column", name, free)
    label = label or _called("label", free)
    split, is_query, is_gallery = (_called(name, free) for name in ("split", "is_query", "is_gallery"))
    special = [label, split, is_query, is_gallery]
    if captions is None:
        captions = [name for name in free if name not in special and _holds_captions(name.lower())]
    places: dict[str, list[int]] = {}
    for place, picture in enumerate(pictures):
        places.setdefault(picture.uri, []).append(place)
    rows = _MergedRows(table, list(places.values()))
    items = Items.build(
        [pictures[first] for first, *_ in rows.places],
        labels=rows.agreed(label, str, "a class"),
        captions=rows.texts(captions),
        splits=rows.agreed(split, split_name, "train, val or test"),
        is_query=rows.flags(is_query),
        is_gallery=rows.flags(is_gallery),
        metadata={name: rows.first(name) for name in free if name not in (*special, *captions)},
        source=table.name,
    )
    raise_faults(table.name, rows.faults)
    return items


def _called(wanted: str, names: Sequence[str]) -> str | None:
    return next((name for name in names if name.lower() == wanted), None)


def _holds_captions(name: str) -> bool:
    return name in CAPTION_COLUMNS or name.startswith(CAPTION_PREFIXES)


class _MergedRows:
    """Columns with one value per picture, and the faults found on the way.

    Args:
        table: with a row per picture and caption.
        places: for each picture those of its rows.
    """

    def __init__(self, table: Table, places: Sequence[Sequence[int]]) -> None:
        self.table = table
        self.places = places
        self.faults: list[str] = []

    def first(self, name: str) -> list[Any]:
        """The first value that is not empty; numbers where a column of text holds nothing else."""
        cells = self.table.columns[name] if self.table.typed else _as_numbers(self.table.columns[name])
        return [next((cells[place] for place in places if cells[place] is not None), None) for places in self.places]

    def agreed(
        self, name: str | None, parse: Callable[[str], _Value | None], wanted: str
    ) -> list[_Value | None] | None:
        """The value that all rows of a picture agree on, empty cells aside."""
        return None if name is None else [self._agreed(name, places, parse, wanted) for places in self.places]

    def _agreed(
        self, name: str, places: Sequence[int], parse: Callable[[str], _Value | None], wanted: str
    ) -> _Value | None:
        agreed, agreed_row = None, 0
        for place in places:
            row, cell = self.table.rows[place], self.table.columns[name][place]
            value = None if cell is None else parse(str(cell))
            if cell is not None and value is None:
                self.faults.append(f"row {row}: '{name}' is '{cell}', wanted {wanted}")
            elif agreed is None:
                agreed, agreed_row = value, row
            elif value not in (None, agreed):
                self.faults.append(
                    f"row {row}: '{name}' is '{value}', but '{agreed}' for the same picture in row {agreed_row}"
                )
        return agreed

    def flags(self, name: str | None) -> list[bool] | None:
        """Yes or no; an empty cell is a no."""
        values = self.agreed(name, _flag, "true or false")
        return None if values is None else [bool(value) for value in values]

    def texts(self, names: Sequence[str]) -> list[list[str]]:
        """Every text of a picture once, in the order of rows and columns."""
        return [
            list(
                dict.fromkeys(
                    text for place in places for name in names for text in _texts(self.table.columns[name][place])
                )
            )
            for places in self.places
        ]


def _flag(text: str) -> bool | None:
    return _FLAGS.get(text.lower())


def _texts(cell: Any) -> list[str]:
    """The texts of a cell: none, one, or a list of them."""
    cells = cell if isinstance(cell, list) else [cell]
    return [str(text).strip() for text in cells if text is not None and str(text).strip()]


def _as_numbers(cells: Sequence[Any]) -> Sequence[Any]:
    """Text that reads as a number in every cell, as numbers; not "007", which is a name."""
    found = [cell for cell in cells if cell is not None]
    if not found or not all(_NUMBER.fullmatch(cell) for cell in found):
        return cells
    number = float if any("." in cell for cell in found) else int
    return [None if cell is None else number(cell) for cell in cells]
