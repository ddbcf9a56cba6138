"""Face detectors: one file each. `nearkin detect faces PHOTOS --detector mtcnn`.

A file `mtcnn.py` is the detector `mtcnn`, and declares itself by `DETECTOR`. What it says of itself is read without
its packages and without torch.
"""

from nearkin.data.detectors._detector import Detector, Face
from nearkin.registry import Registry

DETECTORS: Registry[Detector] = Registry("nearkin.data.detectors", "DETECTOR", "face detector")

# What `--detector` is if none is named; docs/faces.md says why.
DEFAULT = "mtcnn"

__all__ = ["DEFAULT", "DETECTORS", "Detector", "Face"]
