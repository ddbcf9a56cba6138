"""Any source of pictures to items: a tree of folders, a table, a Hugging Face dataset."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from nearkin.data.column_roles import build_items, find_pictures, has_picture_column
from nearkin.data.decoding import EXTENSIONS
from nearkin.data.folder import read_folder
from nearkin.data.huggingface import SCHEME, is_saved_dataset, read_huggingface
from nearkin.data.items import Items
from nearkin.data.table import READERS, Table, read_table
from nearkin.errors import InvalidInput, SourceError

# A table of one of these names directly in a folder describes the folder's pictures.
TABLE_STEMS = ("metadata", "captions", "labels")

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")


def read_items(
    source: str | Path | Items, *, label: str | None = None, captions: str | Sequence[str] | None = None
) -> Items:
    """Pictures with what the source says of them.

    Args:
        source: one of
            a folder with a folder of pictures per class, at any depth;
            a folder with a table called metadata, captions or labels directly in it, and pictures;
            a table (.csv, .tsv, .jsonl, .parquet) with a row per picture, or per caption;
            `hf://owner/name[/configuration][#split]`, or a folder that the package `datasets` saved;
            items, which are returned as they are.
        label: column of class names. In a tree of folders: "path", if all folders on the way name the class, and not
            only the first one.
        captions: columns of texts; by default `caption`, `captions`, `text`, `caption_*` and `text_*`.

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
    if isinstance(source, Items):
        if label is not None or captions is not None:
            raise InvalidInput("label and captions choose columns of a source; items have theirs already")
        return source
    if isinstance(captions, str):
        captions = [captions]
    if str(source).startswith(SCHEME):
        return read_huggingface(str(source), label=label, captions=captions)
    path = Path(source).expanduser()
    if path.is_file():
        return _items_of_table(_table(path), path.parent, label, captions)
    if not path.is_dir():
        raise SourceError(f"{path}: no such file or folder{_near(path)}")
    if is_saved_dataset(path):
        return read_huggingface(str(path.resolve()), label=label, captions=captions)
    if table := _table_inside(path):
        return _items_of_table(table, path, label, captions)
    if captions is not None:
        raise SourceError(f"{path} is a tree of folders and has no columns of captions: name a table")
    return read_folder(path, label=label)


def _items_of_table(table: Table, folder: Path, label: str | None, captions: Sequence[str] | None) -> Items:
    column, pictures = find_pictures(table, folder.resolve())
    return build_items(table, pictures, label=label, captions=captions, taken=[column])


def _table(path: Path) -> Table:
    if path.suffix.lower() in READERS:
        return read_table(path)
    if path.suffix.lower() in EXTENSIONS:
        raise SourceError(f"{path} is one picture: name the folder that holds it")
    if path.suffix.lower() in _ARCHIVES:
        raise SourceError(f"{path} is an archive: unpack it, and name its folder")
    raise SourceError(f"{path}: wanted a folder, a table ({', '.join(READERS)}) or {SCHEME}owner/name")


def _table_inside(folder: Path) -> Table | None:
    """The one table that describes the folder's pictures; None if there is none."""
    paths = [folder / f"{stem}{suffix}" for stem in TABLE_STEMS for suffix in READERS]
    tables = [table for table in map(read_table, filter(Path.is_file, paths)) if has_picture_column(table)]
    if len(tables) > 1:
        raise SourceError(f"{folder} holds several tables: name one of {', '.join(table.name for table in tables)}")
    return tables[0] if tables else None


def _near(path: Path) -> str:
    """What the user may have meant, or what there is."""
    missing = path.absolute()
    while not missing.parent.is_dir():
        missing = missing.parent
    names = sorted(place.name for place in missing.parent.iterdir() if not place.name.startswith("."))
    near = get_close_matches(missing.name, names)
    if near:
        return f": did you mean {' or '.join(str(missing.parent / name) for name in near)}?"
    return f": {missing.parent} holds {', '.join(names[:5]) or 'nothing'}{', ...' if len(names) > 5 else ''}"
