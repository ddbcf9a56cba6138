"""Fixed few-shot episodes from files: the runs of Omniglot, or a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from nearkin.data.cells import class_name, shown
from nearkin.data.file_finder import FileFinder
from nearkin.data.names import is_litter
from nearkin.data.picture import Picture
from nearkin.data.tables import raise_faults, read_table, read_text
from nearkin.errors import SourceError

# In a folder of runs, the file that says for each picture asked for which shown picture is of its class.
ANSWERS = "class_labels.txt"
_COLUMNS = ("run", "role", "path", "label")
_ROLES = {
    "shown": True,
    "support": True,
    "train": True,
    "training": True,
    "asked": False,
    "query": False,
    "test": False,
}


@dataclass(frozen=True, eq=False)
class FixedRun:
    """One episode, as rows of a list of pictures.

    Args:
        shown, asked: rows of the pictures that are shown and asked for.
        shown_classes, asked_classes: their classes, numbered within the run.
        group: what its classes are of, such as an alphabet, if the file says so.
    """

    shown: Int[np.ndarray, " s"]
    shown_classes: Int[np.ndarray, " s"]
    asked: Int[np.ndarray, " q"]
    asked_classes: Int[np.ndarray, " q"]
    group: str | None = None


def read_runs(path: str | Path) -> tuple[list[Picture], list[FixedRun]]:
    """Fixed episodes, and the pictures that they are made of.

    Args:
        path: one of
            a folder with a folder for each run, each with `class_labels.txt`: a line "run01/test/item01.png
            run01/training/class14.png" for every picture asked for, both below the folder (Omniglot's layout);
            a table with the columns run, role (shown or asked), path and label, and perhaps group, such as the alphabet
            that the classes of a run are of; paths are below the table's folder.

    Raises:
        SourceError: nothing of the kind there, a line or row at fault, or a picture that is missing: it is named.

    Example:
        >>> pictures, runs = read_runs("omniglot/all_runs")  # doctest: +SKIP
    """
    root = Path(path).expanduser()
    if not root.exists():
        raise SourceError(f"{root}: no such file or folder of runs")
    groups: dict[str, str] = {}
    lines = _folder_lines(root) if root.is_dir() else _table_lines(root, groups)
    positions: dict[str, int] = {}
    faults, runs = [], []
    for pictures in lines.values():
        for where, file, _, _ in pictures:
            if file not in positions and not Path(file).is_file():
                faults.append(f"{where}: no picture '{file}'")
            positions.setdefault(file, len(positions))
    raise_faults(str(root), faults)
    for run, pictures in lines.items():
        names = {name: number for number, name in enumerate(dict.fromkeys(name for *_, name in pictures))}
        shown, asked = (
            np.array(
                [(positions[file], names[name]) for _, file, is_shown, name in pictures if is_shown is role]
            ).reshape(-1, 2)
            for role in (True, False)
        )
        if len(missing := sorted(set(asked[:, 1]) - set(shown[:, 1]))) or not len(asked):
            what = f"class '{list(names)[missing[0]]}' is asked for but not shown" if missing else "asks for nothing"
            raise SourceError(f"{root}: run '{run}': {what}")
        runs.append(FixedRun(shown[:, 0], shown[:, 1], asked[:, 0], asked[:, 1], groups.get(run)))
    return [Picture(file) for file in positions], runs


# For each run: where it says so, a picture, whether it is shown, its class.
_Lines = dict[str, list[tuple[str, str, bool, str]]]


def _folder_lines(root: Path) -> _Lines:
    files = sorted(root.glob(f"*/{ANSWERS}"))
    if not files:
        raise SourceError(
            f"{root}: no runs: expected a folder for each, with {ANSWERS}, or a table ({', '.join(_COLUMNS)})"
        )
    found: _Lines = {}
    for file in files:
        found[file.parent.name] = pictures = []
        shown = set()
        for row, line in enumerate(read_text(file).splitlines(), 1):
            cells = line.split()
            if not cells:
                continue
            where = f"{file.parent.name}/{ANSWERS} row {row}"
            if len(cells) != 2:
                raise SourceError(f"{root}: {where}: '{line}', expected a picture asked for and one shown of its class")
            asked, answer = (str((root / cell).resolve()) for cell in cells)
            if answer not in shown:
                pictures.append((where, answer, True, answer))
            shown.add(answer)
            pictures.append((where, asked, False, answer))
        # Pictures that are shown but the answer to nothing: they can be taken for one.
        folder = next((Path(answer).parent for answer in sorted(shown)), file.parent)
        others = (
            sorted(
                str(other.resolve())
                for other in folder.glob(f"*{Path(next(iter(shown))).suffix}")
                if not is_litter(other.name)
            )
            if shown
            else []
        )
        pictures += [(str(folder), other, True, other) for other in others if other not in shown]
    return found


def _table_lines(path: Path, groups: dict[str, str]) -> _Lines:
    """The lines of a table; the groups of the runs are put into `groups`."""
    table = read_table(path)
    finder = FileFinder(path.parent)
    missing = [name for name in _COLUMNS if name not in table.columns]
    if missing:
        raise SourceError(f"{path}: no column {', '.join(missing)}: found {', '.join(table.columns)}")
    found: _Lines = {}
    faults = []
    columns: Sequence[list] = [table.columns[name] for name in _COLUMNS]
    group_of_row = table.columns.get("group", [None] * len(table.rows))
    for row, run, role, file, name, group_cell in zip(table.rows, *columns, group_of_row, strict=True):
        is_shown = _ROLES.get(str(role).strip().lower())
        run_name, class_, group = _name(run), _name(name), _name(group_cell)
        if is_shown is None or run_name is None or class_ is None or not isinstance(file, str):
            faults.append(f"row {row}: run {shown(run)}, role {shown(role)}, path {shown(file)}, label {shown(name)}")
            continue
        if group is not None and groups.setdefault(run_name, group) != group:
            faults.append(f"row {row}: run '{run_name}' is of group '{group}', and of '{groups[run_name]}' before")
        found.setdefault(run_name, []).append((f"row {row}", finder.picture(file).uri, is_shown, class_))
    raise_faults(str(path), faults, "; expected all four, the role shown or asked")
    return found


def _name(cell: Any) -> str | None:
    """A cell as a name; None if it is missing or cannot be one."""
    try:
        return class_name(cell)
    except ValueError:
        return None
