"""`nearkin reindex`: a gallery changes over to another model."""

from typing import Annotated

import typer

from nearkin.cli.options import Device, GalleryPath, Json, Quiet, Threads
from nearkin.wording import counted

SECTION, ORDER = "Search", 70
KEPT = "the gallery still answers with its old vectors; the same command goes on"


def reindex(
    gallery: GalleryPath,
    model: Annotated[
        str, typer.Option(help="The new model: a model or run folder, or the name of a model on the Hub.")
    ],
    data: Annotated[
        str | None, typer.Option(help="Source of the pictures, if some are no longer files at their paths.")
    ] = None,
    drop_missing: Annotated[
        bool, typer.Option("--drop-missing", help="Delete items whose pictures cannot be read.")
    ] = False,
    threads: Threads = None,
    device: Device = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Embed all pictures of a gallery with another model. Until that is done, searches use the old vectors.

    If only the calibration of the model is new, only the calibration is copied.
    """
    from dataclasses import asdict
    from shlex import quote

    from nearkin.cli.options import check_models_and_data, load_encoder
    from nearkin.cli.output import next_step, print_json, print_skipped
    from nearkin.evaluation.report import shown_figure
    from nearkin.gallery.gallery import Gallery
    from nearkin.progress import progress_bar

    opened = Gallery.open(gallery)
    check_models_and_data([model], data)
    with progress_bar("embedding pictures", before="loading the model") as advance:
        encoder = load_encoder(model, threads=threads, device=device)
        summary = opened.reindex(encoder, source=data, drop_missing=drop_missing, progress=advance)
    if as_json:
        print_json({"gallery": gallery, "encoder": opened.fingerprint, **asdict(summary)})
        return
    items = f"{gallery}: {counted(summary.items, 'item')}"
    if summary.calibrated:
        print(f"{items}, by encoder {opened.fingerprint} as before; its calibration is new")
        return
    print(f"{items}, now by encoder {opened.fingerprint}; {summary.embedded:,} embedded")
    if summary.agreement is not None:
        shared = shown_figure("agreement", summary.agreement)
        print(f"of 10 nearest neighbours {shared} are the same as before, mean of {summary.agreement.n} items")
    if summary.examples or summary.examples_left:
        print(f"{counted(summary.examples, 'example')} of classes carried over")
    for why, count in summary.why_left.items():
        print(f"{counted(count, 'example')} of classes not: {why}; `nearkin gallery restore` has the old model again")
    print_skipped(summary.dropped)
    next_step(f"nearkin search {quote(gallery)} PICTURE_OR_WORDS")
