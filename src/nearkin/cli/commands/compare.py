"""`nearkin compare`: which loss suits the data, with equal budgets."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nearkin.tasks.compare.run import TrialSummary

SECTION, ORDER = "Train and evaluate", 20

# What a shell expects of a command that Ctrl-C ended.
INTERRUPTED = 130


def compare(
    data: Annotated[str, typer.Argument(help="Folder tree, table (CSV, TSV, Parquet) or hf:// dataset, with labels.")],
    losses: Annotated[
        str | None, typer.Option(help="Such as 'arcface,triplet(margin=0.1),arcface+0.01*center' [the usual ones].")
    ] = None,
    backbones: Annotated[str | None, typer.Option(help="conv4, or networks of timm, by commas [resnet18].")] = None,
    seeds: Annotated[int | None, typer.Option(help="Trainings of each, each with other classes held out [3].")] = None,
    folds: Annotated[
        int | None, typer.Option(help="Of the classes: one to judge, one to choose the epoch [5].")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Budget of each training: passes over its pictures [20].")] = None,
    minutes: Annotated[float | None, typer.Option(help="Budget of each training in minutes, instead.")] = None,
    out: Annotated[Path, typer.Option(help="Folder to make, or to go on in.")] = Path("runs/compare"),
    weights: Annotated[str | None, typer.Option(help="'pretrained', or a file of weights [random].")] = None,
    size: Annotated[int | None, typer.Option(help="Side of a picture in pixels [by the data].")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Pictures in a batch [128].")] = None,
    per_class: Annotated[int | None, typer.Option(help="Pictures of each class in a batch [4].")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate [0.001].")] = None,
    augmentation: Annotated[str | None, typer.Option(help="none, drawing, icon or photo [photo].")] = None,
    label: Annotated[str | None, typer.Option(help="Label column; 'path': the whole folder of a tree.")] = None,
    split_by: Annotated[str | None, typer.Option(help="Column whose values stay in one fold.")] = None,
    settings: Annotated[
        Path | None, typer.Option(help="YAML file of any of these and any settings of train; options here win.")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="auto, float32 or bfloat16 [auto].")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads [all].")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda [auto].")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Train losses and backbones with equal budgets, judge them on unseen classes, say which differences are real.

    Stopped at any moment, the same command goes on.
    """
    given = {name: value for name, value in locals().items() if name not in _NOT_PASSED and value is not None}
    from nearkin.cli.output import print_comparison, print_json, status
    from nearkin.progress import progress_bar
    from nearkin.tasks.compare.contenders import split_at_commas
    from nearkin.tasks.compare.run import compare as run
    from nearkin.training.settings import read_settings

    asked = {} if settings is None else read_settings(settings)
    for kind, named in (("losses", losses), ("backbones", backbones)):
        if named is not None:
            own = asked.get(kind)
            given[kind] = {name: own.get(name) if isinstance(own, dict) else None for name in split_at_commas(named)}
    with progress_bar("decoding pictures") as advance:
        try:
            comparison = run(
                data,
                out=out,
                progress_bar=sys.stderr.isatty(),
                progress=advance,
                on_trial=lambda summary: status(trial_line(summary)),
                **{**asked, **given},
            )
        except KeyboardInterrupt:
            status("stopped: the same command goes on from here")
            raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json(comparison)
    else:
        print_comparison(comparison)
    status(f"report: {out / 'report.md'}   charts: {out / 'recall.png'}, {out / 'recall_against_time.png'}")


_NOT_PASSED = ("data", "losses", "backbones", "out", "settings", "as_json")


def trial_line(summary: "TrialSummary") -> str:
    """One line for one trial."""
    names = f"[{summary.number}/{summary.total}]  {summary.loss} on {summary.backbone}, seed {summary.seed}"
    if summary.recall is None:
        return f"{names}: failed: {summary.failure}"
    return f"{names}: recall@1 {100 * summary.recall:.1f} %"
