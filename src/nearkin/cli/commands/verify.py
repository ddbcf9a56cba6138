"""`nearkin verify`: do two pictures show the same?"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nearkin.calibration.decisions import Verdict
    from nearkin.tasks.verify import Tally, VerifiedPair

SECTION, ORDER = "Decide: same or different", 90

COLUMNS = ("row", "a", "b", "decision", "score", "euclidean", "cosine_distance", "probability", "far")


def verify(
    model: Annotated[str, typer.Argument(help="Calibrated model or run folder, or a model's name on the Hub.")],
    pictures: Annotated[list[str] | None, typer.Argument(metavar="[A B]", help="Two pictures.")] = None,
    pairs: Annotated[
        Path | None, typer.Option(help="Many pairs: a table with columns a, b; or LFW's pairs.txt.")
    ] = None,
    root: Annotated[Path | None, typer.Option(help="Folder of the pairs' pictures [that of the file].")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the verdicts on many pairs into this CSV file.")] = None,
    far: Annotated[float | None, typer.Option(help="Wanted false accept rate [0.001, or what is supported].")] = None,
    prior: Annotated[float | None, typer.Option(help="Share of pairs that are the same before looking.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; of many pairs, a line for each.")] = False,
) -> None:
    """Say whether two pictures show the same, how sure that is, and how often such a score would be wrong."""
    import json
    from dataclasses import asdict

    from nearkin.encoders.encoder import Encoder
    from nearkin.errors import InvalidInput

    if (pairs is None) == (not pictures) or (pictures and len(pictures) != 2):
        given = f"{len(pictures or [])} pictures{' and --pairs' if pairs else ''}"
        raise InvalidInput(f"{given} given: wanted two pictures, or --pairs with a file")
    if pairs is None and out is not None:
        raise InvalidInput("--out is for many pairs: give them with --pairs, or leave it out")
    encoder = Encoder.from_pretrained(model)
    if pairs is not None:
        _verify_many(encoder, pairs, root, out, as_json, far=far, prior=prior)
        return
    verdict = encoder.verify(*(pictures or []), far=far, prior=prior)
    if as_json:
        print(json.dumps(asdict(verdict), indent=2))
    else:
        print("\n".join(lines_of(verdict)))


def lines_of(verdict: "Verdict") -> list[str]:
    """A verdict for people to read."""
    limit = verdict.threshold
    why = {
        "same": "above the threshold",
        "different": "below the threshold",
        "not sure": "inside the threshold's interval",
    }[verdict.decision]
    return [
        f"{verdict.decision}: score {verdict.score:.3f}, {why}",
        f"threshold    {limit.score:.3f} [{limit.low:.3f}, {limit.high:.3f}] for a false accept rate of {limit.far:g}"
        + ("" if limit.weighting == "comparisons" else f" ({limit.weighting} weighted equally)"),
        f"distance     euclidean {verdict.euclidean:.3f}, cosine {verdict.cosine_distance:.3f}",
        f"probability  {100 * verdict.probability:.2f} % that they are the same, "
        f"if {100 * verdict.prior:g} % of all pairs are (--prior)",
        f"at this very score {100 * verdict.far:.3g} % of different pairs would be accepted "
        f"[{100 * verdict.far_low:.2g}, {100 * verdict.far_high:.2g}]",
    ]


def _verify_many(encoder: Any, file: Path, root: Path | None, out: Path | None, as_json: bool, **options: Any) -> None:
    from nearkin.cli.output import status
    from nearkin.data.pairs import Pairs
    from nearkin.progress import progress_bar
    from nearkin.tasks.verify import Tally, verify_pairs

    calibration = encoder.checked_calibration()
    tally = Tally()
    with progress_bar("verifying pairs") as advance:
        verified = verify_pairs(encoder, calibration, Pairs(file, root), progress=advance, **options)
        if out is None:
            _print_each(_counted(verified, tally), as_json)
        else:
            _write_csv(_counted(verified, tally), out)
    threshold = calibration.threshold(options["far"])
    for line in _summary(tally, threshold.far, threshold.score):
        status(line)


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


def _print_each(verified: "Iterator[VerifiedPair]", as_json: bool) -> None:
    import csv
    import json
    import sys

    if as_json:
        for one in verified:
            print(json.dumps(_record(one), ensure_ascii=False))
        return
    writer = csv.DictWriter(sys.stdout, fieldnames=COLUMNS, lineterminator="\n")
    for place, one in enumerate(verified):
        if place == 0:
            writer.writeheader()
        writer.writerow(_record(one))


def _write_csv(verified: "Iterator[VerifiedPair]", out: Path) -> None:
    """Written beside and renamed at the end: a file that is there is whole."""
    import csv

    beside = out.with_name(f"{out.name}.part")
    try:
        with beside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=COLUMNS)
            writer.writeheader()
            writer.writerows(map(_record, verified))
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)


def _summary(tally: "Tally", far: float, score: float) -> list[str]:
    counts = tally.to_dict()
    shown = ", ".join(f"{count:,} {name}" for name, count in counts.items() if name in tally.decisions)
    lines = [f"{counts['pairs']:,} pairs at threshold {score:.3f} (far {far:g}): {shown}"]
    known = tally.known
    if "far" in counts:
        lines.append(
            f"of {known[False]:,} different pairs, {tally.accepted[False]:,} reach it: far {counts['far']:.3g}"
        )
    if "tar" in counts:
        lines.append(
            f"of {known[True]:,} same pairs, {tally.accepted[True]:,} reach it: tar {100 * counts['tar']:.1f} %"
        )
    return lines
