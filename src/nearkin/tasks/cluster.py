"""Sort pictures into groups; groups as a table, and as contact sheets."""

import csv
import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nearkin.data.decoding import decode
from nearkin.data.items import Items
from nearkin.data.sources import read_items
from nearkin.encoders.device import check_device
from nearkin.errors import PictureError
from nearkin.files import check_output_folder, write_whole
from nearkin.gallery.grouping import linking_of
from nearkin.progress import Progress
from nearkin.similarity.clustering import CLUSTERERS, DEFAULT
from nearkin.similarity.clustering import cluster as cluster_vectors
from nearkin.similarity.clustering.engine.groups import Clusters, Group, describe
from nearkin.tasks.embedded import embed_items
from nearkin.tasks.evaluate import Model, load_encoder
from nearkin.tasks.sheet import CELL_HEIGHT, CELL_WIDTH, PAPER, TILE, draw_cell, save_sheet

# Pictures on the sheet of a group, and in a row of it.
SHOWN, PER_ROW = 60, 10

__all__ = ["Clusters", "Group", "cluster", "draw_groups", "write_groups"]


def cluster(
    model: Model,
    data: str | Path | Items,
    method: str = DEFAULT,
    *,
    k: int | None = None,
    threshold: float | None = None,
    path_column: str | None = None,
    strict: bool = False,
    device: str = "auto",
    seed: int = 0,
    progress: Progress | None = None,
) -> Clusters:
    """Sort the pictures of a source into groups of like ones.

    Args:
        model: an encoder, or the folder of a model or run.
        data: folder tree, table, `hf://` dataset, or items. Labels are not looked at.
        method: name of a clusterer; the default finds out how many groups there are.
        k: how many groups; None where the method finds out.
        threshold: score from which on pictures belong together; None where the method finds out.
        path_column: column of the pictures' files, as in `read_items`.
        strict: refuse broken pictures instead of leaving them out.
        device: "auto", "cpu" or "cuda".
        seed: random seed.
        progress: called with pictures embedded and pictures in all.

    Returns:
        The groups, the largest first; pictures by their rows, and `uris` for each. Broken pictures are left out.

    Raises:
        SourceError: the source cannot be read, or no picture can be decoded.
        ArtefactError: no model in a folder.
        InvalidInput: an argument is out of range.
        UnknownName: no such method.

    Example:
        >>> import nearkin
        >>> [group.size for group in nearkin.cluster("runs/x", "holiday/").groups]  # doctest: +SKIP
        [41, 12, 3]
    """
    CLUSTERERS.check(method)
    check_device(device)
    items = read_items(data, path_column=path_column)
    encoder = load_encoder(model, device)
    embedded = embed_items(encoder, items, strict=strict, progress=progress)
    found = cluster_vectors(embedded.vectors, method, k=k, threshold=threshold, linking=linking_of(encoder), seed=seed)
    return describe(found, embedded.vectors, np.arange(len(found)), method, embedded.items.uris)


def write_groups(clusters: Clusters, path: str | Path) -> None:
    """Write a table of pictures: `path`, `group` (empty where in none), `medoid` (1 for the group's most typical).

    Raises:
        OSError: it cannot be written.
    """
    medoids = {group.medoid for group in clusters.groups}
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["path", "group", "medoid"])
    names = clusters.uris or tuple(map(str, clusters.things.tolist()))
    for thing, uri, group in zip(clusters.things.tolist(), names, clusters.group_ids.tolist(), strict=True):
        rows.writerow([uri, "" if group < 0 else group, int(thing in medoids) if group >= 0 else ""])
    write_whole(path, table.getvalue())


def draw_groups(
    clusters: Clusters, folder: str | Path, *, thumbnail: Callable[[int], Image.Image] | None = None
) -> list[Path]:
    """A contact sheet for each group, `group-17.png`, of up to 60 members, the most typical first.

    Args:
        clusters: with uris.
        folder: made if missing.
        thumbnail: gives a picture that can no longer be read.

    Returns:
        The files written.

    Raises:
        InvalidInput: they cannot be written.
    """
    target = check_output_folder(folder, "--sheet")
    place = {thing: row for row, thing in enumerate(clusters.things.tolist())}
    written = []
    for group in clusters.groups:
        members = group.members[:SHOWN].tolist()
        columns = min(PER_ROW, len(members))
        sheet = Image.new("RGB", (columns * CELL_WIDTH, math.ceil(len(members) / columns) * CELL_HEIGHT), PAPER)
        for number, thing in enumerate(members):
            row, column = divmod(number, columns)
            uri = clusters.uris[place[thing]]
            picture = _picture(uri, thing, thumbnail)
            draw_cell(sheet, column * CELL_WIDTH, row * CELL_HEIGHT, picture, f"#{thing}\n{Path(uri).name}")
        path = target / f"group-{group.id}.png"
        save_sheet(sheet, path)
        written.append(path)
    return written


def _picture(uri: str, thing: int, thumbnail: Callable[[int], Image.Image] | None) -> Image.Image:
    try:
        return decode(uri, hint=(TILE, TILE))
    except PictureError:
        if thumbnail is None:
            return Image.new("RGB", (TILE, TILE), "#d0d0d0")
        return thumbnail(thing)


def summary_rows(clusters: Clusters) -> list[dict[str, Any]]:
    """Of each group what a table shows."""
    return [
        {
            "group": group.id,
            "size": group.size,
            "cohesion": group.cohesion,
            "low": group.low,
            "high": group.high,
            "medoid": group.medoid,
            "uri": clusters.uri_of(group.medoid),
        }
        for group in clusters.groups
    ]
