"""Do the table of `evaluate` and a calibration state one false accept rate?

tar at each far from both, and the largest difference of any, on folders of pictures (a class for each folder that
holds pictures; the vector of a picture is its 16 x 16 grey thumbnail less the mean of all, for no model is needed) and
on a drawn set of 60 classes, two of them large and alike. It runs on nearkin 0.1.0 too:

    python benchmarks/one_definition.py [FOLDER ...]
    PYTHONPATH=nearkin-0.1.0/src python benchmarks/one_definition.py [FOLDER ...]
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from nearkin.evaluation import fit_calibration

try:
    from nearkin.evaluation.metrics.all_pairs import verification_all_pairs
except ImportError:  # nearkin 0.1.0
    from nearkin.evaluation.all_pairs import verification_all_pairs


def thumbnails(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vectors and class ids of classes with two pictures or more."""
    paths = sorted(folder.rglob("*.jpg"))
    _, ids, counts = np.unique([str(path.parent) for path in paths], return_inverse=True, return_counts=True)
    kept = [(path, one) for path, one in zip(paths, ids.tolist(), strict=True) if counts[one] > 1]
    vectors = [np.asarray(Image.open(path).convert("L").resize((16, 16)), np.float32).ravel() for path, _ in kept]
    return np.stack(vectors) - np.mean(vectors, axis=0), np.array([one for _, one in kept])


def unbalanced(large: int = 300, small: int = 4, classes: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Vectors around centres; the first two classes are large and alike."""
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(classes, 16))
    centres[1] = centres[0] + 0.3 * generator.normal(size=16)
    ids = np.repeat(np.arange(classes), [large, large] + [small] * (classes - 2))
    return (centres[ids] + 0.6 * generator.normal(size=(len(ids), 16))).astype(np.float32), ids


def rows(name: str, vectors: np.ndarray, ids: np.ndarray) -> None:
    table = verification_all_pairs(vectors, ids)
    calibration = fit_calibration(vectors, ids, fingerprint="none", method="logistic")
    counts = np.unique(ids, return_counts=True)[1]
    for figure, value in table.items():
        far = float(figure.partition("@far=")[2] or 0)
        if far in calibration.fars:
            other = calibration.threshold(far).tar
            shown = f"{name} | {len(counts)} of {counts.min()} to {counts.max()} | {figure}"
            print(f"| {shown} | {value.value:.4f} | {other:.4f} | {abs(value.value - other):.4f} |", flush=True)


if __name__ == "__main__":
    print(f"| data | classes | figure | table | calibration | differ by |\n{'|---' * 6}|")
    rows("two large and alike", *unbalanced())
    for given in sys.argv[1:]:
        rows(Path(given).name, *thumbnails(Path(given)))
