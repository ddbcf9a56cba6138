"""`nearkin reindex`: a gallery changes over to another model."""

from typing import Annotated

import typer

SECTION, ORDER = "Search", 70


def reindex(
    gallery: Annotated[str, typer.Argument(help="Gallery folder, or URL such as s3://bucket/shop.")],
    model: Annotated[str, typer.Option(help="The new model: model or run folder, or a model's name on the Hub.")],
    data: Annotated[
        str | None, typer.Option(help="Source of the pictures, if not all are files where they were.")
    ] = None,
    drop_missing: Annotated[
        bool, typer.Option("--drop-missing", help="Delete items whose pictures cannot be read.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Embed all pictures of a gallery with another model. Until that is done the old vectors serve."""
    import json
    from dataclasses import asdict

    from nearkin.cli.output import print_skipped
    from nearkin.encoders.encoder import Encoder
    from nearkin.evaluation.report import shown_figure
    from nearkin.gallery.gallery import Gallery
    from nearkin.progress import progress_bar

    opened = Gallery.open(gallery)
    encoder = Encoder.from_pretrained(model)
    with progress_bar("embedding pictures anew") as advance:
        summary = opened.reindex(encoder, source=data, drop_missing=drop_missing, progress=advance)
    if as_json:
        print(json.dumps({"gallery": gallery, "encoder": opened.fingerprint, **asdict(summary)}, indent=2))
        return
    print(f"{gallery}: {summary.items:,} items, now by encoder {opened.fingerprint}; {summary.embedded:,} embedded")
    if summary.agreement is not None:
        shared = shown_figure("agreement", summary.agreement)
        print(f"of 10 nearest neighbours {shared} are the same as before, mean of {summary.agreement.n} items")
    print_skipped(summary.dropped)
