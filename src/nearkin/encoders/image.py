"""The image tower: a convolutional network, pooling, and a projection to the embedding's dimension."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nearkin.encoders.conv4 import Conv4
from nearkin.encoders.pooling import Pooling
from nearkin.errors import ArtefactError, InvalidInput, UnknownName


@dataclass(frozen=True)
class ImageTowerConfig:
    """What an image tower is made of.

    Args:
        backbone: "conv4", or any network of timm by its name ("resnet18", "convnext_tiny", ...).
        dim: numbers of an embedding.
        channels: channels of a picture, 1 or 3.
        height, width: pixels of a picture.
        pooling: "avg", "max", "gem" or "flatten".
    """

    backbone: str
    dim: int
    channels: int = 3
    height: int = 64
    width: int = 64
    pooling: str = "avg"


class ImageTower(nn.Module):
    """Normalised pictures to vectors, not yet of unit length.

    Args:
        config: what to build.
        weights: where the backbone's weights come from: None (random), "pretrained" (timm's, from the Hugging Face
            Hub or its local cache), or a file of weights (.safetensors, .pth).

    Raises:
        UnknownName: no such backbone or pooling.
        InvalidInput: the backbone cannot take pictures of this size.
        ArtefactError: the weights cannot be had, or do not fit.

    Example:
        >>> tower = ImageTower(ImageTowerConfig("conv4", dim=32, channels=1))
        >>> tower(torch.zeros(2, 1, 64, 64)).shape
        torch.Size([2, 32])
    """

    def __init__(self, config: ImageTowerConfig, weights: str | None = None) -> None:
        super().__init__()
        self.config = config
        self.backbone = _backbone(config, weights)
        self.channels_last = getattr(self.backbone, "output_fmt", "NCHW") == "NHWC"
        self.pooling = Pooling(config.pooling)
        self.projection = nn.Linear(self._count_features(), config.dim)

    def forward(self, pictures: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n dim"]:
        return self.projection(self.pooling(self._positions(pictures)))

    def _positions(self, pictures: Tensor) -> Tensor:
        """Features at each position, `[n, features, positions]`: of a map, or of a transformer's tokens."""
        features = self.backbone(pictures)
        if features.ndim == 3:
            return features.transpose(1, 2)
        return (features.permute(0, 3, 1, 2) if self.channels_last else features).flatten(2)

    def _count_features(self) -> int:
        config = self.config
        training = self.backbone.training
        self.backbone.eval()
        try:
            with torch.no_grad():
                features = self._positions(torch.zeros(1, config.channels, config.height, config.width))
                return self.pooling(features).shape[1]
        except (RuntimeError, AssertionError, ValueError) as error:
            raise InvalidInput(
                f"backbone '{config.backbone}' cannot take pictures of {config.height} x {config.width}: {error}; "
                "choose another size"
            ) from error
        finally:
            self.backbone.train(training)


def _backbone(config: ImageTowerConfig, weights: str | None) -> nn.Module:
    if config.backbone == "conv4":
        network: nn.Module = Conv4(config.channels)
        if weights == "pretrained":
            raise InvalidInput("backbone 'conv4' has no pretrained weights: it is trained from scratch")
    else:
        network = _timm_network(config, pretrained=weights == "pretrained")
    if weights not in (None, "pretrained"):
        _load_weights(network, Path(weights), config.backbone)
    return network


def _timm_network(config: ImageTowerConfig, *, pretrained: bool) -> nn.Module:
    # Seconds to import, and conv4 needs none of it.
    import timm

    name = config.backbone
    if not timm.is_model(name.split(".")[0]):
        raise UnknownName("backbone", name, ["conv4", *timm.list_models()])
    options: dict[str, Any] = {"num_classes": 0, "in_chans": config.channels, "global_pool": ""}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                # Transformers fix their picture size when they are made; convolutional networks know no such option.
                size = (config.height, config.width)
                return timm.create_model(name, pretrained=pretrained, img_size=size, **options)
            except TypeError:
                return timm.create_model(name, pretrained=pretrained, **options)
    except (OSError, RuntimeError) as error:
        if not pretrained:
            raise InvalidInput(f"backbone '{name}' cannot be made: {error}") from error
        reason = str(error).splitlines()[0]
        raise ArtefactError(
            f"pretrained weights of '{name}' cannot be had ({reason}): pass a file of weights, or train from scratch"
        ) from error


def _load_weights(network: nn.Module, path: Path, backbone: str) -> None:
    from timm.models import load_checkpoint

    if not path.is_file():
        raise ArtefactError(f"weights '{path}': no such file; wanted 'pretrained' or a file of weights")
    try:
        # strict=False forgives the classifier that we leave out, and nothing else: see below.
        outcome = load_checkpoint(network, str(path), strict=False)
    except Exception as error:  # torch and safetensors raise many kinds for a damaged file
        raise ArtefactError(f"weights '{path}' cannot be read as weights of '{backbone}': {error}") from error
    if outcome is not None and outcome.missing_keys:
        missing = outcome.missing_keys
        raise ArtefactError(
            f"weights '{path}' do not fit '{backbone}': {len(missing)} tensors are missing, the first is {missing[0]}"
        )
