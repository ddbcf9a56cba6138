"""`nearkin recognize`: who or what is this?"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nearkin.cli.class_changes import SECTION as SECTION
from nearkin.cli.options import Detect, Device, GalleryPath, Json, Quiet, Threads

if TYPE_CHECKING:
    from nearkin.data.items import Broken
    from nearkin.gallery.gallery import Gallery
    from nearkin.recognition.decision import Recognition
    from nearkin.recognition.open_set import OpenSetThreshold

ORDER = 72

# As `nearkin.tasks.sheet.SUFFIXES`, which loads matplotlib.
SHEET_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")


def recognize(
    gallery: GalleryPath,
    pictures: Annotated[
        list[str],
        typer.Argument(
            metavar="PICTURE",
            help="Path of a picture or of a vector (.npy), #7 for item 7, a folder of pictures, or @FILE with one "
            "on each line. Several are answered one after the other.",
        ),
    ],
    fpir: Annotated[
        float | None,
        typer.Option(
            help="False positive identification rate: share of strangers' pictures that may get a name.",
            show_default="0.01, or the lowest that can be measured",
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", help="Candidates for each picture.")] = 3,
    scorer: Annotated[str | None, typer.Option(help="How classes are scored.", show_default="linear")] = None,
    strangers: Annotated[
        str | None,
        typer.Option(
            help="Pictures of strangers to measure the threshold with: a folder or table, or 'unnamed' for the "
            "gallery's items of no class."
        ),
    ] = None,
    detect: Detect = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Draw answers and evidence into a picture, such as out.png.")
    ] = None,
    threads: Threads = None,
    device: Device = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Say who or what pictures show: a name, "unknown", or "not sure", with the examples that speak for it.

    In a file or pipe each picture is one line of picture, decision, name, probability, score, nearest example and its
    cosine, separated by tabs. Exit code 1: some pictures could not be read; all others are answered.
    """
    from nearkin.cli.class_changes import open_to_embed, pictures_of
    from nearkin.cli.faces_in import faces_in
    from nearkin.cli.output import print_json, print_skipped, status
    from nearkin.data.items import Broken
    from nearkin.files import check_output
    from nearkin.recognition.scorer import SCORERS

    if sheet is not None:
        sheet = check_output(sheet, "--sheet", suffixes=SHEET_SUFFIXES)
    if scorer is not None:
        SCORERS.check(scorer)
    asked = faces_in(pictures_of(pictures), detect, largest=False)
    opened = open_to_embed(gallery, threads=threads, device=device)
    found = opened.recognize(
        [_query(each) for each in asked], fpir=fpir, k=k, scorer=scorer, strangers=strangers, strict=False
    )
    answers = [(each, one) for each, one in zip(asked, found, strict=True) if not isinstance(one, Broken)]
    broken = [one for one in found if isinstance(one, Broken)]
    if answers:
        status(threshold_line(answers[0][1].threshold))
    if as_json:
        print_json([_fields(each, one) for each, one in zip(asked, found, strict=True)])
    else:
        for each, one in answers:
            print_answer(each, one)
    print_skipped(broken)
    if sheet is not None and answers:
        sys.stdout.flush()
        from nearkin.tasks.recognition_sheet import draw_recognitions
        from nearkin.tasks.sheet import save_sheet

        save_sheet(draw_recognitions(opened, answers), sheet)
        status(f"contact sheet: {sheet}")
    if not as_json and answers:
        _print_next_step(gallery, answers, opened)
    if broken:
        raise typer.Exit(1)


def threshold_line(threshold: "OpenSetThreshold") -> str:
    """What is promised of strangers, and what it was measured with."""
    if not threshold.measured:
        return (
            f"threshold {threshold.score:.2f}: a guess ({threshold.source}), for {threshold.trials} pictures of "
            "strangers are too few to measure it; nothing is promised until there are more classes or strangers "
            "(--strangers, nearkin ignore)"
        )
    return (
        f"threshold {threshold.score:.2f}: {100 * threshold.fpir:.3g} % of strangers' pictures reach it "
        f"[{100 * threshold.fpir_low:.2g}, {100 * threshold.fpir_high:.2g}] with {threshold.classes:,} classes, "
        f"measured with {threshold.trials:,} pictures of {threshold.strangers:,} strangers ({threshold.source}); "
        f"a name from {threshold.high:.2f} on, so that fewer get one, 'not sure' from {threshold.low:.2f} on"
    )


def print_answer(picture: str, answer: "Recognition") -> None:
    """What is said of a picture: a line, and at a terminal a table of the candidates."""
    from nearkin.cli.output import print_table, tab_separated

    first = answer.candidates[0] if answer.candidates else None
    if not sys.stdout.isatty():
        nearest: Any = first.evidence[0] if first and first.evidence else None
        facts = (
            answer.name or "",
            "" if first is None else f"{first.probability:.4f}",
            "" if first is None else f"{first.score:.4f}",
            "" if nearest is None else nearest.what,
            "" if nearest is None else f"{nearest.score:.4f}",
        )
        print(tab_separated((picture, answer.decision, *facts)))
        return
    said = {"name": answer.name or "", "unknown": "unknown", "not sure": f"not sure; {first.name if first else ''}?"}
    rows = [
        (
            one.name,
            f"{one.probability:.3f}",
            f"{one.score:.2f}",
            ", ".join(f"{Path(each.what).name} {each.score:.3f}" for each in one.evidence),  # type: ignore[attr-defined]
        )
        for one in answer.candidates
    ]
    header = ("candidate", "probability", "score", "nearest examples and their cosines")
    why = (f"({answer.reason})",) if answer.reason else ()
    print_table(f"{picture}: {said[answer.decision]}", header, rows, why, names=(header[0], header[3]))


def _fields(picture: str, answer: "Recognition | Broken") -> dict[str, Any]:
    """A picture and what is said of it, as JSON."""
    from nearkin.data.items import Broken

    if isinstance(answer, Broken):
        return {"picture": picture, "decision": None, "unreadable": answer.reason}
    return {"picture": picture, **vars(answer)}


def _query(picture: str) -> Any:
    """A vector if a file of one is named."""
    import numpy as np

    from nearkin.errors import InvalidInput

    if not picture.lower().endswith(".npy"):
        return picture
    try:
        vector = np.load(picture, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidInput(f"cannot read the vector in '{picture}': {reason}") from error
    if vector.ndim != 1 or vector.dtype.kind not in "fiu":
        raise InvalidInput(f"'{picture}' is an array of shape {vector.shape}: expected one vector [dim]")
    return vector.astype(np.float32)


def _print_next_step(gallery: str, answers: "list[tuple[str, Recognition]]", opened: "Gallery") -> None:
    from shlex import quote

    from nearkin.cli.output import next_step

    named = next(((each, one.name) for each, one in answers if one.name), None)
    if named is not None:
        next_step(f"nearkin reject {quote(gallery)} {quote(named[0])} {quote(str(named[1]))} if that is wrong")
    else:
        next_step(f"nearkin enroll {quote(gallery)} NAME {quote(answers[0][0])} if you know the name")
