"""EfficientNet-lite0, lite1 and lite2 side by side, with ImageNet weights."""

from dataclasses import replace
from pathlib import Path

from nearkin.encoders.starts._efficientnet_lite import FEATURES
from nearkin.encoders.starts._start import StartModel
from nearkin.encoders.starts.lite0 import START as LITE0
from nearkin.encoders.starts.lite1 import START as LITE1
from nearkin.encoders.starts.lite2 import START as LITE2

# Larger pictures gain little for three networks, and cost a third more.
SIDE = 192
_EACH = (LITE0, LITE1, LITE2)


def _read(*paths: Path) -> StartModel:
    """The three models as one."""
    from nearkin.data.preprocessing import Preprocessing

    weights = {
        f"image.backbone.networks.{number}.{name.removeprefix('image.backbone.')}": tensor
        for number, (start, path) in enumerate(zip(_EACH, paths, strict=True))
        for name, tensor in start.read(path).weights.items()
    }
    dim = FEATURES * len(_EACH)
    config = {
        "image": {"backbone": "lite012", "dim": dim, "height": SIDE, "width": SIDE, "projection": False},
        "text": None,
        "preprocessing": Preprocessing(height=SIDE, width=SIDE).to_dict(),
    }
    card = (
        "# lite012\n\nEfficientNet-lite0, lite1 and lite2 side by side, with ImageNet weights, not trained further.\n\n"
    )
    return StartModel(config, weights, card + f"Licence of the weights: {LITE0.licence}.\n")


START = replace(
    LITE0,
    name="lite012",
    summary="Photos of any kind: the three networks together, five times as slow as lite0; for captions.",
    files=tuple(file for start in _EACH for file in start.files),
    read=_read,
    backbone="lite012",
)
