"""Hugging Face datasets, from the Hub or from a folder, as items."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from nearkin.data.cells import empty_as_none
from nearkin.data.column_roles import build_items
from nearkin.data.items import Items, Picture, split_name
from nearkin.data.picture import read_file
from nearkin.data.sources._source import ColumnNames, Source, as_path
from nearkin.data.tables import Table
from nearkin.errors import MissingDependency, SourceError, UnknownName

SCHEME = "hf://"


def is_saved_dataset(folder: Path) -> bool:
    """Whether `datasets` saved this folder by save_to_disk."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def read_huggingface(source: str, *, label: str | None = None, captions: Sequence[str] | None = None) -> Items:
    """The rows of a dataset; pictures stay encoded and are read when they are needed.

    Args:
        source: `hf://owner/name`, with `/configuration` and `#split` if need be, or a folder that `datasets` saved
            in place of the name. All splits by default, and in the column split; one split alone is not in it.
        label: column of classes; by default `label`, or the only one of type ClassLabel.
        captions: columns of texts, as in a table.

    Raises:
        MissingDependency: the package `datasets` is not installed.
        SourceError: cannot be loaded, has no column of pictures, or a split that is none of train, val and test.
        UnknownName: no such split or column.
    """
    name, _, chosen = source.removeprefix(SCHEME).partition("#")
    datasets = _datasets()
    splits = _load(datasets, name)
    if chosen not in ("", "all"):
        if chosen not in splits:
            raise UnknownName("split", chosen, splits)
        splits = {chosen: splits[chosen]}
    if len(splits) > 1 and not all(map(split_name, splits)):
        raise SourceError(
            f"{source}: its splits {', '.join(splits)} are not only train, val and test: choose one, as in "
            f"{SCHEME}{name}#{next(iter(splits))}"
        )
    try:
        dataset = datasets.concatenate_datasets(list(splits.values()))
    except ValueError as error:
        raise SourceError(f"{source}: its splits differ: {error}; choose one, as in {source}#train") from error
    image = next((name for name, kind in dataset.features.items() if isinstance(kind, datasets.Image)), None)
    if image is None:
        raise SourceError(f"{source}: no column of pictures (type Image): found {', '.join(dataset.features)}")
    positions = [(split, row) for split, part in splits.items() for row in range(len(part))]
    images = dataset.select_columns([image]).cast_column(image, datasets.Image(decode=False))
    pictures = [
        Picture(f"{SCHEME}{name}/{split}#{row}", _EncodedPicture(images, image, position))
        for position, (split, row) in enumerate(positions)
    ]
    columns = _columns(datasets, dataset)
    if len(splits) > 1:
        columns["split"] = [split for split, _ in positions]
    classes = [name for name, kind in dataset.features.items() if isinstance(kind, datasets.ClassLabel)]
    if label is None and "label" not in columns and len(classes) == 1:
        label = classes[0]
    columns = {name: empty_as_none(cells) for name, cells in columns.items()}
    table = Table(source, columns, [row for _, row in positions])
    return build_items(table, pictures, label=label, captions=captions)


@dataclass(frozen=True)
class _EncodedPicture:
    """Reads one picture of a dataset."""

    images: Any
    column: str
    row: int

    def __call__(self) -> bytes:
        cell = self.images[self.row][self.column] or {}
        if cell.get("bytes") is not None:
            return cell["bytes"]
        if cell.get("path"):
            return read_file(cell["path"])
        raise FileNotFoundError("this row holds no picture")


def _columns(datasets: ModuleType, dataset: Any) -> dict[str, list[Any]]:
    """All columns but pictures, sound and films; classes by their names."""
    plain = [name for name, kind in dataset.features.items() if not hasattr(kind, "decode_example")]
    columns = dict(dataset.select_columns(plain)[:]) if plain else {}
    for name in plain:
        kind = dataset.features[name]
        if isinstance(kind, datasets.ClassLabel):
            columns[name] = [None if number in (None, -1) else kind.int2str(number) for number in columns[name]]
    return columns


def _datasets() -> ModuleType:
    try:
        import datasets
    except ImportError as error:
        raise MissingDependency("datasets", "hf", "reading Hugging Face datasets") from error
    return datasets


def _load(datasets: ModuleType, name: str) -> dict[str, Any]:
    """Split name -> dataset."""
    folder = Path(name).expanduser()
    parts = name.split("/")
    # The Hub, the network and the dataset's own files make it raise nearly anything.
    try:
        if is_saved_dataset(folder):
            loaded = datasets.load_from_disk(str(folder))
        else:
            loaded = datasets.load_dataset("/".join(parts[:2]), "/".join(parts[2:]) or None)
    except Exception as error:
        raise SourceError(
            f"{SCHEME}{name}: {error}; expected {SCHEME}owner/name as on the Hub, or a folder that datasets saved"
        ) from error
    return dict(loaded) if isinstance(loaded, dict) else {str(loaded.split or "all"): loaded}


def _applies(source: Any) -> bool:
    path = as_path(source)
    return path is not None and (str(source).startswith(SCHEME) or is_saved_dataset(path))


def _read(source: str | Path, columns: ColumnNames) -> Items:
    if columns.path is not None:
        raise SourceError(f"{source}: the column of pictures is the one of type Image: leave path_column out")
    name = str(source) if str(source).startswith(SCHEME) else str(Path(source).expanduser().resolve())
    return read_huggingface(name, label=columns.label, captions=columns.captions)


SOURCE = Source(f"{SCHEME}owner/name", _applies, _read, order=20)
