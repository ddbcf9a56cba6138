"""Faces in photos: as a table of boxes, as aligned crops, or as the items of a gallery."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from nearkin.data.box import Box
from nearkin.data.decoding import decode, picture_size
from nearkin.data.detectors import DEFAULT, DETECTORS, Face
from nearkin.data.face_alignment import POINTS, aligned_face, aligned_png, landmarks
from nearkin.data.face_finder import find_faces
from nearkin.data.items import Broken, Items, Picture
from nearkin.data.sources import read_items
from nearkin.errors import InvalidInput, PictureError, SourceError
from nearkin.files import check_output, check_output_folder, written_whole
from nearkin.progress import Progress

# Half the longer side in pixels that a photo is decoded to at least: detectors look at no more.
_HINT = (800, 800)
# Side of an aligned crop, in pixels.
CROP = 150


@dataclass(frozen=True)
class DetectSummary:
    """What became of the photos of one `detect`.

    Args:
        photos: how many could be read.
        faces: how many faces they show.
        without: photos in which no face was found.
        skipped: photos that could not be read, and why.
    """

    photos: int
    faces: int
    without: tuple[str, ...]
    skipped: tuple[Broken, ...]


@dataclass(frozen=True, eq=False)
class Found:
    """The faces of one photo.

    Args:
        row: of the photo in its source.
        picture: the photo.
        faces: largest first; boxes in pixels of the photo as it is shown, clipped to it.
        image: the photo as it was decoded, perhaps smaller.
        scale: pixels of the photo for one of `image`.
    """

    row: int
    picture: Picture
    faces: tuple[Face, ...]
    image: Image.Image
    scale: float


def detect(
    items: Items,
    *,
    detector: str = DEFAULT,
    largest: bool = False,
    confidence: float = 0.0,
    strict: bool = False,
    progress: Progress | None = None,
) -> Iterator[Found | Broken]:
    """The faces of each photo, one photo after the other; or why it cannot be read.

    Args:
        items: photos.
        detector: one of `DETECTORS`.
        largest: only the largest face of each.
        confidence: leave out faces of less, 0 <= confidence < 1.
        strict: stop at a photo that cannot be read.
        progress: called with the number of photos done, and of all.

    Raises:
        UnknownName: no such detector.
        MissingDependency: a package is not installed.
        InvalidInput: a confidence out of range, or items that are regions already.
        PictureError: strict, and a photo cannot be read.
    """
    DETECTORS.check(detector)
    DETECTORS[detector].check()
    if not 0 <= confidence < 1:
        raise InvalidInput(f"confidence is {confidence:g}: expected 0 or more, and less than 1")
    if any(picture.box is not None for picture in items.pictures):
        raise InvalidInput(f"{items.source} has boxes already: leave out --detect, or name a source without boxes")
    items.refuse_skipped(strict)
    yield from items.skipped
    for row, picture in enumerate(items.pictures):
        try:
            yield _found(row, picture, detector, largest, confidence)
        except PictureError as error:
            if strict:
                raise
            yield Broken(picture.uri, str(error).removeprefix(f"{picture.uri}: "))
        if progress:
            progress(row + 1, len(items))


def _found(row: int, picture: Picture, detector: str, largest: bool, confidence: float) -> Found:
    image = decode(picture, hint=_HINT)
    size = picture_size(picture)
    scale = size[0] / image.width
    faces = [face for face in find_faces(image, detector) if face.confidence >= confidence]
    boxes = ((face.box.scaled(scale).clipped(size), face.confidence) for face in faces[: 1 if largest else None])
    return Found(row, picture, tuple(Face(box, sure) for box, sure in boxes if box is not None), image, scale)


def faces_of(
    items: Items,
    *,
    detector: str = DEFAULT,
    largest: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
) -> tuple[Items, DetectSummary]:
    """The faces of photos as items: each is a region, with what the source says of its photo and its confidence.

    Arguments and errors as in `detect`; and

    Raises:
        SourceError: no face in any photo.
    """
    rows: list[int] = []
    faces: list[Face] = []
    without: list[str] = []
    skipped: list[Broken] = []
    for found in detect(items, detector=detector, largest=largest, strict=strict, progress=progress):
        if isinstance(found, Broken):
            skipped.append(found)
            continue
        rows += [found.row] * len(found.faces)
        faces += found.faces
        if not found.faces:
            without.append(found.picture.uri)
    if not faces:
        raise SourceError(f"{items.source}: {no_face(len(items) - len(skipped), without, skipped)}")
    chosen = items.select(rows)
    columns = {name: tuple(getattr(face.box, name) for face in faces) for name in ("x", "y", "width", "height")}
    pictures = tuple(one.region(face.box) for one, face in zip(chosen.pictures, faces, strict=True))
    confidences = tuple(round(face.confidence, 4) for face in faces)
    regions = replace(
        chosen,
        pictures=pictures,
        metadata={**chosen.metadata, **columns, "confidence": confidences},
        skipped=tuple(skipped),
    )
    return regions, DetectSummary(len(items) - len(skipped), len(faces), tuple(without), tuple(skipped))


def no_face(photos: int, without: Sequence[str], skipped: Sequence[Broken]) -> str:
    """That no photo shows a face, for a message."""
    if not photos:
        return f"no photo can be read; the first: {skipped[0]}" if skipped else "no photos"
    return f"no face found in {without[0] if photos == 1 else f'any of {photos:,} photos'}"


def write_faces(
    source: Any,
    out: str | Path,
    *,
    crops: str | Path | None = None,
    detector: str = DEFAULT,
    largest: bool = False,
    confidence: float = 0.0,
    label: str | None = None,
    path_column: str | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> DetectSummary:
    """Faces of photos into a table, a row each: photo, box, confidence and five landmarks.

    Args:
        source: as `read_items` takes it.
        out: a CSV file, which is there whole or not at all: `path`, `x`, `y`, `width`, `height`, `confidence`, x and y
            of each landmark, all in pixels of the photo as it is shown; `crop` with `crops`, and `label` if the source
            has labels.
        crops: a folder for the aligned faces, PNG of 150 x 150 pixels.
        detector, largest, confidence, strict, progress: as in `detect`.
        label, path_column: as in `read_items`.

    Raises:
        SourceError, UnknownName, MissingDependency, PictureError: as in `detect` and `read_items`.
        InvalidInput: the file or the folder cannot be written.

    Example:
        >>> write_faces("photos", "faces.csv").faces  # doctest: +SKIP
        12
    """
    path = check_output(out, "--out", suffixes=(".csv",))
    items = read_items(source, label=label, path_column=path_column)
    folder = None if crops is None else check_output_folder(crops, "--crops")
    points = [f"{point}_{axis}" for point in POINTS for axis in "xy"]
    header = ["path", "x", "y", "width", "height", "confidence", *points]
    header += ["crop"] * (folder is not None) + ["label"] * items.has_labels
    count, photos = 0, 0
    without: list[str] = []
    skipped: list[Broken] = []
    with written_whole(path, "w", newline="", errors="surrogateescape") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        options: dict[str, Any] = {"detector": detector, "largest": largest, "confidence": confidence, "strict": strict}
        for found in detect(items, **options, progress=progress):
            if isinstance(found, Broken):
                skipped.append(found)
                continue
            photos += 1
            if not found.faces:
                without.append(found.picture.uri)
            for face in found.faces:
                count += 1
                row = [found.picture.uri, *_numbers(face.box), f"{face.confidence:.4f}", *_points(found, face)]
                if folder is not None:
                    row.append(_crop(folder, count, found, face))
                writer.writerow([*row, items.labels[found.row] or ""] if items.has_labels else row)
    return DetectSummary(photos, count, tuple(without), tuple(skipped))


def _numbers(box: Box) -> list[str]:
    return str(box).split(",")


def _points(found: Found, face: Face) -> list[str]:
    points = landmarks(found.image, face.box.scaled(1 / found.scale)) * found.scale
    return [f"{value:.1f}" for value in points.ravel()]


def _crop(folder: Path, number: int, found: Found, face: Face) -> str:
    corners = face.box.scaled(1 / found.scale).corners(found.image.size)
    path = folder / f"{number:06d}-{Path(found.picture.whole_uri).stem[:60]}.png"
    try:
        path.write_bytes(aligned_png(aligned_face(found.image, CROP, corners)))
    except OSError as error:
        raise InvalidInput(f"cannot write '{path}': {error.strerror or error}") from error
    return str(path)


def regions_of(paths: Sequence[str], *, detector: str = DEFAULT, largest: bool = False) -> tuple[list[str], list[str]]:
    """The faces of photos by their names, `photo.jpg#xywh=...`, and the photos in which none was found.

    Args:
        paths: photos; what is no file, such as words, items (#7) and regions, stays as it is, and so do vectors, and
            photos that cannot be read, for whoever reads them to say so.
        detector, largest: as in `detect`.
    """
    regions: list[str] = []
    without: list[str] = []
    for path in paths:
        if path.lower().endswith(".npy") or not Path(path).is_file():
            regions.append(path)
            continue
        for found in detect(Items.build([Picture(path)]), detector=detector, largest=largest):
            if isinstance(found, Broken):
                regions.append(path)
                continue
            regions += [found.picture.region(face.box).uri for face in found.faces]
            without += [] if found.faces else [path]
    return regions, without
