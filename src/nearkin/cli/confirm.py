"""Asking before much is changed: a person at a terminal is asked, a script must say --yes."""

import sys

import typer

from nearkin.cli.output import status
from nearkin.errors import InvalidInput

# More than this share of a gallery is not changed by a filter without a question.
SHARE = 0.1


def ask_first(change: str, count: int, total: int, *, yes: bool, reason: str = "") -> None:
    """Say how many of how many items are about to be changed; ask if they are many.

    Args:
        change: such as "delete".
        count: items that would be changed.
        total: items of the gallery.
        yes: whether `--yes` was given.
        reason: why to ask whatever the count.

    Raises:
        InvalidInput: many, no terminal, and no `--yes`.
        typer.Exit: the answer was no.
    """
    what = f"{change} {count:,} of {total:,} items"
    status(f"{what}{f': {reason}' if reason else ''}")
    if yes or not count or (count <= SHARE * total and not reason):
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        why = reason or "more than a tenth of the gallery"
        raise InvalidInput(f"would {what}, {why}: look at them with --dry-run, then say --yes")
    if not typer.confirm(f"{what}?", err=True):
        status("nothing was changed")
        raise typer.Exit(1)


def ask_before_erasing(name: str, *, yes: bool) -> None:
    """Ask before what cannot be undone.

    Raises:
        InvalidInput: no terminal, and no `--yes`.
        typer.Exit: the answer was no.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InvalidInput(f"would erase '{name}' for good, with its pictures: say --yes")
    if not typer.confirm(f"erase '{name}' for good, with its pictures?", err=True):
        status("nothing was changed")
        raise typer.Exit(1)
