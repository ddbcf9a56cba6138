"""`nearkin detect`: where are the faces in these photos?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nearkin.cli.options import Data, Json, Label, PathColumn, Quiet, Strict, Threads
from nearkin.wording import counted

if TYPE_CHECKING:
    from nearkin.tasks.detect import DetectSummary

SECTION, ORDER = "Search", 32

# Photos without a face that are named one by one; --json has all.
SHOWN = 5


def detect(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="What to look for: faces.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="Table to write, such as faces.csv: photo, box, confidence and landmarks.")],
    crops: Annotated[
        Path | None, typer.Option(help="Folder for the faces, turned upright, PNG of 150 x 150 pixels.")
    ] = None,
    detector: Annotated[
        str | None, typer.Option(help="How: mtcnn, dlib-hog or dlib-cnn.", show_default="mtcnn")
    ] = None,
    largest: Annotated[bool, typer.Option("--largest", help="Only the largest face of each photo.")] = False,
    confidence: Annotated[float, typer.Option(help="Leave out faces that the detector is less sure of.")] = 0.0,
    label: Label = None,
    path_column: PathColumn = None,
    strict: Strict = False,
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Find the faces in photos: a table with a row for each, which every command takes as a source of pictures.

    Nothing leaves this machine. docs/faces.md says what may not be done with faces. Exit code 1: no face was found at
    all, or some photos could not be read.
    """
    from shlex import quote

    from nearkin.cli.options import check_detect, use_threads
    from nearkin.cli.output import next_step, print_json, print_skipped
    from nearkin.data.detectors import DEFAULT, DETECTORS
    from nearkin.data.sources import check_source
    from nearkin.progress import progress_bar

    check_detect(what)
    detector = detector or DEFAULT
    DETECTORS.check(detector)
    check_source(data)
    use_threads(threads)
    from nearkin.tasks.detect import write_faces

    with progress_bar("looking for faces", before="loading the detector") as advance:
        summary = write_faces(
            data,
            out,
            crops=crops,
            detector=detector,
            largest=largest,
            confidence=confidence,
            label=label,
            path_column=path_column,
            strict=strict,
            progress=advance,
        )
    if as_json:
        print_json({"out": str(out), "detector": detector, **vars(summary)})
    else:
        print(f"{out}: {counted(summary.faces, 'face')} in {counted(summary.photos, 'photo')}{_without(summary)}")
        print_without(summary.without)
        print_skipped(summary.skipped)
        if summary.faces:
            next_step(f"nearkin index faces {quote(str(out))} GALLERY makes a gallery of them")
    if summary.skipped or not summary.faces:
        raise typer.Exit(1)


def _without(summary: "DetectSummary") -> str:
    parts = [f"{len(summary.without):,} without a face"] if summary.without else []
    parts += [f"{len(summary.skipped):,} skipped"] if summary.skipped else []
    return "".join(f", {part}" for part in parts)


def print_without(without: "tuple[str, ...] | list[str]") -> None:
    """Photos in which no face was found: the first few by name, the others by number."""
    from nearkin.cli.output import warn

    for name in without[:SHOWN]:
        warn(f"no face found in {name}")
    if len(without) > SHOWN:
        warn(f"and in {len(without) - SHOWN:,} more; --json lists all")
