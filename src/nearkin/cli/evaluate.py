"""`nearkin evaluate`: figures with intervals, beside raw pixels and chance."""

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    model: Annotated[str, typer.Argument(help="Model or run folder, or a model's name on the Hub.")],
    data: Annotated[str, typer.Argument(help="Folder tree, table (CSV, TSV, Parquet) or hf:// dataset.")],
    label: Annotated[str | None, typer.Option(help="Label column; 'path': the whole folder of a tree.")] = None,
    caption_column: Annotated[list[str] | None, typer.Option(help="Caption column; several allowed.")] = None,
    split: Annotated[str | None, typer.Option(help="train, val, test or all [test, else val, else all].")] = None,
    report: Annotated[Path | None, typer.Option(help="Write a page with plots and mistakes, such as out.html.")] = None,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    no_baselines: Annotated[bool, typer.Option("--no-baselines", help="Leave out raw pixels and chance.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse broken pictures.")] = False,
) -> None:
    """Judge a model on labelled or captioned pictures; every figure with its 95 % interval."""
    import sys
    from shlex import quote

    from nearkin.cli.output import print_report, status
    from nearkin.encoders.encoder import Encoder
    from nearkin.progress import progress_bar
    from nearkin.tasks.evaluate import evaluate as run

    encoder = Encoder.from_pretrained(model)
    with progress_bar("embedding pictures") as advance:
        judged = run(
            encoder,
            data,
            label=label,
            captions=caption_column,
            split=split,
            baselines=not no_baselines,
            seed=seed,
            strict=strict,
            page=report,
            command=" ".join(["nearkin", *map(quote, sys.argv[1:])]),
            progress=advance,
        )
    print_report(judged, as_json=as_json)
    if report is not None:
        status(f"report: {report}")
