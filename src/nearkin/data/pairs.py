"""Files of picture pairs, read row by row: a table, or the pairs.txt of LFW."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from nearkin.data.file_finder import FileFinder
from nearkin.data.picture import Picture
from nearkin.data.tables import delimiter_of, open_text, raise_faults
from nearkin.errors import SourceError

# Names of the two columns of pictures.
SIDES = (("a", "b"), ("path_a", "path_b"), ("image_a", "image_b"), ("left", "right"), ("path1", "path2"))
_SAME = {
    "1": True,
    "true": True,
    "yes": True,
    "same": True,
    "0": False,
    "false": False,
    "no": False,
    "different": False,
}


class Pair(NamedTuple):
    """Two pictures to compare.

    Args:
        row: number of the line in its file, for messages.
        a, b: as the file names them.
        pictures: where they lie.
        same: whether they show the same, if the file says so.
        fold: which fold of the file's the pair is in, if it has any.
    """

    row: int
    a: str
    b: str
    pictures: tuple[Picture, Picture]
    same: bool | None
    fold: str | None = None


@dataclass(frozen=True)
class Pairs:
    """A file of pairs; iterating reads it from the start, holding one line at a time.

    Two kinds are known. A table (.csv, .tsv) with columns `a` and `b` (or path_a and path_b, left and right, ...), and
    perhaps `same` (1 or 0, true or false) and `fold`. Or the pairs.txt of Labeled Faces in the Wild: "Name 1 4" for two
    pictures of one person, "Name 1 Other 2" for two of two, below `root/Name/Name_0001.jpg`; if its first line is
    "10 300", then so many folds of so many pairs of either kind follow.

    Args:
        path: the file.
        root: folder of the pictures; that of the file by default, or `lfw` beside an LFW file.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "pairs.csv")
        ...     _ = file.write_text("a,b,same\\nx.png,y.png,1\\n")
        ...     [(pair.row, pair.a, pair.b, pair.same) for pair in Pairs(file)]
        [(2, 'x.png', 'y.png', True)]
    """

    path: Path
    root: Path | None = None

    def __iter__(self) -> Iterator[Pair]:
        """Raises SourceError, which names the row, where a line is not a pair."""
        try:
            with open_text(self.path) as file:
                yield from self._table(file) if self.path.suffix.lower() in (".csv", ".tsv") else self._lfw(file)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise SourceError(f"{self.path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error

    def check(self) -> int:
        """How many pairs there are, once each line is a pair and each picture a file.

        Raises:
            SourceError: no pairs, or some at fault; the first rows are named.
        """
        count, faults = 0, []
        for pair in self:
            count += 1
            faults += [
                f"row {pair.row}: no picture '{picture.uri}'"
                for picture in pair.pictures
                if picture.read_bytes is None and not Path(picture.whole_uri).is_file()
            ]
        raise_faults(str(self.path), faults)
        if not count:
            raise SourceError(f"{self.path}: holds no pairs")
        return count

    def _table(self, file: Iterator[str]) -> Iterator[Pair]:
        header = next(file, "")
        delimiter = delimiter_of(header)
        names = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])]
        sides = next((pair for pair in SIDES if set(pair) <= set(names)), None)
        if sides is None:
            known = " or ".join(" and ".join(pair) for pair in SIDES)
            raise SourceError(f"{self.path}: found columns {', '.join(names) or 'none'}; expected {known}")
        left, right = (names.index(side) for side in sides)
        same, fold = (names.index(name) if name in names else None for name in ("same", "fold"))
        finder = FileFinder(self.root or self.path.parent)
        reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
        for cells in reader:
            row = reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(names) or not cells[left].strip() or not cells[right].strip():
                raise SourceError(f"{self.path}: row {row}: expected {len(names)} cells with two pictures, got {cells}")
            a, b = cells[left].strip(), cells[right].strip()
            yield Pair(
                row,
                a,
                b,
                (finder.picture(a), finder.picture(b)),
                self._truth(row, cells, same),
                None if fold is None else cells[fold].strip(),
            )

    def _truth(self, row: int, cells: list[str], same: int | None) -> bool | None:
        text = "" if same is None else cells[same].strip().lower()
        if text and text not in _SAME:
            raise SourceError(f"{self.path}: row {row}: same is '{cells[same or 0]}', expected 1 or 0, true or false")
        return _SAME.get(text)

    def _lfw(self, file: Iterator[str]) -> Iterator[Pair]:
        beside = self.path.parent / "lfw"
        finder = FileFinder(self.root or (beside if beside.is_dir() else self.path.parent))
        of_fold, count = 0, 0
        for row, line in enumerate(file, start=1):
            cells = line.split()
            if row == 1 and all(cell.isdigit() for cell in cells):
                # "10 300": folds, and pairs of each kind in a fold.
                of_fold = 2 * int(cells[1]) if len(cells) == 2 else 0
                continue
            if not cells:
                continue
            numbers = [cells[1], cells[-1]] if len(cells) in (3, 4) else []
            if not numbers or not all(number.isdigit() for number in numbers):
                raise SourceError(
                    f"{self.path}: row {row}: '{line.strip()}', expected 'Name 1 4' or 'Name 1 Other 2' as in LFW, "
                    "or a table that ends in .csv or .tsv"
                )
            names = (cells[0], cells[-2] if len(cells) == 4 else cells[0])
            a, b = (f"{name}/{name}_{int(number):04d}.jpg" for name, number in zip(names, numbers, strict=True))
            fold = str(count // of_fold + 1) if of_fold else None
            count += 1
            yield Pair(row, a, b, (finder.picture(a), finder.picture(b)), len(cells) == 3, fold)
