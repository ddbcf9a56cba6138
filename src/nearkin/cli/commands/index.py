"""`nearkin index`: pictures into a gallery."""

from typing import Annotated

import typer

SECTION, ORDER = "Search", 40


def index(
    model: Annotated[str, typer.Argument(help="Model or run folder, or a model's name on the Hub.")],
    data: Annotated[str, typer.Argument(help="Folder tree, table (CSV, TSV, Parquet) or hf:// dataset.")],
    gallery: Annotated[
        str, typer.Argument(help="Gallery folder or URL such as s3://bucket/shop, made if it does not exist.")
    ],
    label: Annotated[str | None, typer.Option(help="Label column; 'path': the whole folder of a tree.")] = None,
    caption_column: Annotated[list[str] | None, typer.Option(help="Caption column; several allowed.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at a broken picture.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a gallery of pictures, or add to it. What has not changed since the last time is not embedded again."""
    import json
    from dataclasses import asdict

    from nearkin.cli.output import print_skipped
    from nearkin.data.sources import read_items
    from nearkin.encoders.encoder import Encoder
    from nearkin.gallery.gallery import Gallery
    from nearkin.progress import progress_bar

    # The source first: a slip in its name leaves no empty gallery behind.
    items = read_items(data, label=label, captions=caption_column)
    encoder = Encoder.from_pretrained(model)
    opened = Gallery.open(gallery, encoder) if Gallery.is_at(gallery) else Gallery.create(gallery, encoder)
    with progress_bar("indexing pictures") as advance:
        summary = opened.add(items, strict=strict, progress=advance)
    if as_json:
        print(json.dumps({"gallery": gallery, "items": len(opened), **asdict(summary)}, ensure_ascii=False, indent=2))
        return
    counts = {name: count for name, count in asdict(summary).items() if name != "skipped"}
    counts["skipped"] = len(summary.skipped)
    print(f"{gallery}: {len(opened):,} items; " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))
    print_skipped(summary.skipped)
