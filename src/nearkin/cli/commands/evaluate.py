"""`nearkin evaluate`: figures with intervals, beside raw pixels and chance."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nearkin.cli.options import CaptionColumn, Device, Json, Label, PathColumn, Quiet, Strict, Threads, Whiten
from nearkin.cli.protocol_options import GIVEN, ProtocolCommand
from nearkin.registry import module_names

SECTION, ORDER = "Train and evaluate", 30
CLASS = ProtocolCommand

PROTOCOLS = module_names("nearkin.evaluation.protocols")


def evaluate(
    models_and_data: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL... DATA",
            help="Model or run folders, or names of models on the Hub; then a folder tree, table or hf:// dataset.",
        ),
    ],
    protocol: Annotated[
        list[str] | None,
        typer.Option(help=f"{', '.join(PROTOCOLS)}; separated by commas.", show_default="all that the data allow"),
    ] = None,
    label: Label = None,
    caption_column: CaptionColumn = None,
    path_column: PathColumn = None,
    split: Annotated[
        str | None,
        typer.Option(help="train, val, test or all.", show_default="test if the data have one, else val, else all"),
    ] = None,
    frozen: Annotated[
        str | None,
        typer.Option(help="Another baseline, the backbone before training: 'pretrained', or a file of its weights."),
    ] = None,
    no_baselines: Annotated[bool, typer.Option("--no-baselines", help="Leave out raw pixels and chance.")] = False,
    report: Annotated[
        Path | None,
        typer.Option(help="HTML page to write for a single model, with plots and mistakes, such as out.html."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of intervals, episodes and clusters.")] = 0,
    strict: Strict = False,
    whiten: Whiten = False,
    as_json: Json = False,
    quiet: Quiet = False,
    threads: Threads = None,
    device: Device = "auto",
) -> None:
    """Evaluate one or several models on labelled or captioned pictures, with 95 % intervals."""
    import sys
    from shlex import quote

    from nearkin.cli.options import check_models_and_data, use_threads
    from nearkin.cli.output import next_step, print_report, status
    from nearkin.errors import InvalidInput
    from nearkin.files import check_output
    from nearkin.progress import progress_bar

    *models, data = models_and_data
    if not models:
        raise InvalidInput(f"one argument, '{data}': expected a model, or several, and the data to evaluate them on")
    if len(set(models)) < len(models):
        raise InvalidInput(f"the same model twice: {', '.join(models)}; expected different ones")
    if report is not None and len(models) > 1:
        raise InvalidInput(f"--report shows one model, {len(models)} were given: leave it out, or use --json")
    if report is not None:
        report = check_output(report, "--report", suffixes=(".html", ".htm"))
    check_models_and_data(models, data)
    use_threads(threads)
    from nearkin.tasks.evaluate import PageError
    from nearkin.tasks.evaluate import evaluate as run

    options: dict[str, Any] = {
        "label": label,
        "captions": caption_column,
        "path_column": path_column,
        "split": split,
        "protocols": _protocols(protocol),
        "frozen": frozen,
        "baselines": not no_baselines,
        "seed": seed,
        "strict": strict,
        "whiten": whiten,
        "device": device,
        **GIVEN.get(),
    }
    found: Any
    with progress_bar("embedding pictures", before="loading the model") as advance:
        if len(models) > 1:
            found = run({model: model for model in models}, data, progress=advance, **options)
        else:
            typed = " ".join(["nearkin", *map(quote, sys.argv[1:])])
            try:
                found = run(models[0], data, page=report, command=typed, progress=advance, **options)
            except PageError as error:
                print_report(error.report, as_json=as_json)
                raise
    print_report(found, as_json=as_json)
    if report is not None:
        status(f"report: {report}")
    if not as_json:
        shown = "" if report is not None or len(models) > 1 else "--report out.html adds plots and mistakes; "
        next_step(f"{shown}nearkin index {quote(models[0])} PICTURES galleries/mine makes pictures searchable")


def _protocols(given: list[str] | None) -> list[str] | None:
    """The protocols, which may be given one by one or separated by commas."""
    from nearkin.errors import InvalidInput

    if given is None:
        return None
    found = [name.strip() for names in given for name in names.split(",") if name.strip()]
    if not found:
        raise InvalidInput(f"--protocol names none: expected some of {', '.join(PROTOCOLS)}")
    return found
