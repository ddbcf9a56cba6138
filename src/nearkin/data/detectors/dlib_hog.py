"""dlib's detector of frontal faces: histograms of oriented gradients and a linear classifier, from 40 pixels on."""

from threading import local

import numpy as np

from nearkin.data.detectors._detector import Detect, Detector, Face, square


def _load() -> Detect:
    import dlib

    # A detector keeps the picture that it looks at: each thread has its own.
    own = local()

    def detect(pixels: np.ndarray) -> list[Face]:
        if not hasattr(own, "detector"):
            own.detector = dlib.get_frontal_face_detector()
        # Twice as large, so that faces of 40 pixels are found, and not of 80 only.
        rectangles, scores, _ = own.detector.run(pixels, 1, 0.0)
        return [
            Face(
                square(one.center().x, one.center().y, one.width()),
                float(1 - np.exp(-1 - 2 * max(score, 0.0))),
            )
            for one, score in zip(rectangles, scores, strict=True)
        ]

    return detect


DETECTOR = Detector(
    summary="frontal faces, by gradients; fast on one core, few false finds, misses turned and small ones",
    licence="Boost Software License 1.0 (dlib)",
    files=(),
    packages={"dlib": "dlib-bin"},
    smallest=40,
    load=_load,
)
