"""A tree of pictures whose folders are the classes."""

import os
from collections.abc import Iterator
from pathlib import Path

from nearkin.data.decoding import EXTENSIONS
from nearkin.data.items import Items, Picture, split_name
from nearkin.errors import SourceError


def read_folder(root: Path, *, label: str | None = None) -> Items:
    """Every picture below the root, in sorted order; its label is a folder's name.

    If all first-level folders are called train, val or test, in any usual spelling, they are splits, and classes
    begin one level below. Hidden files and folders are passed over, and so are links to a folder above.

    Args:
        root: an existing folder.
        label: None for the first folder below the root, "path" for all folders on the way ("Greek/character03").

    Returns:
        Items with the metadata column "folder", the way from the root to the picture; with label="path" also
        "group", the first folder of the label. Pictures outside of all class folders have no label.

    Raises:
        SourceError: no pictures, a folder that cannot be read, or another label.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as root:
        ...     for name in "Greek/alpha/1.png", "Greek/beta/1.png", "Latin/a/1.png":
        ...         Path(root, name).parent.mkdir(parents=True)
        ...         Path(root, name).touch()
        ...     read_folder(Path(root)).labels, read_folder(Path(root), label="path").labels
        (('Greek', 'Greek', 'Latin'), ('Greek/alpha', 'Greek/beta', 'Latin/a'))
    """
    if label not in (None, "path"):
        raise SourceError(
            f"{root} is a tree of folders and has no column '{label}': leave the label out (the first folder is the "
            "class), or say 'path' (all folders on the way to the picture are)"
        )
    root = root.resolve()
    try:
        files = list(_files(root))
    except OSError as error:
        raise SourceError(f"{error.filename or root}: {error.strerror}: make it readable, or move it away") from error
    pictures = [file for file in files if file.suffix.lower() in EXTENSIONS]
    if not pictures:
        found = f"only {len(files)} other files, such as {files[0].name}" if files else "nothing"
        raise SourceError(
            f"{root}: found {found}; wanted pictures ({' '.join(sorted(EXTENSIONS))}), a folder per class"
        )
    folders = [file.relative_to(root).parts[:-1] for file in pictures]
    first = {folder[0] for folder in folders if folder}
    has_splits = bool(first) and all(map(split_name, first))
    classes = [folder[1:] for folder in folders] if has_splits else folders
    metadata: dict[str, list[str | None]] = {"folder": ["/".join(folder) for folder in folders]}
    if label == "path":
        metadata["group"] = [names[0] if names else None for names in classes]
    return Items.build(
        [Picture(str(file)) for file in pictures],
        labels=[("/".join(names) if label == "path" else names[0]) if names else None for names in classes],
        splits=[folder[0] if has_splits and folder else None for folder in folders],
        metadata=metadata,
        source=str(root),
    )


def _files(folder: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """All files below in sorted order; a link to a folder above is not followed, or there would be no end."""
    real = folder.resolve()
    if real in above:
        return
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        if entry.is_dir():
            yield from _files(folder / entry.name, (*above, real))
        elif entry.is_file():
            yield folder / entry.name
