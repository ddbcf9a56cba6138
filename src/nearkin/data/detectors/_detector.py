"""What a face detector says of itself, and what it finds."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from jaxtyping import Float, UInt8

from nearkin.data.box import Box
from nearkin.data.packaged_file import PackagedFile
from nearkin.errors import MissingDependency

# Longer side in pixels of what a detector looks at. Larger photos are shrunk; boxes come in their own pixels.
LARGEST = 1600

# The extra that installs all detectors.
EXTRA = "faces"


@dataclass(frozen=True)
class Face:
    """A face in a picture.

    Args:
        box: square, from the eyebrows to the chin and as wide as that, as dlib's detector has it; it may reach beyond
            the picture.
        confidence: from 0 to 1, for the detector's own threshold is passed; those of two detectors do not compare.
    """

    box: Box
    confidence: float


# An RGB picture to the faces in it.
Detect = Callable[[UInt8[np.ndarray, "height width 3"]], list[Face]]


@dataclass(frozen=True)
class Detector:
    """A face detector: `DETECTOR` in a module of `nearkin.data.detectors`.

    Args:
        summary: what it is, in a line.
        licence: of its weights.
        files: of weights, which its packages bring.
        packages: that are imported, as `{module: package to install}`.
        smallest: side in pixels of the smallest face that it is meant for.
        load: gives the function that detects; called once, with the checked files.
        largest: longer side in pixels of what it looks at; larger photos are shrunk.
    """

    summary: str
    licence: str
    files: tuple[PackagedFile, ...]
    packages: dict[str, str]
    smallest: int
    load: Callable[..., Detect]
    largest: int = LARGEST

    @property
    def missing(self) -> str | None:
        """The first package that is not installed."""
        needed = {**self.packages, **{file.module: file.package for file in self.files if file.find() is None}}
        return next((package for module, package in needed.items() if find_spec(module) is None), None)

    def check(self) -> None:
        """Refuse it if a package is not installed.

        Raises:
            MissingDependency: the message has the line that installs it.
        """
        if (package := self.missing) is not None:
            raise MissingDependency(package, EXTRA, "detecting faces")

    def loaded(self) -> Detect:
        """The function that detects.

        Raises:
            MissingDependency: a package is not installed.
            ArtefactError: a package's file of weights is another one.
        """
        self.check()
        return self.load(*(file.checked(EXTRA, "detecting faces") for file in self.files))


def square(centre_x: float | int, centre_y: float | int, side: float | int) -> Box:
    """A square box around a point."""
    return Box(centre_x - side / 2, centre_y - side / 2, side, side)


def suppressed(
    boxes: Float[np.ndarray, "n 4"], scores: Float[np.ndarray, " n"], limit: float, *, of_smaller: bool = False
) -> list[int]:
    """Positions of the boxes (left, top, right, bottom) that no better one overlaps by more than a limit, best first.

    Args:
        boxes, scores: of equal length.
        limit: of the intersection over the union.
        of_smaller: take the intersection over the smaller of the two instead.
    """
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    left = np.argsort(-scores, kind="stable")
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        corner = np.maximum(boxes[best, :2], boxes[left, :2])
        shared = np.clip(np.minimum(boxes[best, 2:], boxes[left, 2:]) - corner, 0, None).prod(axis=1)
        whole = np.minimum(areas[best], areas[left]) if of_smaller else areas[best] + areas[left] - shared
        left = left[shared <= limit * whole]
    return kept
