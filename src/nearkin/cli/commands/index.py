"""`nearkin index`: pictures into a gallery."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nearkin.cli.options import (
    CaptionColumn,
    Detect,
    Device,
    Json,
    Label,
    Model,
    PathColumn,
    Quiet,
    Strict,
    Threads,
    Whiten,
)
from nearkin.wording import counted

if TYPE_CHECKING:
    from nearkin.data.items import Items
    from nearkin.gallery.gallery import AddSummary

SECTION, ORDER = "Search", 40
KEPT = "the pictures indexed so far are in the gallery, and the same command goes on"


def index(
    model: Model,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="Folder tree, table (CSV, TSV, Parquet, JSON lines) or hf:// dataset; left out with --vectors.",
        ),
    ],
    gallery: Annotated[
        str | None,
        typer.Argument(
            metavar="GALLERY", help="Gallery folder or URL such as s3://bucket/shop, made if it does not exist."
        ),
    ] = None,
    vectors: Annotated[
        Path | None,
        typer.Option(help="Take vectors from a file of `nearkin embed` in place of DATA; no picture is read."),
    ] = None,
    label: Label = None,
    caption_column: CaptionColumn = None,
    path_column: PathColumn = None,
    detect: Detect = None,
    strict: Strict = False,
    overwrite_labels: Annotated[
        bool,
        typer.Option(
            "--overwrite-labels",
            help="Take label, captions and metadata from DATA even where `nearkin gallery update` has set them.",
        ),
    ] = False,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune",
            help="If DATA is a folder: delete the items whose pictures are gone from it, "
            "but not where a folder has lost all of its pictures.",
        ),
    ] = False,
    whiten: Whiten = False,
    threads: Threads = None,
    device: Device = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Make a gallery of pictures, or add to it. What has not changed since the last time is not embedded again.

    DATA may also be a single picture. A picture that was moved or renamed is known by its content, and keeps its id and
    its labels.
    """
    from dataclasses import asdict
    from shlex import quote

    from nearkin.cli.options import check_detect, check_models_and_data, load_encoder
    from nearkin.cli.output import next_step, print_json, print_skipped, status
    from nearkin.data.sources import read_items
    from nearkin.data.vector_files import read_vectors
    from nearkin.encoders.device import to_device
    from nearkin.errors import InvalidInput
    from nearkin.gallery.gallery import Gallery
    from nearkin.gallery.location import location_of
    from nearkin.progress import progress_bar

    if (gallery is None) != (vectors is not None):
        raise InvalidInput("expected MODEL DATA GALLERY, or MODEL GALLERY with --vectors FILE")
    if whiten and vectors is not None:
        raise InvalidInput("--whiten is fitted to pictures, and --vectors reads none: leave one of them out")
    # The source first: a typo in its name leaves no empty gallery behind.
    if vectors is not None:
        data, gallery, file = str(vectors), data, read_vectors(vectors)
        check_models_and_data([model], None)
    else:
        check_models_and_data([model], data)
        faces = check_detect(detect)
        items = read_items(data, label=label, captions=caption_column, path_column=path_column)
        if faces:
            items = _faces(items, strict=strict)
    assert gallery is not None
    exists = Gallery.is_at(gallery)
    if not exists:
        location_of(gallery).check_empty()
    with progress_bar("indexing pictures", before="loading the model") as advance:
        encoder = load_encoder(model, threads=threads, device=device)
        if vectors is not None:
            file.check(encoder.fingerprint, encoder.dim)
        if whiten:
            from nearkin.encoders.whitening import check_whitened_form, whitened

            if exists:
                # What was fitted to the first pictures holds for all: else their vectors could not be compared.
                own = Gallery.open(gallery).encoder
                check_whitened_form(own, encoder)
                encoder = to_device(own, device)
            else:
                encoder = whitened(encoder, items.pictures, progress=advance)
        opened = Gallery.open(gallery, encoder) if exists else Gallery.create(gallery, encoder)
        if vectors is None:
            summary = opened.add(items, strict=strict, overwrite_labels=overwrite_labels, prune=prune, progress=advance)
        else:
            summary = opened.add_vectors(
                file.items, file.vectors, hashes=file.hashes, overwrite_labels=overwrite_labels, progress=advance
            )
    if as_json:
        print_json({"gallery": gallery, "items": len(opened), **asdict(summary)})
        return
    print(f"{gallery}: {counted(len(opened), 'item')}; {_counts(summary)}")
    print_skipped(summary.skipped)
    for message in _notes(summary, quote(gallery), quote(data)):
        status(message)
    if len(opened):
        next_step(f"nearkin search {quote(gallery)} PICTURE_OR_WORDS")


def _faces(items: "Items", *, strict: bool) -> "Items":
    """The faces of the photos; those without one are named."""
    from nearkin.cli.commands.detect import print_without
    from nearkin.cli.output import status
    from nearkin.progress import progress_bar
    from nearkin.tasks.detect import faces_of

    with progress_bar("looking for faces", before="loading the detector") as advance:
        regions, found = faces_of(items, strict=strict, progress=advance)
    status(f"{counted(found.faces, 'face')} in {counted(found.photos, 'photo')}")
    print_without(found.without)
    return regions


def _counts(summary: "AddSummary") -> str:
    """How many of each outcome; moved pictures only if there are any."""
    counts = {name: getattr(summary, name) for name in ("added", "replaced", "updated", "unchanged")}
    counts["skipped"] = len(summary.skipped)
    if summary.moved:
        counts["of these moved"] = summary.moved
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def _notes(summary: "AddSummary", gallery: str, data: str) -> list[str]:
    """What else the user may want to know, each with what can be done about it."""
    notes = []
    if summary.calibrated:
        notes.append("the model's calibration is now the gallery's too: thresholds and --honest may differ from before")
    if summary.kept:
        notes.append(
            f"values set with `nearkin gallery update` were kept in {counted(summary.kept, 'item')} where DATA says "
            "otherwise; --overwrite-labels takes what DATA says"
        )
    if summary.pruned:
        notes.append(f"{counted(summary.pruned, 'item')} deleted whose pictures are gone")
    if left := len(summary.gone) - summary.pruned:
        notes.append(
            f"gone from {data}: {counted(left, 'picture')} of the gallery, such as {summary.gone[0]}; "
            f"`nearkin gallery prune {gallery}` deletes their items; if a folder was moved, "
            f"`nearkin gallery relink {gallery} --from OLD --to NEW` finds them"
        )
    return notes
