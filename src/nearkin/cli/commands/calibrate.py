"""`nearkin calibrate`: what a model's scores mean."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nearkin.calibration.decisions import Calibration

SECTION, ORDER = "Decide: same or different", 80


def calibrate(
    model: Annotated[str, typer.Argument(help="Model or run folder, or a model's name on the Hub.")],
    data: Annotated[str, typer.Argument(help="Labelled pictures of classes that the model was not trained on.")],
    label: Annotated[str | None, typer.Option(help="Label column; 'path': the whole folder of a tree.")] = None,
    split: Annotated[str | None, typer.Option(help="train, val, test or all [val, else all but train].")] = None,
    prior: Annotated[float, typer.Option(help="Share of pairs that are the same before looking.")] = 0.5,
    method: Annotated[str, typer.Option(help="Of the probabilities: auto, logistic or isotonic.")] = "auto",
    weighting: Annotated[
        str, typer.Option(help="What error rates count: comparisons, or classes to weight classes equally.")
    ] = "comparisons",
    out: Annotated[Path | None, typer.Option(help="Write the calibrated model here, instead of into MODEL.")] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the reliability plot into this file, such as out.svg.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the pairs that probabilities are fitted on.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse broken pictures.")] = False,
) -> None:
    """Find thresholds for false accept rates, and the probability of "same"; the model keeps them."""
    import json

    from nearkin.cli.output import status
    from nearkin.encoders.artefact import CALIBRATION, CARD, locate
    from nearkin.encoders.encoder import Encoder
    from nearkin.encoders.model_card import thresholds_section, with_section
    from nearkin.errors import InvalidInput
    from nearkin.progress import progress_bar
    from nearkin.tasks.calibrate import calibrate as run

    if out is None and not Path(model).exists():
        raise InvalidInput(f"'{model}' is not a folder here that can be written: name one for the result with --out")
    encoder = Encoder.from_pretrained(model)
    with progress_bar("embedding pictures") as advance:
        calibration = run(
            encoder,
            data,
            label=label,
            split=split,
            prior=prior,
            method=method,
            weighting=weighting,
            seed=seed,
            strict=strict,
            progress=advance,
        )
    encoder.card = with_section(encoder.card, thresholds_section(calibration))
    if out is None:
        written = locate(model)
        calibration.write(written / CALIBRATION)
        (written / CARD).write_text(encoder.card, encoding="utf-8")
    else:
        written = encoder.save_pretrained(out)
    if plot is not None:
        from nearkin.report.plots import reliability_plot

        plot.write_text(reliability_plot(calibration.map).svg(alone=True), encoding="utf-8")
    if as_json:
        print(json.dumps(calibration.to_dict(), indent=2, ensure_ascii=False))
        return
    print_calibration(calibration)
    status(f"written: {written}")


def print_calibration(calibration: "Calibration") -> None:
    """Thresholds as a table, and how far the probabilities can be believed."""
    from rich.console import Console
    from rich.table import Table

    from nearkin.calibration.weighting import described

    console = Console()
    table = Table(title=f"{calibration.fingerprint} on {calibration.source}", title_justify="left")
    for name in ("false accept rate", "threshold [95 %]", "rate there [95 %]", "true accept rate [95 %]"):
        table.add_column(name, justify="right")
    for threshold in map(calibration.threshold, calibration.fars):
        table.add_row(
            f"{threshold.far:g}",
            f"{threshold.score:.3f} [{threshold.low:.3f}, {threshold.high:.3f}]",
            f"[{threshold.far_low:.2g}, {threshold.far_high:.2g}]",
            f"{100 * threshold.tar:.1f} % [{100 * threshold.tar_low:.1f}, {100 * threshold.tar_high:.1f}]",
        )
    console.print(table, markup=False)
    counts = ", ".join(f"{name.replace('_', ' ')}: {count:,}" for name, count in calibration.counts.items())
    lines = [
        counts,
        described(calibration.weighting),
        "Intervals say what another group of as many people (classes) shows in 95 % of cases.",
        f"Probability of 'same': {calibration.map.method} regression, expected calibration error "
        f"{100 * calibration.map.ece:.1f} % on people it was not fitted on; assumes that {100 * calibration.prior:g} % "
        "of pairs are the same.",
        *calibration.notes,
    ]
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
