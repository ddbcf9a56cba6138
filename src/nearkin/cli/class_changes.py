"""What the commands that correct the class registry share: their options, and what they print."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from nearkin.wording import counted

if TYPE_CHECKING:
    from nearkin.gallery.classes.summaries import RegistryChange
    from nearkin.gallery.gallery import Gallery

SECTION = "Name: who or what is this"

ClassName = Annotated[str, typer.Argument(metavar="NAME", help="Name of a class; `nearkin classes` lists them.")]
Why = Annotated[str | None, typer.Option(help="A remark that is kept.")]
By = Annotated[str | None, typer.Option(help="Who says so.", show_default="your user name")]


def print_change(gallery: str, change: "RegistryChange", *, as_json: bool) -> None:
    """What was done, and how to take it back."""
    from shlex import quote

    from nearkin.cli.output import next_step, print_json, warn

    if as_json:
        print_json({"gallery": gallery, **vars(change)})
        return
    print(change.what)
    if change.action != "erase":
        next_step(f"nearkin undo {quote(gallery)} {change.change} takes this back")
    elif change.items:
        ids = " ".join(f"--id {id}" for id in change.items)
        warn(f"still items of the gallery: {counted(len(change.items), 'picture')} that taught it its name")
        next_step(f"nearkin gallery delete {quote(gallery)} {ids} deletes {'it' if len(change.items) == 1 else 'them'}")
    else:
        next_step(f"nearkin classes {quote(gallery)} lists what is left")


def pictures_of(given: Iterable[str]) -> list[str]:
    """The pictures that arguments stand for: themselves, those of a folder, the lines of an @FILE.

    Raises:
        SourceError: one is no file, before anything slow begins; near names are suggested.
        InvalidInput: no such file of queries, or none in it.
    """
    from nearkin.cli.commands.search import expanded
    from nearkin.data.sources import check_source

    pictures = [picture for each in given for picture in expanded(each)]
    for picture in pictures:
        if not re.fullmatch(r"#\d+", picture):
            check_source(picture)
    return pictures


def open_to_embed(gallery: str, *, threads: int | None, device: str) -> "Gallery":
    """A gallery, with its encoder on the device that was asked for; loaded when it is first needed."""
    from nearkin.cli.options import use_threads
    from nearkin.encoders.device import check_device, to_device

    use_threads(threads)
    check_device(device)
    from nearkin.gallery.gallery import Gallery

    opened = Gallery.open(gallery)
    if device != "auto":
        to_device(opened.encoder, device)
    return opened
