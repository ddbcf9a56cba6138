"""Faces: dlib's residual network, on faces aligned by five landmarks."""

from pathlib import Path

from nearkin.data.face_alignment import LANDMARKS
from nearkin.data.packaged_file import PackagedFile
from nearkin.encoders.starts._start import Start, StartModel

WEIGHTS = PackagedFile(
    "face-recognition-models",
    "face_recognition_models",
    "models/dlib_face_recognition_resnet_model_v1.dat",
    22466066,
    "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
)
# Means of red, green and blue, as the network was trained; it divides by 256.
_MEAN = (122.782, 117.001, 104.298)
SIDE, DIM, FEATURES = 150, 128, 256


def _read(path: Path, landmarks: Path) -> StartModel:
    """dlib's weights as a model."""
    import torch

    from nearkin.data.preprocessing import Preprocessing
    from nearkin.encoders.backbones.dlib_resnet import Affine, DlibResNet
    from nearkin.encoders.starts._dlib_file import read_tensors

    network = DlibResNet()
    layers = [(name, one) for name, one in network.named_modules() if isinstance(one, torch.nn.Conv2d | Affine)]
    sizes = [(sum(parameter.numel() for parameter in layer.parameters()), 1) for _, layer in layers]
    *parts, projection = read_tensors(path, [*sizes, (FEATURES, DIM)])
    weights = {}
    for (name, layer), part in zip(layers, parts, strict=True):
        count = layer.weight.numel()
        weights[f"image.backbone.{name}.weight"] = torch.from_numpy(part[:count, 0].copy()).view(layer.weight.shape)
        weights[f"image.backbone.{name}.bias"] = torch.from_numpy(part[count:, 0].copy())
    weights["image.projection.weight"] = torch.from_numpy(projection.T.copy())
    weights["image.projection.bias"] = torch.zeros(DIM)
    preprocessing = Preprocessing(
        height=SIDE, width=SIDE, fit="face", mean=tuple(mean / 255 for mean in _MEAN), std=(256 / 255,)
    )
    config = {
        "image": {
            "backbone": "dlib_resnet", "dim": DIM, "height": SIDE, "width": SIDE, "pooling": "avg",
            "options": {"views": 2},
        },
        "text": None,
        "preprocessing": preprocessing.to_dict(),
    }  # fmt: skip
    card = (
        "# faces\n\ndlib's face recognition network (ResNet of 29 layers, about 3 million faces), not trained further, "
        "on faces that are aligned by five landmarks and averaged with their mirror images.\n\nFaces are biometric "
        "data: what may not be done with them is in `docs/faces.md`.\n"
    )
    return StartModel(config, weights, card)


START = Start(
    "faces",
    "Faces of people: the same person or not. Read docs/faces.md before you use it on anybody.",
    embeds="faces",
    licence="CC0-1.0 (weights by Davis King); package: CC0-1.0",
    source="about 3 million faces of 7,485 people; King 2017, http://blog.dlib.net/2017/02/",
    files=(WEIGHTS, LANDMARKS),
    extra="faces",
    read=_read,
)
