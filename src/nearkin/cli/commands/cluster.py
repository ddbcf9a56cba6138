"""`nearkin cluster`: pictures sorted into groups."""

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from nearkin.cli.options import Device, Json, PathColumn, Quiet, Strict, Threads
from nearkin.registry import module_names

if TYPE_CHECKING:
    from nearkin.gallery.gallery import Gallery
    from nearkin.similarity.clustering.engine.groups import Clusters

SECTION, ORDER = "Search", 65

# The names of the files: no method is imported for the help.
_METHODS = f"How: {', '.join(module_names('nearkin.similarity.clustering'))}."
_CORRECT = "Correct the last groups of a gallery, and cluster again"
# Groups that are shown; --json has all.
SHOWN = 30


def cluster(
    target: Annotated[str, typer.Argument(metavar="GALLERY | MODEL", help="Gallery; or a model, whose DATA follows.")],
    data: Annotated[str | None, typer.Argument(metavar="[DATA]", help="Pictures to embed with MODEL.")] = None,
    method: Annotated[str, typer.Option(help=_METHODS)] = "communities",
    k: Annotated[int | None, typer.Option("-k", help="How many groups.", show_default="found out")] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Score from which on pictures belong together.", show_default="found out")
    ] = None,
    where: Annotated[str | None, typer.Option(help="Only items that pass this SQL filter.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write path and group of each picture, such as groups.csv.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Folder to draw a contact sheet of each group into.")] = None,
    write: Annotated[str | None, typer.Option(metavar="COLUMN", help="Write the groups into a column.")] = None,
    merge: Annotated[
        tuple[int, int] | None, typer.Option(metavar="GROUP GROUP", help="These are one.", rich_help_panel=_CORRECT)
    ] = None,
    split: Annotated[
        int | None, typer.Option(metavar="GROUP", help="This is not one.", rich_help_panel=_CORRECT)
    ] = None,
    reject: Annotated[
        str | None,
        typer.Option(metavar="PICTURE", help="Path or #ID: not of its group.", rich_help_panel=_CORRECT),
    ] = None,
    together: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="PICTURE PICTURE", help="These belong together.", rich_help_panel=_CORRECT),
    ] = None,
    apart: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="PICTURE PICTURE", help="These do not.", rich_help_panel=_CORRECT),
    ] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take back the last correction.", rich_help_panel=_CORRECT)
    ] = False,
    path_column: PathColumn = None,
    strict: Strict = False,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    threads: Threads = None,
    device: Device = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Sort pictures into groups of like ones; how many there are is found out.

    In a gallery groups keep their numbers, new pictures join them, and corrections bind all later calls.
    """
    from nearkin.cli.options import check_models_and_data, use_threads
    from nearkin.cli.output import next_step, print_json, status
    from nearkin.errors import InvalidInput
    from nearkin.files import check_output, check_output_folder
    from nearkin.progress import progress_bar
    from nearkin.similarity.clustering import CLUSTERERS

    CLUSTERERS.check(method)
    if out is not None:
        out = check_output(out, "--out", suffixes=(".csv",))
    if sheet is not None:
        check_output_folder(sheet, "--sheet")
    corrections = {"merge": merge, "split": split, "reject": reject, "together": together, "apart": apart}
    given = [f"--{name}" for name, value in corrections.items() if value is not None] + ["--undo"] * undo
    if len(given) > 1:
        raise InvalidInput(f"{' and '.join(given)}: one correction at a time")
    use_threads(threads)
    thumbnail = None
    if data is None:
        from nearkin.gallery.gallery import Gallery

        opened = Gallery.open(target)
        thumbnail = opened.thumbnail
        if given:
            status(_correct(opened, merge, split, reject, together, apart))
        found = opened.cluster(method, k=k, threshold=threshold, where=where, write=write, seed=seed)
    else:
        of_gallery = [*given, *(f"--{name}" for name, value in (("where", where), ("write", write)) if value)]
        if of_gallery:
            raise InvalidInput(f"{of_gallery[0]} is for a gallery: make one with `nearkin index MODEL DATA GALLERY`")
        check_models_and_data([target], data)
        from nearkin.tasks.cluster import cluster as cluster_data

        with progress_bar("embedding pictures") as advance:
            found = cluster_data(
                target,
                data,
                method,
                k=k,
                threshold=threshold,
                path_column=path_column,
                strict=strict,
                device=device,
                seed=seed,
                progress=advance,
            )
    if as_json:
        print_json(_as_json(found))
    else:
        _print(found)
    if out is not None or sheet is not None:
        from nearkin.tasks.cluster import draw_groups, write_groups

        if out is not None:
            write_groups(found, out)
            status(f"table: {out}")
        if sheet is not None:
            status(f"contact sheets: {len(draw_groups(found, sheet, thumbnail=thumbnail)):,} in {sheet}")
    if not as_json:
        next_step(_next_step(found, target, data, sheet))


def _correct(
    gallery: "Gallery",
    merge: tuple[int, int] | None,
    split: int | None,
    reject: str | None,
    together: tuple[str, str] | None,
    apart: tuple[str, str] | None,
) -> str:
    """Does what was asked for, and says so."""
    if merge is not None:
        gallery.merge_groups(*merge)
        return f"groups {merge[0]} and {merge[1]} are one from now on; --undo takes that back"
    if split is not None:
        gallery.split_group(split)
        return f"group {split} is not one from now on; --undo takes that back"
    if reject is not None:
        gallery.reject_from_group(_item(gallery, reject))
        return f"{reject} stays out of its group from now on; --undo takes that back"
    if together is not None:
        gallery.together(*(_item(gallery, one) for one in together))
        return f"{together[0]} and {together[1]} stay together from now on; --undo takes that back"
    if apart is not None:
        gallery.apart(*(_item(gallery, one) for one in apart))
        return f"{apart[0]} and {apart[1]} stay apart from now on; --undo takes that back"
    return f"taken back: {gallery.undo_link()[0].why}"


def _item(gallery: "Gallery", named: str) -> int:
    """The id of an item: #7, or the path of its picture."""
    from nearkin.errors import InvalidInput

    if named.startswith("#") and named[1:].isdigit():
        return int(named[1:])
    ids = gallery.ids_of(named)
    if not ids:
        raise InvalidInput(f"'{named}' is no picture of the gallery: name one by its path, or as #ID")
    return ids[0]


def _as_json(found: "Clusters") -> dict[str, object]:
    groups = [
        {
            **{name: getattr(group, name) for name in ("id", "size", "cohesion", "low", "high", "medoid", "members")},
            "uri": found.uri_of(group.medoid),
        }
        for group in found.groups
    ]
    return {**found.to_dict(), "groups": groups}


def _print(found: "Clusters") -> None:
    from nearkin.cli.output import print_table, status

    rows = [
        (
            str(group.id),
            f"{group.size:,}",
            f"{group.cohesion:.3f}" + ("" if group.low is None else f" [{group.low:.3f}, {group.high:.3f}]"),
            f"#{group.medoid}",
            found.uri_of(group.medoid) or "",
        )
        for group in found.groups[:SHOWN]
    ]
    print_table(
        f"{len(found.things):,} pictures: {len(found.groups):,} groups, {len(found.ungrouped):,} pictures in none",
        ("group", "size", "cohesion", "medoid", "path"),
        rows,
        names=("medoid", "path"),
    )
    if len(found.groups) > SHOWN:
        status(f"and {len(found.groups) - SHOWN:,} more groups; --json and --out have all")


def _next_step(found: "Clusters", target: str, data: str | None, sheet: Path | None) -> str:
    """What can be done with the groups."""
    if sheet is None and found.groups:
        return "--sheet groups/ shows each group as a picture"
    if data is not None:
        return f"nearkin index {quote(target)} {quote(data)} GALLERY makes a gallery, whose groups can be corrected"
    return f"nearkin cluster {quote(target)} --merge 3 7, --split 5, --reject PICTURE correct the groups"
