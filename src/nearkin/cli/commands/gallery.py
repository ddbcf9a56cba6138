"""`nearkin gallery ...`: look into a gallery, change it, check it."""

from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nearkin.cli import gallery_changes
from nearkin.cli.options import GalleryPath, Json, Where
from nearkin.cli.output import next_step, print_facts, print_json
from nearkin.registry import module_names

if TYPE_CHECKING:
    from nearkin.gallery.gallery import CheckReport, Gallery, IndexInfo

SECTION, ORDER = "Search", 60

gallery = typer.Typer(name="gallery", help="Inspect, change and check a gallery.", no_args_is_help=True)

# The names of the files: no kind is imported for the help.
_KINDS = f"Kind of index: auto chooses one; or {', '.join(module_names('nearkin.gallery.index.kinds'))}."
for _change in (
    gallery_changes.delete,
    gallery_changes.update,
    gallery_changes.versions,
    gallery_changes.restore,
    gallery_changes.relink,
    gallery_changes.prune,
):
    gallery.command()(_change)


@gallery.command()
def info(gallery: GalleryPath, as_json: Json = False) -> None:
    """Show what a gallery holds: items, columns, encoder, index."""
    opened = _open(gallery)
    facts = {
        "gallery": gallery,
        "items": len(opened),
        "dim": opened.dim,
        "encoder": opened.fingerprint,
        "version": opened.version,
        "columns": opened.columns,
        "index": _index_facts(opened.index, as_json) if len(opened) else None,
    }
    print_facts(facts, as_json=as_json)
    if as_json:
        return
    if len(opened):
        next_step(f"nearkin search {quote(gallery)} PICTURE_OR_WORDS")
    else:
        next_step(f"nearkin index MODEL PICTURES {quote(gallery)}")


@gallery.command()
def build(
    gallery: GalleryPath,
    kind: Annotated[str, typer.Option(help=_KINDS)] = "auto",
    recall: Annotated[float, typer.Option(help="Share of the true 10 nearest neighbours to find.")] = 0.99,
    as_json: Json = False,
) -> None:
    """Choose and build the index of a gallery, and show its recall. The gallery keeps the choice."""
    from nearkin.cli.output import status

    built = _open(gallery).build(kind, recall=recall)
    print_facts({"gallery": gallery, **_index_facts(built, as_json)}, as_json=as_json)
    if built.recall is not None and built.recall.value < recall:
        status(f"recall is below the {100 * recall:g} % asked for: --kind exact finds all, --kind auto chooses")
    if not as_json:
        next_step(f"nearkin search {quote(gallery)} PICTURE_OR_WORDS")


@gallery.command()
def get(
    gallery: GalleryPath,
    ids: Annotated[list[int], typer.Argument(metavar="ID...", help="Ids of items.")],
    as_json: Annotated[bool, typer.Option("--json", help="Changes nothing: items are always printed as JSON.")] = True,
) -> None:
    """Print items as JSON."""
    from dataclasses import asdict

    print_json([asdict(item) for item in _open(gallery).get(ids)])


@gallery.command()
def hashes(
    gallery: GalleryPath,
    ids: Annotated[list[int], typer.Argument(metavar="ID...", help="Ids of items.")],
    as_json: Json = False,
) -> None:
    """Show the hashes of items in an index of kind lsh; those of similar items differ in few bits."""
    found = _open(gallery).hashes(ids)
    if as_json:
        print_json(dict(zip(map(str, ids), found, strict=True)))
        return
    for id, bits in zip(ids, found, strict=True):
        print(f"{id}  Hash: {bits}")


@gallery.command()
def buckets(
    gallery: GalleryPath,
    bits: Annotated[int, typer.Option(help="How many first bits to compare.")] = 16,
    as_json: Json = False,
) -> None:
    """List items whose hashes share their first bits, in an index of kind lsh; the fullest bucket first."""
    found = _open(gallery).buckets(bits)
    if as_json:
        print_json(found)
        return
    for prefix, ids in found.items():
        print(f"{prefix}  {len(ids):,}: {' '.join(map(str, ids[:20]))}{' ...' if len(ids) > 20 else ''}")


@gallery.command()
def export(
    gallery: GalleryPath,
    out: Annotated[str, typer.Argument(metavar="OUT", help="Parquet file to write.")],
    where: Where = None,
    vectors: Annotated[bool, typer.Option(help="Include vectors.")] = True,
    thumbnails: Annotated[bool, typer.Option(help="Include thumbnails.")] = False,
    as_json: Json = False,
) -> None:
    """Write items to a Parquet file."""
    from nearkin.files import check_output
    from nearkin.progress import progress_bar

    check_output(out, "OUT")
    with progress_bar("writing items") as advance:
        written = _open(gallery).export(out, where=where, vectors=vectors, thumbnails=thumbnails, progress=advance)
    print_facts({"gallery": gallery, "written": written, "file": out}, as_json=as_json)
    if not as_json:
        next_step(f"pandas.read_parquet({out!r}), or any other program that reads Parquet")


@gallery.command()
def check(
    gallery: GalleryPath,
    read_pictures: Annotated[
        bool, typer.Option("--read-pictures", help="Also compare contents where size and time are the same.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check that a gallery is sound, repair derived files, and list missing and changed pictures.

    The exit code is 1 if the gallery itself is damaged.
    """
    from dataclasses import asdict

    from nearkin.progress import progress_bar

    with progress_bar("looking for pictures") as advance:
        report = _open(gallery).check(read_pictures=read_pictures, progress=advance)
    print_facts({"gallery": gallery, "sound": report.sound, **asdict(report)}, as_json=as_json)
    if not as_json:
        for step in _after_check(report, quote(gallery)):
            next_step(step)
    if not report.sound:
        raise typer.Exit(1)


def _after_check(report: "CheckReport", gallery: str) -> list[str]:
    """What can be done about what was found."""
    if not report.sound:
        return [f"nearkin gallery versions {gallery} lists the earlier versions that can be restored"]
    steps = []
    if report.missing:
        steps.append(
            f"nearkin gallery relink {gallery} --from OLD --to NEW if a folder was moved; "
            f"nearkin gallery prune {gallery} deletes the items of missing pictures"
        )
    if report.changed:
        steps.append(f"nearkin index MODEL PICTURES {gallery} embeds the pictures that have changed")
    return steps or [f"nearkin search {gallery} PICTURE_OR_WORDS"]


def _index_facts(index: "IndexInfo", as_json: bool) -> dict[str, Any]:
    """Numbers for JSON; text with units otherwise. An exact index finds all, which needs no measurement."""
    from dataclasses import asdict

    from nearkin.evaluation.report import shown_figure

    facts = asdict(index)
    if as_json:
        proved = {"value": 1.0, "low": 1.0, "high": 1.0}
        return {**facts, "recall": facts["recall"] or proved, "exact": index.recall is None}
    return {
        **facts,
        "recall": "100 % (exact)" if index.recall is None else shown_figure("recall", index.recall),
        "changed": f"{100 * index.changed:.1f} %",
        "bytes_per_vector": round(index.bytes_per_vector),
        "build_seconds": f"{index.build_seconds:g}",
    }


def _open(gallery: str) -> "Gallery":
    from nearkin.gallery.gallery import Gallery

    return Gallery.open(gallery)
