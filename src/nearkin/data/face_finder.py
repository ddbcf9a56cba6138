"""The faces of a picture."""

from functools import lru_cache

import numpy as np
from PIL import Image

from nearkin.data.box import Box
from nearkin.data.decoding import as_mode
from nearkin.data.detectors import DETECTORS, Face
from nearkin.data.detectors._detector import Detect


@lru_cache(maxsize=4)
def _loaded(name: str) -> Detect:
    return DETECTORS[name].loaded()


def find_faces(image: Image.Image, detector: str, *, largest: bool = False) -> list[Face]:
    """The faces of a picture, the largest first; boxes in its own pixels.

    Args:
        image: of any mode without transparency; one larger than the detector's `largest` is shrunk first.
        detector: by name.
        largest: only the largest face.

    Raises:
        UnknownName: no such detector.
        MissingDependency: a package of it is not installed.
    """
    scale = max(1.0, max(image.size) / DETECTORS[detector].largest)
    size = (max(1, round(image.width / scale)), max(1, round(image.height / scale)))
    small = as_mode("RGB", image)
    if scale > 1:
        small = small.resize(size, Image.Resampling.BILINEAR, reducing_gap=2)
    found = _loaded(detector)(np.array(small))
    # A box that has its middle outside the picture is none.
    inside = [face for face in found if _middle_inside(face.box, size)]
    inside.sort(key=lambda face: -face.box.width)
    faces = [Face(face.box.scaled(scale), face.confidence) for face in inside]
    return faces[:1] if largest else faces


def _middle_inside(box: Box, size: tuple[int, int]) -> bool:
    x, y = box.x + box.width / 2, box.y + box.height / 2
    return 0 <= x <= size[0] and 0 <= y <= size[1]
