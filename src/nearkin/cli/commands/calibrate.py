"""`nearkin calibrate`: what a model's scores mean."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nearkin.cli.options import Device, Json, Label, Model, PathColumn, Quiet, Strict, Threads

if TYPE_CHECKING:
    from nearkin.calibration.decisions import Calibration

SECTION, ORDER = "Decide: same or different", 80
KEPT = "the model's earlier calibration is as it was"


def calibrate(
    model: Model,
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", help="Labelled pictures of classes that the model was not trained on."),
    ],
    label: Label = None,
    path_column: PathColumn = None,
    split: Annotated[
        str | None,
        typer.Option(help="train, val, test or all.", show_default="val if there is one, else all that is not train"),
    ] = None,
    prior: Annotated[float, typer.Option(help="Prior probability that two pictures are the same.")] = 0.5,
    method: Annotated[
        str, typer.Option(help="Regression that gives the probabilities: auto, logistic or isotonic.")
    ] = "auto",
    weighting: Annotated[
        str, typer.Option(help="What error rates weight equally: comparisons, or classes.")
    ] = "comparisons",
    interval: Annotated[
        str,
        typer.Option(help="What 95 % intervals cover: the rate, or the rate in 'another group' of as many classes."),
    ] = "rate",
    out: Annotated[
        Path | None, typer.Option(help="Folder for the calibrated model.", show_default="MODEL itself")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="File for the reliability plot, such as out.svg.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Calibrate even on pictures that the model was trained on.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Random seed of the pairs that the regression is fitted to.")] = 0,
    strict: Strict = False,
    threads: Threads = None,
    device: Device = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Find thresholds for false accept rates, and the probability of "same" by score; saved with the model."""
    from nearkin.cli.options import check_models_and_data, load_encoder
    from nearkin.cli.output import print_json
    from nearkin.encoders.model_folder import CALIBRATION, CARD, locate
    from nearkin.errors import InvalidInput
    from nearkin.files import check_output, check_output_folder, write_whole
    from nearkin.progress import progress_bar

    if out is None and not Path(model).exists():
        raise InvalidInput(
            f"'{model}' is no folder here that can be written: name one for the calibrated model with --out"
        )
    check_models_and_data([model], data)
    if out is None:
        check_output_folder(locate(model), "MODEL")
        check_output(locate(model) / CALIBRATION, "MODEL")
    else:
        check_output_folder(out, "--out")
    if plot is not None:
        plot = check_output(plot, "--plot", suffixes=(".svg",))
    from nearkin.encoders.model_card import thresholds_section, with_section
    from nearkin.tasks.calibrate import calibrate as run

    with progress_bar("embedding pictures", before="loading the model") as advance:
        encoder = load_encoder(model, threads=threads, device=device)
        calibration = run(
            encoder,
            data,
            label=label,
            path_column=path_column,
            split=split,
            prior=prior,
            method=method,
            weighting=weighting,
            interval=interval,
            force=force,
            seed=seed,
            strict=strict,
            progress=advance,
        )
    # First what was computed is shown: then it is there even if a file cannot be written.
    if as_json:
        print_json(calibration)
    else:
        print_calibration(calibration)
    encoder.card = with_section(encoder.card, thresholds_section(calibration))
    if out is None:
        written = locate(model)
        calibration.write(written / CALIBRATION)
        write_whole(written / CARD, encoder.card)
    else:
        written = encoder.save_pretrained(out)
    if plot is not None:
        from nearkin.report.plots import reliability_plot

        write_whole(plot, reliability_plot(calibration.map).svg(alone=True))
    if not as_json:
        _say_what_next(written, plot, None if out else model)


def _say_what_next(written: Path, plot: Path | None, model: str | None) -> None:
    from shlex import quote

    from nearkin.cli.output import next_step, status

    status(f"written: {written}{f'   plot: {plot}' if plot else ''}")
    next_step(f"nearkin verify {quote(model or str(written))} A.jpg B.jpg")


def print_calibration(calibration: "Calibration") -> None:
    """Thresholds as a table, and how far the probabilities can be believed."""
    from nearkin.calibration.weighting import described
    from nearkin.cli.output import print_table
    from nearkin.intervals.figure import described_interval

    header = ("false accept rate", "threshold [95 %]", "rate there [95 %]", "true accept rate [95 %]")
    rows = [
        (
            f"{threshold.far:g}",
            f"{threshold.score:.3f} [{threshold.low:.3f}, {threshold.high:.3f}]",
            f"[{threshold.far_low:.2g}, {threshold.far_high:.2g}]",
            f"{100 * threshold.tar:.1f} % [{100 * threshold.tar_low:.1f}, {100 * threshold.tar_high:.1f}]",
        )
        for threshold in map(calibration.threshold, calibration.fars)
    ]
    counts = ", ".join(f"{name.replace('_', ' ')}: {count:,}" for name, count in calibration.counts.items())
    lines = [
        counts,
        described(calibration.weighting),
        described_interval(calibration.interval),
        f"Probability of 'same': {calibration.map.method} regression, expected calibration error "
        f"{100 * calibration.map.ece:.1f} % on classes it was not fitted to; prior probability "
        f"{100 * calibration.prior:g} % (--prior).",
        *calibration.notes,
    ]
    print_table(f"{calibration.fingerprint} on {calibration.source}", header, rows, lines)
