"""`nearkin classes`: what a gallery knows by name."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nearkin.cli.class_changes import SECTION as SECTION
from nearkin.cli.options import GalleryPath, Json, Quiet
from nearkin.wording import counted

if TYPE_CHECKING:
    from nearkin.gallery.gallery import Gallery
    from nearkin.intervals.figure import Figure

ORDER = 79
# Rows of a table of --health; --json has all.
SHOWN = 10
KINDS = ("picture", "region", "text", "attributes", "vector")


def classes(
    gallery: GalleryPath,
    changes: Annotated[
        bool, typer.Option("--changes", help="List what was said instead, call by call, with the numbers for undo.")
    ] = False,
    health: Annotated[
        bool, typer.Option("--health", help="Tell how good their examples are, and where more or others are needed.")
    ] = False,
    fpir: Annotated[
        float | None,
        typer.Option(
            help="False positive identification rate that --health is told at.",
            show_default="0.01, or the lowest that can be measured",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write --health as a page, such as health.html.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """List the classes of a gallery with their examples; or how good these are; or all that was said of them."""
    from nearkin.errors import InvalidInput
    from nearkin.files import check_output
    from nearkin.gallery.gallery import Gallery

    if changes and health:
        raise InvalidInput("--changes and --health: choose one")
    if not health and (out is not None or fpir is not None):
        raise InvalidInput(f"{'--out' if out is not None else '--fpir'} goes with --health")
    if out is not None:
        out = check_output(out, "--out", suffixes=(".html",))
    opened = Gallery.open(gallery)
    if health:
        _print_health(gallery, opened, fpir=fpir, out=out, as_json=as_json)
    elif changes:
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
    print_table(f"{gallery}: {counted(len(found), 'class')}", header, rows, names=("class", "since (UTC)"))
    if found:
        next_step(f"nearkin recognize {quote(gallery)} PICTURE")
    else:
        next_step(f"nearkin enroll {quote(gallery)} NAME PICTURE...")


def _print_health(gallery: str, opened: "Gallery", *, fpir: float | None, out: Path | None, as_json: bool) -> None:
    from shlex import quote

    from nearkin.cli.commands.recognize import threshold_line
    from nearkin.cli.output import next_step, print_json, print_table, status

    found = opened.class_health(fpir=fpir)
    status(threshold_line(found.threshold))
    if as_json:
        print_json(found)
    else:
        lines = [
            f"nearest to the others of its class: {_percent(found.accuracy)} of the examples; named at the threshold: "
            f"{_percent(found.named)}",
            *(
                f"one more picture for classes of {each.pictures}: {100 * each.gain.value:+.1f} points "
                f"[{100 * (each.gain.low or 0):+.1f}, {100 * (each.gain.high or 0):+.1f}], from "
                f"{100 * each.accuracy.value:.1f} %"
                for each in found.gains[:3]
            ),
        ]
        worst = [
            (each.name, f"{each.examples:,}", _right(each.recognized, each.asked), "too little" if each.thin else "")
            for each in found.classes[:SHOWN]
        ]
        more = f"; the worst {SHOWN}" if len(found.classes) > SHOWN else ""
        title = f"{gallery}: {counted(len(found.classes), 'class')}, {counted(found.examples, 'example')}{more}"
        print_table(title, ("class", "examples", "recognized", ""), worst, lines, names=("class", ""))
        if found.siblings:
            print_table(
                f"taken for each other: {counted(len(found.siblings), 'pair')}",
                ("class", "and", "examples", "of"),
                [(*each.names, str(each.confused), str(each.asked)) for each in found.siblings[:SHOWN]],
                names=("class", "and"),
            )
        if found.misfits:
            print_table(
                f"do not fit their class: {counted(len(found.misfits), 'example')}",
                ("class", "nearer to", "example"),
                [(each.name, each.nearest, each.what) for each in found.misfits[:SHOWN]],  # type: ignore[attr-defined]
                names=("class", "nearer to", "example"),
            )
    if out is not None:
        from nearkin.tasks.class_health_page import write_health_page

        write_health_page(opened, found, out)
        status(f"page: {out}")
    if not as_json:
        if found.misfits:
            wrong = found.misfits[0]
            next_step(f"nearkin reject {quote(gallery)} {quote(wrong.what)} {quote(wrong.name)} if it is none")  # type: ignore[attr-defined]
        else:
            next_step(f"nearkin enroll {quote(gallery)} NAME PICTURE adds examples")


def _percent(figure: "Figure | None") -> str:
    if figure is None:
        return "unknown (no class has two)"
    if figure.low is None or figure.high is None:
        return f"{100 * figure.value:.1f} %"
    return f"{100 * figure.value:.1f} % [{100 * figure.low:.1f}, {100 * figure.high:.1f}]"


def _right(recognized: int, asked: int) -> str:
    return f"{recognized} of {asked}" if asked else "-"


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
