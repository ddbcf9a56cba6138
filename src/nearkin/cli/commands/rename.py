"""`nearkin rename`: a class gets another name."""

from typing import Annotated

import typer

from nearkin.cli.class_changes import SECTION as SECTION
from nearkin.cli.class_changes import By, ClassName, Why, print_change
from nearkin.cli.options import GalleryPath, Json, Quiet

ORDER = 76


def rename(
    gallery: GalleryPath,
    name: ClassName,
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")],
    why: Why = None,
    by: By = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Give a class another name, or another spelling of its name."""
    from nearkin.gallery.gallery import Gallery

    print_change(gallery, Gallery.open(gallery).rename(name, new, by=by, why=why), as_json=as_json)
