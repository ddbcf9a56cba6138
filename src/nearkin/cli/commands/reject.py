"""`nearkin reject`: this picture is not of that class."""

from typing import Annotated

import typer

from nearkin.cli.class_changes import SECTION as SECTION
from nearkin.cli.class_changes import By, ClassName, Why, print_change
from nearkin.cli.options import Device, GalleryPath, Json, Quiet, Threads

ORDER = 73


def reject(
    gallery: GalleryPath,
    picture: Annotated[str, typer.Argument(metavar="PICTURE", help="Path of a picture, or #7 for item 7.")],
    name: ClassName,
    why: Why = None,
    by: By = None,
    threads: Threads = None,
    device: Device = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Say "not this one": the picture, and near copies of it, never get this name again.

    If it is an example of the class, it counts no more. The border of the class learns from it.
    """
    from nearkin.cli.class_changes import open_to_embed, pictures_of
    from nearkin.errors import InvalidInput

    if len(asked := pictures_of([picture])) != 1:
        raise InvalidInput(f"'{picture}' stands for {len(asked)} pictures: reject them one by one")
    opened = open_to_embed(gallery, threads=threads, device=device)
    print_change(gallery, opened.reject(asked[0], name, by=by, why=why), as_json=as_json)
