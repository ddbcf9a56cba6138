"""`nearkin gallery ...`: look into a gallery, change it, check it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nearkin.registry import module_names

if TYPE_CHECKING:
    from nearkin.gallery.gallery import Gallery, IndexInfo

SECTION, ORDER = "Search", 60

gallery = typer.Typer(name="gallery", help="Look into a gallery, change it, check it.", no_args_is_help=True)

Place = Annotated[str, typer.Argument(metavar="GALLERY", help="Gallery folder, or URL such as s3://bucket/shop.")]
Ids = Annotated[list[int] | None, typer.Option("--id", help="Id of an item; several allowed.")]
Where = Annotated[str | None, typer.Option(help="Items that pass this SQL filter, such as \"label = 'mug'\".")]
# The names of the files: no kind is imported for the help.
_KINDS = f"Kind of index: auto chooses one; or {', '.join(module_names('nearkin.gallery.index.kinds'))}."
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@gallery.command()
def info(place: Place, as_json: Json = False) -> None:
    """Say what a gallery holds: items, columns, encoder, index."""
    opened = _open(place)
    facts = {
        "gallery": place,
        "items": len(opened),
        "dim": opened.dim,
        "encoder": opened.fingerprint,
        "version": opened.version,
        "columns": opened.columns,
        "index": _index_facts(opened.index, as_json) if len(opened) else None,
    }
    _print(facts, as_json)


@gallery.command()
def build(
    place: Place,
    kind: Annotated[str, typer.Option(help=_KINDS)] = "auto",
    recall: Annotated[float, typer.Option(help="Share of the true 10 nearest that shall be found.")] = 0.99,
    as_json: Json = False,
) -> None:
    """Choose the index of a gallery and build it; says what recall it reaches. The choice stays with the gallery."""
    from nearkin.cli.output import status

    built = _open(place).build(kind, recall=recall)
    _print({"gallery": place, **_index_facts(built, as_json)}, as_json)
    if built.recall is not None and built.recall.value < recall:
        status(f"recall is below the {100 * recall:g} % asked for: --kind exact finds all, --kind auto chooses")


@gallery.command()
def get(place: Place, ids: Annotated[list[int], typer.Argument(metavar="ID...", help="Ids of items.")]) -> None:
    """Print items as JSON."""
    from dataclasses import asdict

    _print_json([asdict(item) for item in _open(place).get(ids)])


@gallery.command()
def hashes(
    place: Place,
    ids: Annotated[list[int], typer.Argument(metavar="ID...", help="Ids of items.")],
    as_json: Json = False,
) -> None:
    """Show the hashes of items, if the index is of kind lsh: items whose hashes differ in few bits are alike."""
    found = _open(place).hashes(ids)
    if as_json:
        _print_json(dict(zip(map(str, ids), found, strict=True)))
        return
    for id, bits in zip(ids, found, strict=True):
        print(f"{id}  Hash: {bits}")


@gallery.command()
def buckets(
    place: Place,
    bits: Annotated[int, typer.Option(help="First bits that are compared.")] = 16,
    as_json: Json = False,
) -> None:
    """List the items whose hashes begin alike, if the index is of kind lsh; the fullest bucket first."""
    found = _open(place).buckets(bits)
    if as_json:
        _print_json(found)
        return
    for prefix, ids in found.items():
        print(f"{prefix}  {len(ids):,}: {' '.join(map(str, ids[:20]))}{' ...' if len(ids) > 20 else ''}")


@gallery.command()
def delete(place: Place, ids: Ids = None, where: Where = None, as_json: Json = False) -> None:
    """Delete items. Their pictures stay where they are."""
    opened = _open(place)
    deleted = opened.delete(ids, where=where)
    _print({"gallery": place, "deleted": deleted, "items": len(opened)}, as_json)


@gallery.command()
def update(
    place: Place,
    values: Annotated[
        list[str],
        typer.Option(
            "--set", metavar="COLUMN=VALUE", help="Text as it is, else as in YAML; null: none. Several allowed."
        ),
    ],
    ids: Ids = None,
    where: Where = None,
    create: Annotated[bool, typer.Option("--create", help="Make columns that the gallery lacks.")] = False,
    as_json: Json = False,
) -> None:
    """Set label, captions or metadata of items."""
    opened = _open(place)
    changes = dict(_column_and_value(text, opened.columns) for text in values)
    updated = opened.update(changes, ids, where=where, create=create)
    _print({"gallery": place, "updated": updated, "items": len(opened)}, as_json)


@gallery.command()
def export(
    place: Place,
    out: Annotated[str, typer.Argument(help="Parquet file to write.")],
    where: Where = None,
    vectors: Annotated[bool, typer.Option(help="With the vectors.")] = True,
    thumbnails: Annotated[bool, typer.Option(help="With the thumbnails.")] = False,
    as_json: Json = False,
) -> None:
    """Write items into a Parquet file."""
    from nearkin.progress import progress_bar

    with progress_bar("writing items") as advance:
        written = _open(place).export(out, where=where, vectors=vectors, thumbnails=thumbnails, progress=advance)
    _print({"gallery": place, "written": written, "file": out}, as_json)


@gallery.command()
def check(
    place: Place,
    read_pictures: Annotated[bool, typer.Option("--read-pictures", help="Compare the contents of pictures.")] = False,
    as_json: Json = False,
) -> None:
    """Check that a gallery is sound, repair what can be, and list pictures that are missing or have changed.

    The exit code is 1 if the gallery itself is at fault.
    """
    from dataclasses import asdict

    from nearkin.progress import progress_bar

    with progress_bar("looking for pictures") as advance:
        report = _open(place).check(read_pictures=read_pictures, progress=advance)
    _print({"gallery": place, "sound": report.sound, **asdict(report)}, as_json)
    if not report.sound:
        raise typer.Exit(1)


def _index_facts(index: "IndexInfo", as_json: bool) -> dict[str, Any]:
    """Numbers for JSON; for people in their units."""
    from dataclasses import asdict

    from nearkin.evaluation.report import shown_figure

    facts = asdict(index)
    if as_json:
        return facts
    return {
        **facts,
        "recall": "100 % (exact)" if index.recall is None else shown_figure("recall", index.recall),
        "changed": f"{100 * index.changed:.1f} %",
        "bytes_per_vector": round(index.bytes_per_vector),
        "build_seconds": f"{index.build_seconds:g}",
    }


def _column_and_value(text: str, columns: Mapping[str, str]) -> tuple[str, Any]:
    """What `--set` says. Text stays as it was typed, so that `label=no` and `label=007` are what they look like."""
    import yaml

    from nearkin.errors import InvalidInput

    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidInput(f"--set '{text}': wanted COLUMN=VALUE, such as price=3.5")
    if columns.get(name) == "string":
        return name, None if value in ("", "null", "~") else value
    try:
        return name, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise InvalidInput(
            f"--set '{text}': {value} is no value in YAML: wanted such as 3.5, true, text or [a, b]"
        ) from error


def _open(place: str) -> "Gallery":
    from nearkin.gallery.gallery import Gallery

    return Gallery.open(place)


def _print(facts: dict[str, Any], as_json: bool) -> None:
    """A line for each fact; lists line by line below their name."""
    if as_json:
        _print_json(facts)
        return
    for name, value in facts.items():
        if isinstance(value, dict):
            value = "; ".join(f"{key}: {_shown(entry)}" for key, entry in value.items())
        if isinstance(value, list | tuple):
            print(f"{name}: {len(value):,}", *value, sep="\n  ")
        else:
            print(f"{name}: {_shown(value)}")


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if type(value) is int else str(value)


def _print_json(value: Any) -> None:
    from nearkin.cli.output import print_json

    print_json(value)
