"""dlib's convolutional detector of faces (max-margin object detection), from 40 pixels on; slow without a GPU."""

from pathlib import Path
from threading import Lock

import numpy as np

from nearkin.data.detectors._detector import Detect, Detector, Face, square
from nearkin.data.packaged_file import PackagedFile

WEIGHTS = PackagedFile(
    "face-recognition-models",
    "face_recognition_models",
    "models/mmod_human_face_detector.dat",
    729940,
    "4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
)


def _load(weights: Path) -> Detect:
    import dlib

    detector, lock = dlib.cnn_face_detection_model_v1(str(weights)), Lock()

    def detect(pixels: np.ndarray) -> list[Face]:
        with lock:
            found = detector(pixels, 1)
        return [
            Face(
                square(one.rect.center().x, one.rect.center().y, one.rect.width()),
                min(float(one.confidence), 1.0),
            )
            for one in found
        ]

    return detect


DETECTOR = Detector(
    summary="faces in any pose, by a convolutional network; hardly a false find, seconds a photo without a GPU",
    licence="CC0-1.0 (weights by Davis King), Boost Software License 1.0 (dlib)",
    files=(WEIGHTS,),
    packages={"dlib": "dlib-bin"},
    smallest=40,
    load=_load,
    largest=1000,
)
