"""The commands of `nearkin gallery` that change items, and those that take a change back."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nearkin.cli.options import GalleryPath, Json, Where

if TYPE_CHECKING:
    from nearkin.gallery.gallery import Gallery

# Items that --dry-run shows.
SHOWN = 5

Ids = Annotated[list[int] | None, typer.Option("--id", help="Id of an item; may be repeated.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")]
Yes = Annotated[
    bool,
    typer.Option(
        "--yes", "-y", help="Do not ask for confirmation; needed above a tenth of the gallery without a terminal."
    ),
]


def delete(
    gallery: GalleryPath,
    ids: Ids = None,
    where: Where = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Delete items, given by ids or by a filter. The picture files stay.

    A filter that selects more than a tenth of the gallery asks for confirmation. `nearkin gallery restore` undoes a
    delete.
    """
    from nearkin.cli.confirm import ask_first

    opened = _open(gallery)
    count = opened.delete(ids, where=where, dry_run=True)
    if dry_run:
        _show_dry_run(opened, "delete", ids, where, as_json)
        return
    if where is not None:
        ask_first("delete", count, len(opened), yes=yes)
    deleted = opened.delete(ids, where=where)
    _print({"gallery": gallery, "deleted": deleted, "items": len(opened)}, as_json)
    _how_to_take_back(opened, gallery, deleted, as_json)


def update(
    gallery: GalleryPath,
    values: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="COLUMN=VALUE",
            help="Text is taken literally, other values as YAML; null for no value. May be repeated.",
        ),
    ],
    ids: Ids = None,
    where: Where = None,
    create: Annotated[bool, typer.Option("--create", help="Create columns that the gallery lacks.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Set label, captions or metadata of items, given by ids or by a filter.

    Later calls of `nearkin index` keep these values, unless --overwrite-labels. A filter that selects more than a tenth
    of the gallery asks for confirmation. `nearkin gallery restore` undoes an update.
    """
    from nearkin.cli.confirm import ask_first

    opened = _open(gallery)
    changes = dict(_column_and_value(text, opened.columns) for text in values)
    count = opened.update(changes, ids, where=where, create=create, dry_run=True)
    if dry_run:
        _show_dry_run(opened, "update", ids, where, as_json)
        return
    if where is not None:
        ask_first("update", count, len(opened), yes=yes)
    updated = opened.update(changes, ids, where=where, create=create)
    _print({"gallery": gallery, "updated": updated, "items": len(opened)}, as_json)
    _how_to_take_back(opened, gallery, updated, as_json)


def versions(gallery: GalleryPath, as_json: Json = False) -> None:
    """List the earlier versions that can be restored: the state before each change, kept for 14 days."""
    from nearkin.cli.output import next_step, print_table

    opened = _open(gallery)
    kept = opened.versions()
    if as_json:
        _print_json(kept)
        return
    rows = [
        (
            str(each.version),
            f"{each.items:,}",
            each.encoder,
            each.before,
            *(_time(at) for at in (each.replaced_at, each.kept_until)),
        )
        for each in kept
    ]
    header = ("version", "items", "encoder", "before", "replaced (UTC)", "kept until (UTC)")
    print_table(f"{gallery}: version {opened.version}, {len(opened):,} items", header, rows, names=header[2:])
    if kept:
        next_step(f"nearkin gallery restore {_quoted(gallery)} --version {kept[0].version}")


def restore(
    gallery: GalleryPath,
    version: Annotated[
        int, typer.Option("--version", help="Number of the version; `nearkin gallery versions` lists them.")
    ],
    as_json: Json = False,
) -> None:
    """Take a gallery back to an earlier version. This can be undone too; ids are never reused."""
    opened = _open(gallery)
    before = len(opened)
    opened.restore(version)
    _print({"gallery": gallery, "restored": version, "items_before": before, "items": len(opened)}, as_json)
    _how_to_take_back(opened, gallery, 1, as_json)


def relink(
    gallery: GalleryPath,
    old: Annotated[str, typer.Option("--from", help="The folder that was indexed.")],
    new: Annotated[str, typer.Option("--to", help="The folder that the pictures are in now.")],
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Update the paths of pictures after their folder was moved or renamed; their content must be the same."""
    from dataclasses import asdict

    from nearkin.progress import progress_bar

    opened = _open(gallery)
    with progress_bar("comparing pictures") as advance:
        summary = opened.relink(old, new, dry_run=dry_run, progress=advance)
    facts = asdict(summary)
    if dry_run:
        facts = {"would_relink": facts.pop("relinked"), **facts}
    _print({"gallery": gallery, **facts}, as_json)
    if not dry_run:
        _how_to_take_back(opened, gallery, summary.relinked, as_json)
    elif not as_json:
        _how_to_do_it(summary.relinked)


def prune(
    gallery: GalleryPath,
    below: Annotated[str | None, typer.Option(help="Only pictures in this folder.")] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Delete the items whose pictures are gone, after saying how many.

    Asks for confirmation if they are more than a tenth of the gallery, or if a folder has lost all of its pictures, as
    when a disk is not mounted. For pictures that were moved, see `nearkin gallery relink`.
    """
    from nearkin.cli.confirm import ask_first
    from nearkin.progress import progress_bar

    opened = _open(gallery)
    with progress_bar("looking for pictures") as advance:
        planned = opened.prune(below=below, dry_run=True, progress=advance)
    if dry_run:
        facts = {"would_delete": len(planned.pruned), "items": planned.items, "empty_folders": planned.empty_folders}
        _print({"gallery": gallery, **facts, "missing": planned.pruned}, as_json)
        if not as_json:
            _how_to_do_it(len(planned.pruned))
        return
    ask_first("delete", len(planned.pruned), planned.items, yes=yes, reason=why_to_ask(planned.empty_folders))
    pruned = opened.prune(below=below, whole_folders=True).pruned if planned.pruned else ()
    _print({"gallery": gallery, "deleted": len(pruned), "items": len(opened)}, as_json)
    _how_to_take_back(opened, gallery, len(pruned), as_json)


def why_to_ask(empty_folders: tuple[str, ...]) -> str:
    """The reason not to delete at once, none if no folder has lost all of its pictures."""
    if not empty_folders:
        return ""
    return f"no picture is left in {', '.join(empty_folders)}; is a disk not mounted, or was the folder moved"


def _show_dry_run(opened: "Gallery", change: str, ids: list[int] | None, where: str | None, as_json: bool) -> None:
    """How many items would be changed, and the first of them."""
    selected = opened.select(ids, where=where)
    first = opened.get(selected[:SHOWN])
    facts = {"gallery": str(opened.location), f"would_{change}": len(selected), "items": len(opened)}
    if as_json:
        _print_json({**facts, "first": first})
        return
    _print(facts, as_json)
    for item in first:
        print(f"  #{item.id}  {item.label or '-'}  {item.uri}")
    if len(selected) > SHOWN:
        print(f"  and {len(selected) - SHOWN:,} more")
    _how_to_do_it(len(selected))


def _how_to_take_back(opened: "Gallery", gallery: str, changed: int, as_json: bool) -> None:
    from nearkin.cli.output import next_step

    if as_json:
        return
    if changed and (kept := opened.versions()):
        next_step(f"nearkin gallery restore {_quoted(gallery)} --version {kept[0].version} takes this back")
    else:
        next_step(f"nearkin gallery info {_quoted(gallery)} says what there is")


def _how_to_do_it(count: int) -> None:
    """After a dry run."""
    from nearkin.cli.output import next_step

    if count:
        next_step("the same command without --dry-run does it")


def _column_and_value(text: str, columns: Mapping[str, str]) -> tuple[str, Any]:
    """What `--set` says. Text stays as it was typed, so that `label=no` and `label=007` are what they look like."""
    import yaml

    from nearkin.errors import InvalidInput

    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidInput(f"--set '{text}': expected COLUMN=VALUE, such as price=3.5")
    if columns.get(name) == "string":
        return name, None if value in ("", "null", "~") else value
    try:
        return name, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise InvalidInput(
            f"--set '{text}': {value} is no value in YAML: expected such as 3.5, true, text or [a, b]"
        ) from error


def _time(at: Any) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _quoted(gallery: str) -> str:
    from shlex import quote

    return quote(gallery)


def _open(gallery: str) -> "Gallery":
    from nearkin.gallery.gallery import Gallery

    return Gallery.open(gallery)


def _print(facts: dict[str, Any], as_json: bool) -> None:
    from nearkin.cli.output import print_facts

    print_facts(facts, as_json=as_json)


def _print_json(value: Any) -> None:
    from nearkin.cli.output import print_json

    print_json(value)
