"""Which pictures a run trained on, which it held out, and which it could not read: tables in the run folder."""

import csv
from pathlib import Path

from nearkin.data.items import Items
from nearkin.errors import InvalidInput, SourceError
from nearkin.training.prepare import Prepared


def write_sides(prepared: Prepared, out: Path, *, check: bool) -> None:
    """Write train.csv and validation.csv, and skipped.csv if a picture was broken.

    Args:
        prepared: both sides.
        out: the run folder, made if it is missing.
        check: whether the pictures must be those that are written there already.

    Raises:
        InvalidInput: the folder cannot be made.
        SourceError: other pictures than before.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"cannot make the run folder '{out}': {error.strerror or error}") from error
    for name, data in (("train", prepared.train), ("validation", prepared.val)):
        path = out / f"{name}.csv"
        if check and path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                before = list(dict.fromkeys(row["path"] for row in csv.DictReader(file)))
            if before != list(data.items.uris):
                raise SourceError(
                    f"{data.items.source}: its pictures are not those that the run in '{out}' began with "
                    f"({len(before)} before, {len(data)} now on the side of {name}): start a new run"
                )
        _write_items(data.items, path)
    skipped = out / "skipped.csv"
    skipped.unlink(missing_ok=True)
    if prepared.skipped:
        with skipped.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "reason"])
            writer.writerows([broken.uri, broken.reason] for broken in prepared.skipped)


def _write_items(items: Items, path: Path) -> None:
    """A table that `read_items` reads again: a row for each caption, or one for a picture without."""
    columns = ["path", "label", "caption", *items.metadata]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row, picture in enumerate(items.pictures):
            rest = [column[row] for column in items.metadata.values()]
            for caption in items.captions[row] or ("",):
                writer.writerow([picture.uri, items.labels[row] or "", caption, *rest])
