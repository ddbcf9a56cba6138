"""`nearkin classes`: what a gallery knows by name."""

from typing import TYPE_CHECKING, Annotated

import typer

from nearkin.cli.class_changes import SECTION as SECTION
from nearkin.cli.options import GalleryPath, Json, Quiet

if TYPE_CHECKING:
    from nearkin.gallery.gallery import Gallery

ORDER = 79
KINDS = ("picture", "region", "text", "attributes", "vector")


def classes(
    gallery: GalleryPath,
    changes: Annotated[
        bool, typer.Option("--changes", help="List what was said instead, call by call, with the numbers for undo.")
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """List the classes of a gallery with their examples, or all that was said of them."""
    from nearkin.gallery.gallery import Gallery

    opened = Gallery.open(gallery)
    if changes:
        _print_changes(gallery, opened, as_json=as_json)
    else:
        _print_classes(gallery, opened, as_json=as_json)


def _print_classes(gallery: str, opened: "Gallery", *, as_json: bool) -> None:
    from shlex import quote

    from nearkin.cli.output import next_step, print_json, print_table

    found = opened.classes()
    if as_json:
        print_json(found)
        return
    kinds = [kind for kind in KINDS if any(kind in each.kinds for each in found)]
    header = ("class", "examples", *kinds, "rejected", "since (UTC)")
    rows = [
        (
            each.name,
            f"{each.examples:,}",
            *(f"{each.kinds.get(kind, 0):,}" for kind in kinds),
            f"{each.rejected:,}",
            "-" if each.since is None else f"{each.since:%Y-%m-%d %H:%M}",
        )
        for each in found
    ]
    print_table(f"{gallery}: {len(found):,} classes", header, rows, names=("class", "since (UTC)"))
    if found:
        next_step(f"nearkin recognize {quote(gallery)} PICTURE")
    else:
        next_step(f"nearkin enroll {quote(gallery)} NAME PICTURE...")


def _print_changes(gallery: str, opened: "Gallery", *, as_json: bool) -> None:
    from shlex import quote

    from nearkin.cli.output import next_step, print_json, print_table

    found = opened.class_changes()
    if as_json:
        print_json(found)
        return
    rows = [
        (
            str(each["change"]),
            each["action"] if each["event"] is None else f"undo {each['event']}",
            each["class"] or "-",
            each["to"] or "-",
            f"{each['events']:,}",
            f"{each['at']:%Y-%m-%d %H:%M}",
            each["by"] or "-",
            each["why"] or "-",
            "undone" if each["undone"] else "",
        )
        for each in found
    ]
    header = ("change", "action", "class", "to", "events", "at (UTC)", "by", "why", "")
    left = [name for name in header if name not in ("change", "events")]
    print_table(f"{gallery}: {len(found):,} changes", header, rows, names=left)
    if found:
        next_step(f"nearkin undo {quote(gallery)} {found[-1]['change']}")
