"""`nearkin verify`: do two pictures show the same?"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nearkin.cli.options import Detect, Device, Quiet, Threads

if TYPE_CHECKING:
    from nearkin.calibration.decisions import Threshold, Verdict
    from nearkin.tasks.verify import Tally, VerifiedPair

SECTION, ORDER = "Decide: same or different", 90

COLUMNS = ("row", "a", "b", "decision", "score", "euclidean", "cosine_distance", "probability", "far")


def verify(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Calibrated model: a model or run folder, or a name on the Hub.")
    ],
    pictures: Annotated[list[str] | None, typer.Argument(metavar="A B", help="Two pictures.")] = None,
    pairs: Annotated[
        Path | None, typer.Option(help="Many pairs: a table with columns a and b, or a file like pairs.txt of LFW.")
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(help="Folder that paths in --pairs are relative to.", show_default="the folder of that file"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="CSV file for the verdicts on many pairs.")] = None,
    far: Annotated[
        float | None,
        typer.Option(help="False accept rate to allow.", show_default="0.001, or the lowest supported"),
    ] = None,
    prior: Annotated[
        float | None,
        typer.Option(help="Prior probability that two pictures are the same.", show_default="the calibration's"),
    ] = None,
    detect: Detect = None,
    threads: Threads = None,
    device: Device = "auto",
    quiet: Quiet = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: one object for two pictures, one line per pair for many.")
    ] = False,
) -> None:
    """Decide whether two pictures show the same thing; with probability and false accept rate."""
    from nearkin.cli.faces_in import faces_in
    from nearkin.cli.options import check_models_and_data, load_encoder
    from nearkin.cli.output import next_step, print_json
    from nearkin.data.sources import check_source
    from nearkin.errors import InvalidInput
    from nearkin.files import check_output

    if (pairs is None) == (not pictures) or (pictures and len(pictures) != 2):
        count = len(pictures or [])
        given = f"{count} picture{'' if count == 1 else 's'}{' and --pairs' if pairs else ''}"
        raise InvalidInput(f"{given} given: expected two pictures, or --pairs with a file")
    if pairs is None and out is not None:
        raise InvalidInput("--out is for many pairs: give them with --pairs, or leave it out")
    if pairs is not None and detect is not None:
        raise InvalidInput("--detect is for two pictures: make a table of faces with `nearkin detect faces` instead")
    if out is not None:
        out = check_output(out, "--out")
    for picture in pictures or []:
        check_source(picture)
    check_models_and_data([model], None)
    encoder = load_encoder(model, threads=threads, device=device)
    if pairs is not None:
        _verify_many(encoder, pairs, root, out, as_json, far=far, prior=prior)
        return
    from nearkin.tasks.verify import equal_pictures

    a, b = (faces_in([picture], detect, largest=True)[0] for picture in pictures or [])
    verdict = encoder.verify(a, b, far=far, prior=prior)
    equal = equal_pictures(a, b)
    if as_json:
        print_json({**_fields(verdict), "equal_pictures": equal})
        return
    for line in lines_of(verdict, equal=equal):
        print(line)
    next_step("--far sets the false accept rate to allow, --pairs FILE verifies many pairs")


def lines_of(verdict: "Verdict", *, equal: bool = False) -> list[str]:
    """A verdict as lines of text.

    Args:
        verdict: of two pictures.
        equal: whether they are one picture, pixel by pixel.
    """
    limit = verdict.threshold
    why = {
        "same": "above the threshold",
        "different": "below the threshold",
        "not sure": "inside the threshold's interval",
    }[verdict.decision]
    lines = [
        f"{verdict.decision}: score {verdict.score:.3f}, {why}",
        f"threshold    {limit.score:.3f} [{limit.low:.3f}, {limit.high:.3f}] for a false accept rate of {limit.far:g}"
        + _weighted(limit),
        f"distance     euclidean {verdict.euclidean:.3f}, cosine {verdict.cosine_distance:.3f}",
        f"probability  {100 * verdict.probability:.2f} % that they are the same, "
        f"if {100 * verdict.prior:g} % of all pairs are (--prior)",
        f"error rate   {100 * verdict.far:.3g} % of different pairs [{100 * verdict.far_low:.2g}, "
        f"{100 * verdict.far_high:.2g}] score this or more",
    ]
    if equal:
        lines[:1] = [
            "same: the two are one picture, equal in every pixel",
            f"Their score is {verdict.score:.3f}. What follows holds for any two pictures with that score.",
        ]
    elif verdict.decision == "different" and verdict.probability > 0.5:
        lines.append(
            "The decision and the probability answer two questions. They are more likely the same than not, but "
            f"accepting all pairs as alike as these would accept {verdict.far / limit.far:.2g} times as many different "
            f"pairs as the false accept rate {limit.far:g} allows. --far {verdict.far:.1g} would be about their rate."
        )
    elif verdict.decision == "same" and verdict.probability < 0.5:
        lines.append(
            "The decision and the probability answer two questions. They pass the false accept rate that is allowed, "
            "but with so few same pairs among all pairs (--prior) most pairs that pass are false accepts: a lower "
            "--far lets fewer of them pass."
        )
    return lines


def _weighted(limit: "Threshold") -> str:
    return "" if limit.weighting == "comparisons" else f" ({limit.weighting} weighted equally)"


def _fields(verdict: "Verdict") -> dict[str, Any]:
    from nearkin.serialise import plain

    fields: dict[str, Any] = plain(verdict)
    return fields


def _verify_many(encoder: Any, file: Path, root: Path | None, out: Path | None, as_json: bool, **options: Any) -> None:
    from nearkin.cli.output import next_step, status
    from nearkin.data.pairs import Pairs
    from nearkin.progress import progress_bar
    from nearkin.tasks.verify import Tally, verify_pairs

    calibration = encoder.checked_calibration()
    tally = Tally()
    with progress_bar("verifying pairs", before="checking the pairs") as advance:
        verified = verify_pairs(encoder, calibration, Pairs(file, root), progress=advance, **options)
        records = (_record(one) for one in _counted(verified, tally))
        if out is not None:
            _write_csv(records, out)
        elif as_json:
            from nearkin.cli.output import print_json

            for record in records:
                print_json(record, one_line=True)
        else:
            _write_rows(records, sys.stdout)
    for line in _summary(tally, calibration.threshold(options["far"])):
        status(line)
    if out is not None:
        status(f"written: {out}")
    elif not as_json:
        next_step("--out verdicts.csv writes them into a file, --far sets the false accept rate to allow")


def _counted(verified: "Iterator[VerifiedPair]", tally: "Tally") -> "Iterator[VerifiedPair]":
    for one in verified:
        tally.add(one)
        yield one


def _record(verified: "VerifiedPair") -> dict[str, Any]:
    pair, verdict = verified.pair, verified.verdict
    values = (
        pair.row, pair.a, pair.b, verdict.decision, round(verdict.score, 6), round(verdict.euclidean, 6),
        round(verdict.cosine_distance, 6), float(f"{verdict.probability:.6g}"), float(f"{verdict.far:.6g}"),
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))


def _write_rows(records: Iterable[dict[str, Any]], file: Any) -> None:
    """Records as CSV, its header with the first: where no pair can be verified nothing is written."""
    import csv

    writer = csv.DictWriter(file, fieldnames=COLUMNS, lineterminator="\n")
    for number, record in enumerate(records):
        if number == 0:
            writer.writeheader()
        writer.writerow(record)


def _write_csv(records: Iterable[dict[str, Any]], out: Path) -> None:
    from nearkin.files import written_whole

    with written_whole(out, "w", newline="", errors="surrogateescape") as file:
        _write_rows(records, file)


def _summary(tally: "Tally", threshold: "Threshold") -> list[str]:
    """What was decided; and where the file says which pairs are the same, how many of them were accepted."""
    counts, known, accepted = tally.to_dict(), tally.known, tally.accepted
    shown = ", ".join(f"{counts[name]:,} {name}" for name in tally.decisions)
    lines = [
        f"{counts['pairs']:,} pairs at threshold {threshold.score:.3f}, which the calibration gives for a false accept "
        f"rate of {threshold.far:g}{_weighted(threshold)}: {shown}"
    ]
    shares = [
        f"{accepted[same]:,} of {known[same]:,} {name} pairs ({100 * accepted[same] / known[same]:.3g} %)"
        for same, name in ((False, "different"), (True, "same"))
        if known[same]
    ]
    if shares:
        lines.append(f"in this file the threshold is reached by {' and '.join(shares)}")
    return lines
