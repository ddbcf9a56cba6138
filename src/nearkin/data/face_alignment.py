"""A face turned upright and to one size, by the corners of the eyes and the base of the nose."""

import logging
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from nearkin.data.box import Box
from nearkin.data.decoding import as_mode
from nearkin.data.detectors import DEFAULT
from nearkin.data.detectors._detector import EXTRA
from nearkin.data.face_finder import find_faces
from nearkin.data.packaged_file import PackagedFile
from nearkin.errors import MissingDependency

_log = logging.getLogger(__name__)

# Of the models of the package, only this one's licence allows every use: the file of 68 points must not be used.
LANDMARKS = PackagedFile(
    "face-recognition-models",
    "face_recognition_models",
    "models/shape_predictor_5_face_landmarks.dat",
    9150489,
    "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
)
POINTS = ("left_eye_outer", "left_eye_inner", "right_eye_outer", "right_eye_inner", "nose")

# What is around a face, as a share of the distances between the points; dlib's network was trained on it.
PADDING = 0.25
# Sides of a box that are looked at around it on each side, and pixels that its own side becomes if it is larger.
_AROUND, _LARGEST = 0.75, 300
# Where a picture without a detected face is taken for a face: the share left out on each side.
_INSIDE = 0.08


def landmarks(image: Image.Image, box: Box) -> Float[np.ndarray, "5 2"]:
    """The five points of a face, x and y in pixels of the picture, in the order of `POINTS`.

    Left and right are those of the picture. Points are found in any box, whether it holds a face or not.

    Raises:
        MissingDependency: a package is not installed.
        ArtefactError: the package's file is another one.
    """
    near, corner, scale = _surroundings(image, box)
    points = _shape(near, box, corner, scale)
    found = np.array([(point.x, point.y) for point in points.parts()], np.float64) / scale + corner
    # dlib counts from the right eye's outer corner.
    return found[[2, 3, 0, 1, 4]]


def aligned_face(
    image: Image.Image, side: int, corners: tuple[int, int, int, int] | None = None
) -> UInt8[np.ndarray, "side side 3"]:
    """A face of a picture upright in a square, with a quarter around it.

    Args:
        image: any mode without transparency.
        side: of the square, in pixels.
        corners: left, top, right and bottom of the face; None for the largest face that is found. Where none is
            found, as in a narrow crop, the whole picture is taken for one, and that is said. What `aligned_png` has
            written is not turned again.

    Raises:
        MissingDependency: a package is not installed.
    """
    if corners is None and image.size == (side, side) and image.info.get(_MARK[0]) == _MARK[1]:
        return np.array(as_mode("RGB", image))
    if corners is None:
        faces = find_faces(image, DEFAULT, largest=True)
        box = faces[0].box if faces else _whole(image)
    else:
        left, top, right, bottom = corners
        longer = max(right - left, bottom - top)
        box = Box((left + right - longer) / 2, (top + bottom - longer) / 2, longer, longer)
    near, corner, scale = _surroundings(image, box)
    chip: np.ndarray = _dlib().get_face_chip(near, _shape(near, box, corner, scale), side, PADDING)
    return chip


def aligned_png(face: UInt8[np.ndarray, "side side 3"]) -> bytes:
    """An aligned face as PNG, marked as such."""
    from PIL.PngImagePlugin import PngInfo

    mark, encoded = PngInfo(), BytesIO()
    mark.add_text(*_MARK)
    Image.fromarray(face).save(encoded, "PNG", pnginfo=mark)
    return encoded.getvalue()


def _whole(image: Image.Image) -> Box:
    _warn_once(
        "no face was found in a picture of %d x %d pixels: it is taken for a face as a whole, as are others without "
        "one; `nearkin detect faces` names them",
        image.width,
        image.height,
    )
    width, height = image.size
    side = (1 - 2 * _INSIDE) * min(width, height)
    return Box((width - side) / 2, (height - side) / 2, side, side)


# Text in a PNG file.
_MARK = ("nearkin", "aligned face")
_said: set[str] = set()


def _warn_once(message: str, *values: int) -> None:
    if message not in _said:
        _said.add(message)
        _log.warning(message, *values)


def _surroundings(
    image: Image.Image, box: Box
) -> tuple[UInt8[np.ndarray, "height width 3"], Float[np.ndarray, " 2"], float]:
    """The picture around a box, its edge repeated beyond it; its corner in the picture, and its scale."""
    margin = _AROUND * box.width
    left, top = int(np.floor(box.x - margin)), int(np.floor(box.y - margin))
    right, bottom = int(np.ceil(box.x + box.width + margin)), int(np.ceil(box.y + box.height + margin))
    inside = (max(left, 0), max(top, 0), min(right, image.width), min(bottom, image.height))
    part = as_mode("RGB", image.crop(inside))
    # Faces of fewer pixels than the network sees are enlarged by a smooth filter before they are turned.
    scale = min(_LARGEST / box.width, max(1.0, 2 * 75 / box.width))
    if scale != 1:
        size = (max(1, round(part.width * scale)), max(1, round(part.height * scale)))
        part = part.resize(size, Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.BILINEAR)
    beyond = (inside[1] - top, bottom - inside[3]), (inside[0] - left, right - inside[2])
    pads = [(round(scale * one), round(scale * other)) for one, other in beyond]
    return np.pad(np.asarray(part), [*pads, (0, 0)], mode="edge"), np.array([left, top], np.float64), scale


def _shape(near: np.ndarray, box: Box, corner: Float[np.ndarray, " 2"], scale: float) -> Any:
    left, top = scale * (np.array([box.x, box.y]) - corner)
    rectangle = _dlib().rectangle(
        round(left), round(top), round(left + scale * box.width), round(top + scale * box.height)
    )
    return _predictor()(near, rectangle)


@cache
def _predictor() -> Any:
    return _dlib().shape_predictor(str(LANDMARKS.checked(EXTRA, "aligning faces")))


def _dlib() -> Any:
    try:
        import dlib
    except ImportError as error:
        raise MissingDependency("dlib-bin", EXTRA, "aligning faces") from error
    return dlib
