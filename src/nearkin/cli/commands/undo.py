"""`nearkin undo`: a change of the class registry is taken back."""

from typing import Annotated

import typer

from nearkin.cli.class_changes import SECTION as SECTION
from nearkin.cli.class_changes import By, Why, print_change
from nearkin.cli.options import GalleryPath, Json, Quiet

ORDER = 78


def undo(
    gallery: GalleryPath,
    change: Annotated[
        int | None, typer.Argument(metavar="[CHANGE]", help="Number of the change.", show_default="the last one")
    ] = None,
    why: Why = None,
    by: By = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Take back what was said: the last call of enroll, reject, ignore, forget, rename or merge, or one by its number.

    `nearkin classes GALLERY --changes` lists the numbers. An undo can be undone by its own number.
    """
    from nearkin.gallery.gallery import Gallery

    print_change(gallery, Gallery.open(gallery).undo(change, by=by, why=why), as_json=as_json)
