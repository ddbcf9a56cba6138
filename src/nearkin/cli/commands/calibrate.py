"""`nearkin calibrate`: what a model's scores mean, of two pictures and of words."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nearkin.cli.options import CaptionColumn, Device, Json, Label, Model, PathColumn, Quiet, Strict, Threads

if TYPE_CHECKING:
    from nearkin.calibration.decisions import Calibration
    from nearkin.calibration.words import WordCalibration

SECTION, ORDER = "Decide: same or different", 80
KEPT = "the model's earlier calibration is as it was"


def calibrate(
    model: Model,
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", help="Labelled or captioned pictures that the model was not trained on."),
    ],
    label: Label = None,
    caption_column: CaptionColumn = None,
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
    """Find thresholds for false accept rates, and the probability of "same" by score; saved with the model.

    From captions, for a model with words: by what `search --fpir` tells whether anything matches them.
    """
    from nearkin.cli.options import check_models_and_data, load_encoder
    from nearkin.cli.output import print_json
    from nearkin.encoders.model_folder import CALIBRATION, CARD, WORDS, locate
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
    from nearkin.calibration.words import WordCalibration
    from nearkin.encoders.model_card import thresholds_section, with_section
    from nearkin.tasks.calibrate import calibrate as run

    with progress_bar("embedding pictures", before="loading the model") as advance:
        encoder = load_encoder(model, threads=threads, device=device)
        calibration = run(
            encoder,
            data,
            label=label,
            captions=caption_column or None,
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
    of_pictures = None if isinstance(calibration, WordCalibration) else calibration
    # First what was computed is shown: then it is there even if a file cannot be written.
    if as_json:
        print_json(of_pictures or words_fields(encoder.word_calibration))
    elif of_pictures is not None:
        print_calibration(of_pictures)
    if not as_json and encoder.word_calibration is not None:
        print_words(encoder.word_calibration)
    if of_pictures is not None:
        encoder.card = with_section(encoder.card, thresholds_section(of_pictures))
    if out is None:
        written = locate(model)
        if of_pictures is not None:
            of_pictures.write(written / CALIBRATION)
        if encoder.word_calibration is not None:
            encoder.word_calibration.write(written / WORDS)
        write_whole(written / CARD, encoder.card)
    else:
        written = encoder.save_pretrained(out)
    if plot is not None and of_pictures is not None:
        from nearkin.report.plots import reliability_plot

        write_whole(plot, reliability_plot(of_pictures.map).svg(alone=True))
    if not as_json:
        _say_what_next(written, plot, None if out else model, words_only=of_pictures is None)


def _say_what_next(written: Path, plot: Path | None, model: str | None, *, words_only: bool) -> None:
    from shlex import quote

    from nearkin.cli.output import next_step, status

    status(f"written: {written}{f'   plot: {plot}' if plot else ''}")
    if words_only:
        # A gallery has a copy of the model, which gets to know of it so.
        next_step(f"nearkin reindex GALLERY --model {quote(model or str(written))}")
        return
    next_step(f"nearkin verify {quote(model or str(written))} A.jpg B.jpg")


def words_fields(words: "WordCalibration | None") -> dict[str, Any]:
    """A calibration of words as JSON: by its counts, for its vectors say nothing to people."""
    if words is None:
        return {}
    return {"fingerprint": words.fingerprint, "source": words.source, "captions": words.counts}


def print_words(words: "WordCalibration") -> None:
    """How many captions words are judged by."""
    from nearkin.cli.output import print_table

    rows = [(name or "-", words.scripts[name], f"{count:,}") for name, count in words.counts.items()]
    lines = ["`nearkin search GALLERY WORDS --honest [--fpir 0.1]` says by them when nothing matches."]
    print_table(f"Words: captions of {words.source}", ("language", "script", "captions"), rows, lines)


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
