"""`nearkin evaluate`: figures with intervals, beside raw pixels and chance."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nearkin.registry import module_names

SECTION, ORDER = "Train and evaluate", 30

PROTOCOLS = module_names("nearkin.evaluation.protocols")


def evaluate(
    models_and_data: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL... DATA",
            help="Model or run folders, or models' names on the Hub; then a folder tree, table or hf:// dataset.",
        ),
    ],
    protocol: Annotated[
        list[str] | None,
        typer.Option(help=f"{', '.join(PROTOCOLS)}; by commas [all that the data allow]."),
    ] = None,
    pairs: Annotated[Path | None, typer.Option(help="Pairs for verification: pairs.txt of LFW, or a table.")] = None,
    ways: Annotated[int, typer.Option(help="Classes in a few-shot episode.")] = 5,
    shots: Annotated[list[int] | None, typer.Option(help="Pictures shown of each; several allowed [1, 5].")] = None,
    queries: Annotated[int, typer.Option(help="Pictures asked for of each.")] = 15,
    episodes: Annotated[int, typer.Option(help="Random episodes.")] = 600,
    within: Annotated[str | None, typer.Option(help="Column of groups that an episode's classes share.")] = None,
    runs: Annotated[
        Path | None, typer.Option(help="Fixed few-shot episodes: a folder as Omniglot's, or a table.")
    ] = None,
    frozen: Annotated[
        str | None, typer.Option(help="Weights the backbone had before: 'pretrained' or a file; a baseline.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Label column; 'path': the whole folder of a tree.")] = None,
    caption_column: Annotated[list[str] | None, typer.Option(help="Caption column; several allowed.")] = None,
    split: Annotated[str | None, typer.Option(help="train, val, test or all [test, else val, else all].")] = None,
    report: Annotated[Path | None, typer.Option(help="Write a page with plots and mistakes, such as out.html.")] = None,
    seed: Annotated[int, typer.Option(help="Random seed of intervals, episodes and clusters.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    no_baselines: Annotated[bool, typer.Option("--no-baselines", help="Leave out raw pixels and chance.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse broken pictures.")] = False,
) -> None:
    """Evaluate models on labelled or captioned pictures, each figure with its 95 % interval; several side by side."""
    import sys
    from shlex import quote

    from nearkin.cli.output import print_report, status
    from nearkin.errors import InvalidInput
    from nearkin.progress import progress_bar
    from nearkin.tasks.evaluate import PageError
    from nearkin.tasks.evaluate import evaluate as run

    *models, data = models_and_data
    if not models:
        raise InvalidInput(f"one argument, '{data}': expected a model, or several, and the data to evaluate them on")
    if len(set(models)) < len(models):
        raise InvalidInput(f"the same model twice: {', '.join(models)}; expected different ones")
    if report is not None and len(models) > 1:
        raise InvalidInput(f"--report shows one model, {len(models)} were given: leave it out, or use --json")
    options: dict[str, Any] = {
        "label": label,
        "captions": caption_column,
        "split": split,
        "protocols": _protocols(protocol),
        "frozen": frozen,
        "baselines": not no_baselines,
        "seed": seed,
        "strict": strict,
        "ways": ways,
        "shots": tuple(shots or (1, 5)),
        "queries": queries,
        "episodes": episodes,
        "within": within,
        "runs": runs,
        "pairs": pairs,
    }
    with progress_bar("embedding pictures") as advance:
        if len(models) > 1:
            found = run({model: model for model in models}, data, progress=advance, **options)
            print_report(found, as_json=as_json)
            return
        typed = " ".join(["nearkin", *map(quote, sys.argv[1:])])
        try:
            judged = run(models[0], data, page=report, command=typed, progress=advance, **options)
        except PageError as error:
            print_report(error.report, as_json=as_json)
            raise
    print_report(judged, as_json=as_json)
    if report is not None:
        status(f"report: {report}")


def _protocols(given: list[str] | None) -> list[str] | None:
    """The protocols, which may be given one by one or separated by commas."""
    from nearkin.errors import InvalidInput

    if given is None:
        return None
    found = [name.strip() for names in given for name in names.split(",") if name.strip()]
    if not found:
        raise InvalidInput(f"--protocol names none: expected some of {', '.join(PROTOCOLS)}")
    return found
