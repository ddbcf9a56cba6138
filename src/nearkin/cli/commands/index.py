"""`nearkin index`: pictures into a gallery."""

from typing import Annotated

import typer

from nearkin.cli.options import CaptionColumn, Data, Device, Json, Label, Model, Quiet, Strict, Threads

SECTION, ORDER = "Search", 40
KEPT = "the pictures indexed so far are in the gallery, and the same command goes on"


def index(
    model: Model,
    data: Data,
    gallery: Annotated[
        str, typer.Argument(help="Gallery folder or URL such as s3://bucket/shop, made if it does not exist.")
    ],
    label: Label = None,
    caption_column: CaptionColumn = None,
    strict: Strict = False,
    threads: Threads = None,
    device: Device = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Make a gallery of pictures, or add to it. What has not changed since the last time is not embedded again."""
    from dataclasses import asdict
    from shlex import quote

    from nearkin.cli.options import load_encoder
    from nearkin.cli.output import next_step, print_json, print_skipped
    from nearkin.data.sources import read_items
    from nearkin.gallery.gallery import Gallery
    from nearkin.progress import progress_bar

    # The source first: a slip in its name leaves no empty gallery behind.
    items = read_items(data, label=label, captions=caption_column)
    with progress_bar("indexing pictures", before="loading the model") as advance:
        encoder = load_encoder(model, threads=threads, device=device)
        opened = Gallery.open(gallery, encoder) if Gallery.is_at(gallery) else Gallery.create(gallery, encoder)
        summary = opened.add(items, strict=strict, progress=advance)
    if as_json:
        print_json({"gallery": gallery, "items": len(opened), **asdict(summary)})
        return
    counts = {name: count for name, count in asdict(summary).items() if name != "skipped"}
    counts["skipped"] = len(summary.skipped)
    print(f"{gallery}: {len(opened):,} items; " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))
    print_skipped(summary.skipped)
    if len(opened):
        next_step(f"nearkin search {quote(gallery)} PICTURE_OR_WORDS")
