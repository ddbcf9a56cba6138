"""One picture, or a list of pictures."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nearkin.data.decoding import EXTENSIONS
from nearkin.data.file_finder import FileFinder
from nearkin.data.items import Items, Picture
from nearkin.data.sources._source import ColumnNames, Source, as_path, refuse_columns
from nearkin.errors import SourceError


def _applies(source: Any) -> bool:
    if isinstance(source, list | tuple):
        return all(isinstance(one, str | Path | Picture) for one in source)
    path = as_path(source)
    return path is not None and path.suffix.lower() in EXTENSIONS and path.exists() and not path.is_dir()


def _read(source: str | Path | Iterable[str | Path | Picture], columns: ColumnNames) -> Items:
    given = [source] if isinstance(source, str | Path) else list(source)
    if not given:
        raise SourceError("a list of pictures is empty")
    name = str(given[0]) if len(given) == 1 else f"a list of {len(given)} pictures"
    refuse_columns(name, columns)
    finder = FileFinder(Path())
    pictures = [one if isinstance(one, Picture) else finder.picture(str(Path(one).expanduser())) for one in given]
    by_uri = {picture.uri: picture for picture in pictures}
    return Items.build(list(by_uri.values()), source=name)


SOURCE = Source("one picture or a list of them", _applies, _read, order=60)
