"""`nearkin forget`: a class goes."""

from typing import Annotated

import typer

from nearkin.cli.class_changes import SECTION as SECTION
from nearkin.cli.class_changes import By, ClassName, Why, print_change
from nearkin.cli.options import GalleryPath, Json, Quiet

ORDER = 75


def forget(
    gallery: GalleryPath,
    name: ClassName,
    erase: Annotated[
        bool,
        typer.Option("--erase", help="Remove all that was said of it from the disk, pictures too; no undo."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; --erase needs it without a terminal.")] = False,
    why: Why = None,
    by: By = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Take a class out: its examples count no more. `nearkin undo` brings them back.

    What was rejected for its name stays rejected, should the name come again.
    """
    from nearkin.cli.confirm import ask_before_erasing
    from nearkin.gallery.gallery import Gallery

    opened = Gallery.open(gallery)
    if erase:
        ask_before_erasing(name, yes=yes)
    print_change(gallery, opened.forget(name, erase=erase, by=by, why=why), as_json=as_json)
