"""`nearkin enroll`: names are taught by examples."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nearkin.cli.class_changes import SECTION as SECTION
from nearkin.cli.class_changes import By, Why
from nearkin.cli.options import Detect, Device, GalleryPath, Json, Quiet, Threads, Where
from nearkin.wording import counted

if TYPE_CHECKING:
    from nearkin.gallery.classes.summaries import EnrollSummary

ORDER = 71
KEPT = "what was taken is kept; the same command goes on"

# Reasons that no force overrules, or where there is no need of it.
FINAL = {"unreadable", "no name", "near copy"}
# Examples and reasons that are listed; --json has all.
SHOWN = 10


def enroll(
    gallery: GalleryPath,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Of the class; not with --folder, --table, --from-column.")
    ] = None,
    pictures: Annotated[
        list[str] | None, typer.Argument(metavar="[PICTURE]", help="Paths of pictures or folders, or #7 for item 7.")
    ] = None,
    texts: Annotated[
        list[str] | None, typer.Option("--text", help="Words for the class; may be given several times.")
    ] = None,
    attributes: Annotated[
        Path | None, typer.Option(help="Table with one row of the class's attributes, by their names.")
    ] = None,
    items: Annotated[
        list[int] | None, typer.Option("--item", help="Id of an item of the gallery; may be given several times.")
    ] = None,
    group: Annotated[
        int | None, typer.Option(help="Group of the last `nearkin cluster`, whose items are the examples.")
    ] = None,
    box: Annotated[
        str | None,
        typer.Option(metavar="L,T,R,B", help="Part of the picture: edges in pixels, such as 10,20,90,99."),
    ] = None,
    detect: Detect = None,
    folder: Annotated[
        Path | None, typer.Option(help="Many classes: a folder with a folder of pictures for each.")
    ] = None,
    table: Annotated[
        Path | None, typer.Option(help="Many classes: a table with columns name and path, text or attributes.")
    ] = None,
    from_column: Annotated[
        str | None, typer.Option(help="Many classes: a column of the gallery that names its items, such as label.")
    ] = None,
    where: Where = None,
    force: Annotated[bool, typer.Option("--force", help="Take what the review refuses, if it can be read.")] = False,
    why: Why = None,
    by: By = None,
    threads: Threads = None,
    device: Device = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Teach a gallery names by examples: pictures, words, attributes or items. More can be added at any time.

    Each example is reviewed: it is taken, or the reason why not is said. Exit code 1: some could not be read, or
    nothing was taken that was not there already.
    """
    from nearkin.cli.class_changes import open_to_embed, pictures_of
    from nearkin.cli.faces_in import faces_in
    from nearkin.cli.options import check_detect
    from nearkin.cli.output import print_json
    from nearkin.data.sources import check_source
    from nearkin.errors import InvalidInput
    from nearkin.progress import progress_bar

    given = {"--folder": folder, "--table": table, "--from-column": from_column}
    source = _one_source(given, name, bool(pictures or texts or items or attributes or box) or group is not None)
    chosen = pictures_of(pictures or ())
    if check_detect(detect) and (box is not None or source == "--from-column"):
        other = "--box" if box is not None else source
        raise InvalidInput(f"--detect looks for faces in whole photos: leave it out with {other}")
    if chosen:
        chosen = faces_in(chosen, detect, largest=True)
    for file in (attributes, table, folder):
        if file is not None:
            check_source(file)
    opened = open_to_embed(gallery, threads=threads, device=device)
    if source is None:
        members = () if group is None else opened.group_members(group).tolist()
        asked: dict[str, Any] = {"texts": texts or (), "items": [*(items or ()), *members]}
        if attributes is not None:
            row = read_attributes(attributes, str(name))
            # A table of classes may have columns that this model was not trained on.
            columns = getattr(opened.encoder, "attribute_columns", ())
            known = {column: cell for column, cell in row.items() if column in columns}
            asked["attributes"] = known or row
        examples = chosen if box is None else [_region(chosen, box)]
        summary = opened.enroll(str(name), examples, **asked, force=force, by=by, why=why)
    else:
        asked = {"column": from_column, "where": where} if source == "--from-column" else {"source": given[source]}
        if "source" in asked and check_detect(detect):
            asked["source"] = _largest_faces(given[source])
        with progress_bar("enrolling") as advance:
            summary = opened.enroll_many(**asked, force=force, by=by, why=why, progress=advance)
    if as_json:
        print_json({"gallery": gallery, **vars(summary)})
    else:
        _print_summary(gallery, summary, forced=force)
    reasons = {one.reason for one in summary.refused}
    if "unreadable" in reasons or (not summary.taken and reasons - {"near copy"}):
        raise typer.Exit(1)


def _largest_faces(source: Any) -> Any:
    """The largest face of each picture; those without one are named."""
    from nearkin.cli.commands.detect import print_without
    from nearkin.data.sources import read_items
    from nearkin.tasks.detect import faces_of

    faces, found = faces_of(read_items(source), largest=True)
    print_without(found.without)
    return faces


def read_attributes(path: Path, name: str) -> dict[str, Any]:
    """The attributes of a class from a table: its only row, or the one whose column `name` has the class's name.

    Raises:
        SourceError: the table cannot be read.
        InvalidInput: several rows, and none or more than one is of this name.
    """
    from nearkin.data.cells import class_name
    from nearkin.data.tables import read_table
    from nearkin.errors import InvalidInput
    from nearkin.gallery.classes.names import checked_name, name_key

    columns = dict(read_table(path).columns)
    names = columns.pop("name", columns.pop("label", None))
    rows = range(len(next(iter(columns.values()), [])))
    chosen = [row for row in rows if names and name_key(class_name(names[row]) or "") == name_key(checked_name(name))]
    if not chosen and len(rows) == 1:
        chosen = [0]
    if len(chosen) != 1:
        what = f"{len(chosen)} rows are called '{name}'" if names else "there is no column 'name'"
        raise InvalidInput(f"{path}: {len(rows)} rows, and {what}: expected one row of the class")
    return {column: cells[chosen[0]] for column, cells in columns.items()}


def _one_source(given: dict[str, Any], name: str | None, examples: bool) -> str | None:
    """Which option names many classes, None if one class is enrolled."""
    from nearkin.errors import InvalidInput

    used = [option for option, value in given.items() if value is not None]
    if len(used) > 1:
        raise InvalidInput(f"{used[0]} and {used[1]}: choose one")
    if used and (name is not None or examples):
        raise InvalidInput(f"{used[0]} has the names itself: leave out NAME and its examples")
    if not used and name is None:
        raise InvalidInput("whom or what to enrol? Expected NAME and examples, or --folder, --table or --from-column")
    return used[0] if used else None


def _region(pictures: list[str], box: str) -> Any:
    from nearkin.errors import InvalidInput
    from nearkin.gallery.classes.payload import Region

    if len(pictures) != 1:
        raise InvalidInput(f"--box is of one picture, {len(pictures)} were given")
    try:
        left, top, right, bottom = map(int, box.split(","))
    except ValueError as error:
        raise InvalidInput(
            f"--box '{box}': expected left, top, right, bottom in pixels, such as 10,20,90,99"
        ) from error
    return Region(pictures[0], (left, top, right, bottom))


def _print_summary(gallery: str, summary: "EnrollSummary", *, forced: bool) -> None:
    from shlex import quote

    from nearkin.cli.output import next_step
    from nearkin.data.names import printable

    names = {one.name for one in summary.taken}
    of = f" of {len(names):,} classes" if len(names) > 1 else f" of '{next(iter(names))}'" if names else ""
    print(f"{gallery}: {counted(len(summary.taken), 'example')}{of} taken, {len(summary.refused):,} refused")
    for one in summary.taken[:SHOWN]:
        print(printable(f"  taken    {one.name}: {one.what}"))
    if len(summary.taken) > SHOWN:
        print(f"  and {len(summary.taken) - SHOWN:,} more taken; --json lists all")
    for refused in summary.refused[:SHOWN]:
        print(printable(f"  refused  {refused.name}: {refused}" if refused.name else f"  refused  {refused}"))
    if len(summary.refused) > SHOWN:
        print(f"  and {len(summary.refused) - SHOWN:,} more refused; --json lists all")
    for note in summary.notes:
        print(note)
    if summary.change is not None:
        next_step(f"nearkin recognize {quote(gallery)} PICTURE; nearkin undo {quote(gallery)} takes this back")
    elif not forced and {one.reason for one in summary.refused} - FINAL:
        next_step("--force takes what can be read all the same")
