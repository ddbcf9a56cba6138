"""`nearkin compare`: which loss suits the data, with equal budgets."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nearkin.cli.setting_options import takes_settings
from nearkin.tasks.compare.decided import DECIDED, DEFAULT_FOLDS, DEFAULT_LOSSES, DEFAULT_SEEDS, OF_CAPTIONS

if TYPE_CHECKING:
    from nearkin.tasks.compare.run import TrialSummary

SECTION, ORDER = "Train and evaluate", 20

# What a shell expects of a command that Ctrl-C ended.
INTERRUPTED = 130


@takes_settings(without=[*DECIDED, *OF_CAPTIONS, "backbone", "loss_options"])
def compare(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA", help="Folder tree, table (CSV, TSV, JSON lines, Parquet) or hf:// dataset, with labels."
        ),
    ],
    losses: Annotated[
        str | None,
        typer.Option(
            help="Losses, separated by commas, with options in parentheses: 'arcface,triplet(margin=0.1)'.",
            show_default=", ".join(DEFAULT_LOSSES),
        ),
    ] = None,
    backbones: Annotated[
        str | None,
        typer.Option(help="Networks, separated by commas: conv4, resnet12, or any of timm.", show_default="resnet18"),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            help="Trainings of each loss, each with other held-out classes; 3 or more for useful intervals.",
            show_default=str(DEFAULT_SEEDS),
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            help="Folds of the classes: one for testing, one for choosing the epoch, the others for training.",
            show_default=str(DEFAULT_FOLDS),
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder to create, or to continue in.")] = Path("runs/compare"),
    settings: Annotated[
        Path | None,
        typer.Option(
            help="YAML file of these options and of settings for single losses; options given here override it."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    **given: Any,
) -> None:
    """Train several losses on equal budgets, test them on unseen classes, and report the significant differences.

    It may be stopped at any time; the same command continues.
    """
    from shlex import quote

    from nearkin.cli.output import next_step, print_comparison, print_json, status
    from nearkin.data.sources import check_source
    from nearkin.progress import progress_bar
    from nearkin.training.settings import overridden, read_settings

    asked = {} if settings is None else read_settings(settings)
    check_source(data)  # before torch is loaded
    from nearkin.tasks.compare.candidates import check_losses, split_at_commas

    given |= {name: value for name, value in (("seeds", seeds), ("folds", folds)) if value is not None}
    for kind, named in (("losses", losses), ("backbones", backbones)):
        if named is not None:
            own = asked.get(kind)
            given[kind] = {name: own.get(name) if isinstance(own, dict) else None for name in split_at_commas(named)}
    if losses is not None:
        check_losses(given["losses"])
    from nearkin.tasks.compare.run import compare as run

    with progress_bar("decoding pictures") as advance:
        try:
            comparison = run(
                data,
                out=out,
                progress_bar=sys.stderr.isatty(),
                progress=advance,
                on_message=status,
                on_trial=lambda summary: status(trial_line(summary)),
                **overridden(asked, given),
            )
        except KeyboardInterrupt:
            status("stopped: the same command goes on from here")
            raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json(comparison)
    else:
        print_comparison(comparison)
    status(f"report: {out / 'report.md'}   charts: {out / 'recall.png'}, {out / 'recall_against_time.png'}")
    if not as_json:
        next_step(f"nearkin train {quote(data)} --loss NAME trains with the loss that you choose")


def trial_line(summary: "TrialSummary") -> str:
    """One line for one trial."""
    names = f"[{summary.number}/{summary.total}]  {summary.loss} on {summary.backbone}, seed {summary.seed}"
    if summary.recall is None:
        return f"{names}: failed: {summary.failure}"
    return f"{names}: recall@1 {100 * summary.recall:.1f} %"
