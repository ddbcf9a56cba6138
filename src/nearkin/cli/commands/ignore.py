"""`nearkin ignore`: pictures of strangers."""

from typing import Annotated

import typer

from nearkin.cli.class_changes import SECTION as SECTION
from nearkin.cli.class_changes import By, Why, print_change
from nearkin.cli.options import Device, GalleryPath, Json, Quiet, Threads

ORDER = 74


def ignore(
    gallery: GalleryPath,
    pictures: Annotated[
        list[str], typer.Argument(metavar="PICTURE", help="Paths of pictures or folders, or #7 for item 7.")
    ],
    why: Why = None,
    by: By = None,
    threads: Threads = None,
    device: Device = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Say "never name this one": pictures of strangers, and near copies of them, get no name.

    They count as strangers where the threshold for "unknown" is measured.
    """
    from nearkin.cli.class_changes import open_to_embed, pictures_of

    asked = pictures_of(pictures)
    opened = open_to_embed(gallery, threads=threads, device=device)
    print_change(gallery, opened.ignore(asked, by=by, why=why), as_json=as_json)
