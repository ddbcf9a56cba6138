"""`nearkin train`: from a source to a model."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nearkin.cli.options import Json, Quiet
from nearkin.cli.setting_options import takes_settings

if TYPE_CHECKING:
    from nearkin.training.callbacks import EpochSummary

SECTION, ORDER = "Train and evaluate", 10
# What is said of a second Ctrl-C.
KEPT = "--resume goes on from the last epoch that was finished"


@takes_settings()
def train(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Folder tree, table (CSV, TSV, JSON lines, Parquet) or hf:// dataset; not needed with --resume.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Run folder to create, or to continue in with --resume.")] = Path(
        "runs/train"
    ),
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Continue the run in --out with its own settings; a higher --epochs trains it for longer.",
        ),
    ] = False,
    settings: Annotated[
        Path | None, typer.Option(help="YAML file, such as settings.yaml of a run; options given here override it.")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
    **given: Any,
) -> None:
    """Train an encoder. The run folder gets the model, its evaluation and the learning curves."""
    from shlex import quote

    from nearkin.cli.output import next_step, print_report, status
    from nearkin.data.sources import check_source
    from nearkin.errors import InvalidInput
    from nearkin.training.run_folder import SETTINGS, check_new_run, read_source
    from nearkin.training.settings import TrainSettings, overridden, read_settings

    # Mistakes are told before torch is loaded, which takes seconds.
    if settings is not None:
        given = overridden(read_settings(settings), given)
    if data is None:
        if not resume:
            raise InvalidInput("DATA is missing: name a folder of pictures, a table or a dataset, or --resume a run")
        data = read_source(out)
    check_source(data)
    if not resume:
        TrainSettings.checked(**given)
        check_new_run(out, data)
    status(f"reading {data}")
    from nearkin.evaluation.report import Report
    from nearkin.progress import progress_bar
    from nearkin.training.train import train as run

    with progress_bar("decoding pictures") as advance:
        run(
            data,
            out=out,
            progress_bar=sys.stderr.isatty() and not quiet,
            resume=resume,
            on_epoch=lambda summary: status(epoch_line(summary)),
            on_message=status,
            progress=advance,
            **given,
        )
    print_report(Report.read(out / "report.json"), as_json=as_json)
    held_out = (
        "" if read_settings(out / SETTINGS)["val_fraction"] == 0 else f"   held-out pictures: {out / 'validation.csv'}"
    )
    status(f"model: {out / 'model'}   curves: {out / 'curves.png'}{held_out}")
    if not as_json:
        run_folder = quote(str(out))
        next_step(
            f"nearkin evaluate {run_folder} OTHER_PICTURES evaluates the model; "
            f"nearkin index {run_folder} {quote(data)} galleries/mine makes pictures searchable"
        )


def epoch_line(summary: "EpochSummary") -> str:
    """One line for one epoch."""
    from nearkin.progress import duration

    shown = [
        name for name in ("recall@1", "text_to_image/recall@5", "image_to_text/recall@5") if name in summary.figures
    ]
    figures = "  ".join(f"{name} {100 * summary.figures[name]:5.1f} %" for name in shown)
    best = "  best" if summary.best and summary.figures else ""
    left = f"  {duration(summary.remaining)} left" if summary.remaining >= 1 else ""
    return f"epoch {summary.epoch:3d}  {summary.seconds:6.0f} s  loss {summary.loss:.4f}  {figures}{best}{left}"
