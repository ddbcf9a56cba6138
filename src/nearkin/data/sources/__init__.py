"""Any source of pictures to items: one file for each kind of source, found by its name.

To add a kind, add a module here that declares `SOURCE`: see `nearkin.data.sources._source.Source`.
"""

import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from nearkin.data.items import Items
from nearkin.data.sources._source import ColumnNames, Source, as_path
from nearkin.errors import SourceError
from nearkin.registry import Registry

# Tables and saved datasets may hold pictures themselves.
_MAY_HOLD_PICTURES = {"", ".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".arrow"}

SOURCES: Registry[Source] = Registry(__name__, "SOURCE", "kind of source")


def read_items(
    source: Any,
    *,
    label: str | None = None,
    captions: str | Sequence[str] | None = None,
    path_column: str | None = None,
) -> Items:
    """Read pictures, and what the source says about them.

    Args:
        source: one of
            a folder with one folder of pictures per class, at any depth;
            a folder with a table called metadata, captions or labels directly in it, and pictures;
            a table (.csv, .tsv, .jsonl, .json, .parquet) with a row per picture, or per caption;
            a frame of pandas or polars, or an Arrow table; relative paths begin in the working folder;
            `hf://owner/name[/configuration][#split]`, or a folder that the package `datasets` saved;
            one picture, or a list of pictures: paths, or `Picture` objects;
            items, which are returned as they are.
        label: column of class names. In a tree of folders: "path", if all folders on the way name the class and not
            only the first one; "folder", if the first one does even where it is called train or test.
        captions: columns of texts; by default `caption`, `captions`, `text`, `caption_*` and `text_*`.
        path_column: column of the picture paths; by default `path`, `file_name`, `file`, `image` or `filename`.

    Returns:
        Items in an order that depends on the source only.

    Raises:
        SourceError: missing, of an unknown kind, without pictures, or a table at fault: row and column are named.
        UnknownName: no such column.
        MissingDependency: a Hugging Face dataset, and the package `datasets` is not installed.

    Example:
        >>> items = read_items("pictures")                                          # doctest: +SKIP
        >>> items = read_items("shop.csv", label="product", captions=["title", "title_ru"])  # doctest: +SKIP
    """
    _refuse_what_is_no_path(source)
    columns = ColumnNames(path_column, label, [captions] if isinstance(captions, str) else captions)
    kinds = sorted((SOURCES[name] for name in SOURCES), key=lambda kind: kind.order)
    for kind in kinds:
        if kind.applies(source):
            return kind.read(source, columns)
    path = as_path(source)
    if path is not None and not path.exists():
        raise SourceError(_missing(path))
    what = str(path) if path is not None else f"a source of type {type(source).__name__}"
    raise SourceError(f"{what}: expected {', '.join(kind.shape for kind in kinds[:-1])} or {kinds[-1].shape}")


def check_source(source: Any) -> None:
    """Check that a path is there, and a folder not without pictures, before anything slow is imported or read.

    Raises:
        SourceError: no such file or folder; the message suggests near names. Or nothing that can be read in a folder.
    """
    _refuse_what_is_no_path(source)
    path = as_path(source)
    if path is not None and "://" not in str(source) and not path.exists():
        raise SourceError(_missing(path))
    if path is not None and path.is_dir() and not _may_hold_pictures(path):
        read_items(source)  # which says what is there instead


def _refuse_what_is_no_path(source: Any) -> None:
    """An empty text would be the working folder: it comes from a variable of the shell that is not set."""
    if isinstance(source, str) and not source.strip():
        raise SourceError("the source is empty: expected a folder, a table or a picture; '.' is the working folder")
    if isinstance(source, str) and "://" in source and not source.startswith("hf://"):
        raise SourceError(f"{source}: an address, not a file: download the pictures, and name their folder")


def _missing(path: Path) -> str:
    if path.is_symlink():
        return f"{path}: a link that leads nowhere"
    return f"{path}: no such file or folder{_near(path)}"


def _may_hold_pictures(folder: Path) -> bool:
    """Whether there is a file called as pictures, tables or saved datasets are, or a link to another folder."""
    from nearkin.data.decoding import EXTENSIONS

    for root, folders, files in os.walk(folder):
        if any(Path(name).suffix.lower() in EXTENSIONS | _MAY_HOLD_PICTURES for name in files):
            return True
        if any(Path(root, name).is_symlink() for name in folders):
            return True
    return False


def _near(path: Path) -> str:
    """What the user may have meant, or what there is."""
    missing = path.absolute()
    while not missing.parent.is_dir():
        missing = missing.parent
    try:
        names = sorted(entry.name for entry in missing.parent.iterdir() if not entry.name.startswith("."))
    except OSError:
        return ""
    near = get_close_matches(missing.name, names)
    if near:
        return f": did you mean {' or '.join(str(missing.parent / name) for name in near)}?"
    return f": {missing.parent} holds {', '.join(names[:5]) or 'nothing'}{', ...' if len(names) > 5 else ''}"
