"""MTCNN: three small convolutional networks in a row, the first of which looks at every place and size.

The package `mtcnn` brings the weights; the networks are run here by torch, without TensorFlow.

Source: Zhang et al. 2016, arXiv:1604.02878.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from nearkin.data.detectors._detector import Detect, Detector, Face, square, suppressed
from nearkin.data.packaged_file import PackagedFile

if TYPE_CHECKING:
    from torch import Tensor, nn

# Pixels of the smallest face looked for, and the steps of size from there.
SMALLEST, STEP = 20, 0.709
# What a candidate has to score to pass each of the networks.
THRESHOLDS = (0.6, 0.7, 0.8)
# Candidates that the later networks look at in one go.
_BATCH = 512

_FILES = (
    ("pnet.lz4", 27119, "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5"),
    ("rnet.lz4", 401659, "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee"),
    ("onet.lz4", 1557637, "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3"),
)


def _networks(*paths: Path) -> "list[tuple[nn.Sequential, nn.ModuleList]]":
    """The three networks, each as its body and its heads: shifts of the box, then of landmarks, then scores."""
    from torch import nn

    def conv(inputs: int, outputs: int, side: int) -> tuple[nn.Module, ...]:
        return nn.Conv2d(inputs, outputs, side), nn.PReLU(outputs)

    def dense(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
        return nn.Flatten(), nn.Linear(inputs, outputs), nn.PReLU(outputs)

    def pool(side: int, *, whole: bool = False) -> nn.Module:
        """`whole`: without what is left over at the edge."""
        return nn.MaxPool2d(side, 2, ceil_mode=not whole)

    propose = (*conv(3, 10, 3), pool(2), *conv(10, 16, 3), *conv(16, 32, 3))
    refine = (*conv(3, 28, 3), pool(3), *conv(28, 48, 3), pool(3, whole=True), *conv(48, 64, 2), *dense(576, 128))
    decide = (
        *(*conv(3, 32, 3), pool(3), *conv(32, 64, 3), pool(3, whole=True), *conv(64, 64, 3), pool(2)),
        *(*conv(64, 128, 2), *dense(1152, 256)),
    )
    heads: tuple[list[nn.Module], ...] = (
        [nn.Conv2d(32, 4, 1), nn.Conv2d(32, 2, 1)],
        [nn.Linear(128, 4), nn.Linear(128, 2)],
        [nn.Linear(256, 4), nn.Linear(256, 10), nn.Linear(256, 2)],
    )
    networks = []
    for path, layers, tops in zip(paths, (propose, refine, decide), heads, strict=True):
        network = nn.Sequential(*layers), nn.ModuleList(tops)
        _fill(network, _arrays(path))
        networks.append((network[0].eval(), network[1].eval()))
    return networks


def _load(*paths: Path) -> Detect:
    import torch
    from torch import nn

    propose, refine, decide = _networks(*paths)

    def scores_and_shifts(
        parts: "tuple[nn.Sequential, nn.ModuleList]", patches: "Tensor"
    ) -> tuple[np.ndarray, np.ndarray]:
        found = []
        for start in range(0, len(patches), _BATCH):
            features = parts[0](patches[start : start + _BATCH])
            found.append((torch.softmax(parts[1][-1](features), 1)[:, 1].numpy(), parts[1][0](features).numpy()))
        return np.concatenate([one for one, _ in found]), np.concatenate([one for _, one in found])

    def candidates(picture: "Tensor") -> tuple[np.ndarray, np.ndarray]:
        """Boxes and scores at every place and size."""
        height, width = picture.shape[2:]
        boxes, scores, scale = [np.empty((0, 4))], [np.empty(0)], 12 / SMALLEST
        while min(height, width) * scale >= 12:
            size = (int(np.ceil(height * scale)), int(np.ceil(width * scale)))
            small = nn.functional.interpolate(picture, size, mode="area")
            features = propose[0](small)
            score = torch.softmax(propose[1][1](features), 1)[0, 1].numpy()
            shift = propose[1][0](features)[0].numpy()
            rows, columns = np.nonzero(score > THRESHOLDS[0])
            corners = np.stack([2 * columns, 2 * rows, 2 * columns + 12, 2 * rows + 12], axis=1)
            found = (corners + 12 * shift[:, rows, columns].T) / scale
            kept = suppressed(found, score[rows, columns], 0.5)
            boxes.append(found[kept])
            scores.append(score[rows, columns][kept])
            scale *= STEP
        return np.concatenate(boxes), np.concatenate(scores)

    def patches(picture: "Tensor", boxes: np.ndarray, side: int) -> "Tensor":
        """The picture in each box, grey beyond its edges."""
        cut = []
        for left, top, right, bottom in np.round(boxes).astype(int):
            whole = torch.zeros(3, max(bottom - top, 1), max(right - left, 1))
            a, b = max(top, 0), min(bottom, picture.shape[2])
            c, d = max(left, 0), min(right, picture.shape[3])
            if a < b and c < d:
                whole[:, a - top : b - top, c - left : d - left] = picture[0, :, a:b, c:d]
            cut.append(nn.functional.interpolate(whole[None], (side, side), mode="area"))
        return torch.cat(cut)

    def detect(pixels: np.ndarray) -> list[Face]:
        with torch.inference_mode():
            picture = (torch.from_numpy(pixels).permute(2, 0, 1)[None].float() - 127.5) / 128
            boxes, scores = candidates(picture)
            kept = suppressed(boxes, scores, 0.7)
            boxes = boxes[kept]
            for number, parts, side in ((1, refine, 24), (2, decide, 48)):
                if not len(boxes):
                    return []
                boxes = _squares(boxes)
                scores, shifts = scores_and_shifts(parts, patches(picture, boxes, side))
                passed = scores > THRESHOLDS[number]
                sizes = (boxes[:, 2:] - boxes[:, :2] + 1)[:, [0, 1, 0, 1]]
                boxes = (boxes + shifts * sizes)[passed]
                scores = scores[passed]
                kept = suppressed(boxes, scores, 0.7, of_smaller=number == 2)
                boxes, scores = boxes[kept], scores[kept]
        return [_face(box, float(score)) for box, score in zip(boxes, scores, strict=True)]

    return detect


def _fill(network: "tuple[nn.Sequential, nn.ModuleList]", arrays: Sequence[np.ndarray]) -> None:
    """The weights of TensorFlow, in their order, into the layers."""
    import torch
    from torch import nn

    left = iter(arrays)
    channels = 0
    for layer in (*network[0].modules(), *network[1].modules()):
        parameters = list(layer.parameters(recurse=False))
        for parameter in parameters:
            array = np.asarray(next(left), np.float32)
            if array.ndim == 4:
                channels = array.shape[3]
                array = array.transpose(3, 2, 0, 1)
            elif array.ndim == 2:
                array = array.T
                if channels and isinstance(layer, nn.Linear) and layer.in_features > 256:
                    # Trained on features in the order of columns, rows, channels.
                    side = round((layer.in_features / channels) ** 0.5)
                    by_place = array.reshape(-1, side, side, channels)
                    array = by_place.transpose(0, 3, 2, 1).reshape(array.shape)
            with torch.no_grad():
                parameter.copy_(torch.from_numpy(np.ascontiguousarray(array)).view(parameter.shape))


def _squares(boxes: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n 4"]:
    """Boxes made square around their middles by the longer side."""
    middle, side = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True)
    return np.concatenate([middle - side / 2, middle + side / 2], axis=1)


def _face(box: Float[np.ndarray, " 4"], score: float) -> Face:
    """The face in the boxes of dlib, which the landmarks are trained for: square, and lower than MTCNN's."""
    left, top, right, bottom = box
    height = float(bottom - top)
    return Face(square(float(left + right) / 2, float(top) + DOWN * height, SIDE * height), score)


# Medians over heads that both detectors find, by `benchmarks/faces.py boxes`.
DOWN, SIDE = 0.57, 0.82


def _arrays(path: Path) -> list[np.ndarray]:
    """The arrays of a file, which was checked by its hash before: it is a pickle."""
    import joblib

    found: list[np.ndarray] = joblib.load(path)
    return found


DETECTOR = Detector(
    summary="faces in any pose from 20 pixels on, by three small networks; half a second a photo",
    licence="MIT (package mtcnn; weights of FaceNet by David Sandberg, after Zhang et al.)",
    files=tuple(PackagedFile("mtcnn", "mtcnn", f"assets/weights/{name}", size, sha) for name, size, sha in _FILES),
    packages={"joblib": "joblib", "lz4": "lz4"},
    smallest=SMALLEST,
    load=_load,
)
