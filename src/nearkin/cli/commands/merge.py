"""`nearkin merge`: two classes are one."""

from typing import Annotated

import typer

from nearkin.cli.class_changes import SECTION as SECTION
from nearkin.cli.class_changes import By, ClassName, Why, print_change
from nearkin.cli.options import GalleryPath, Json, Quiet

ORDER = 77


def merge(
    gallery: GalleryPath,
    name: ClassName,
    into: Annotated[str, typer.Argument(metavar="INTO", help="Name of the class that stays.")],
    why: Why = None,
    by: By = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Make two classes one: what was said of NAME is said of INTO."""
    from nearkin.gallery.gallery import Gallery

    print_change(gallery, Gallery.open(gallery).merge(name, into, by=by, why=why), as_json=as_json)
