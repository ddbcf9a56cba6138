"""The image tower: a convolutional network, pooling, and a projection to the embedding's dimension."""

import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nearkin.encoders.backbones import BACKBONES
from nearkin.encoders.hubs._answering import from_hub
from nearkin.encoders.pooling import Pooling
from nearkin.encoders.start_weights import image_tower_weights
from nearkin.errors import ArtefactError, InvalidInput, UnknownName

# Side of a picture up to which networks of timm take pictures as they come.
LARGEST_SIZE = 224


@dataclass(frozen=True)
class ImageTowerConfig:
    """What an image tower is made of.

    Args:
        backbone: "conv4", "resnet12", or any network of timm by its name ("resnet18", "convnext_tiny", ...).
        dim: embedding dimension.
        channels: channels of a picture, 1 or 3.
        height, width: pixels of a picture.
        pooling: "avg", "max", "gem" or "flatten".
        options: keywords of the backbone: "width" of conv4 and resnet12; of a timm network what its model takes, such
            as "drop_path_rate".
        projection: whether there is one; without it the embedding is the pooled features, as many as `dim`.
    """

    backbone: str
    dim: int
    channels: int = 3
    height: int = 64
    width: int = 64
    pooling: str = "avg"
    options: Mapping[str, Any] = field(default_factory=dict)
    projection: bool = True

    def to_dict(self) -> dict[str, Any]:
        """As JSON; a projection is not mentioned, so that earlier versions can read a model that has one."""
        values = asdict(self)
        if self.projection:
            del values["projection"]
        return values


class ImageTower(nn.Module):
    """Normalised pictures to vectors, not yet of unit length.

    Args:
        config: what to build.
        weights: where the backbone's weights come from: None (random), "pretrained" (timm's, from the Hugging Face
            Hub or its local cache), a start by name, a run or model folder of nearkin, or a file of weights
            (.safetensors, .pth).

    Attributes:
        has_trained_projection: whether the projection came with the weights, as a model of nearkin of the same
            dimension has it.

    Raises:
        UnknownName: no such backbone or pooling.
        InvalidInput: the backbone cannot take pictures of this size.
        ArtefactError: the weights cannot be read or fetched, or do not fit.

    Example:
        >>> tower = ImageTower(ImageTowerConfig("conv4", dim=32, channels=1))
        >>> tower(torch.zeros(2, 1, 64, 64)).shape
        torch.Size([2, 32])
    """

    def __init__(self, config: ImageTowerConfig, weights: str | None = None) -> None:
        super().__init__()
        self.config = config
        trained = None if weights in (None, "pretrained") else image_tower_weights(str(weights))
        self.backbone = _backbone(config, weights, trained)
        self.channels_last = getattr(self.backbone, "output_fmt", "NCHW") == "NHWC"
        self.pooling = Pooling(config.pooling)
        self.projection: nn.Linear = self._projection()  # type: ignore[assignment]
        self.has_trained_projection = trained is not None and _loaded(self.projection, "projection.", trained)

    def _projection(self) -> nn.Module:
        """A linear map; without a projection one that changes nothing, and has no weights.

        Raises:
            InvalidInput: there is none, and the features are not as many as the embedding's numbers.
        """
        features, config = self.count_features(), self.config
        if config.projection:
            return nn.Linear(features, config.dim)
        if features != config.dim:
            raise InvalidInput(
                f"backbone '{config.backbone}' makes {features} features, which without a projection are the "
                f"embedding: its dimension cannot be {config.dim}"
            )
        return nn.Identity()

    def forward(self, pictures: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n dim"]:
        vectors: Tensor = self.projection(self.features(pictures))
        return vectors

    def features(self, pictures: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n features"]:
        """What the backbone makes of pictures, pooled, before the projection."""
        return self.pooling(self._positions(pictures))

    def _positions(self, pictures: Tensor) -> Tensor:
        """Features at each position, `[n, features, positions]`: of a map, or of a transformer's tokens."""
        features = self.backbone(pictures)
        if features.ndim == 3:
            return features.transpose(1, 2)
        return (features.permute(0, 3, 1, 2) if self.channels_last else features).flatten(2)

    def count_features(self) -> int:
        """Numbers of a picture before the projection."""
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


def _backbone(config: ImageTowerConfig, weights: str | None, trained: dict[str, Tensor] | None) -> nn.Module:
    if config.backbone in BACKBONES:
        if weights == "pretrained":
            raise InvalidInput(f"backbone '{config.backbone}' has no pretrained weights: it is trained from scratch")
        network = _own_network(config)
    else:
        network = _timm_network(config, pretrained=weights == "pretrained")
    if trained is not None:
        if not _loaded(network, "backbone.", trained):
            raise ArtefactError(
                f"weights '{weights}' are of another network than '{config.backbone}' with these options: name the "
                "network that they were trained with (--backbone, --backbone-option)"
            )
    elif weights not in (None, "pretrained"):
        _load_weights(network, Path(weights).expanduser(), config.backbone)
    return network


def _loaded(part: nn.Module, prefix: str, trained: dict[str, Tensor]) -> bool:
    """Load what stands under a prefix, if names and shapes are all those of the part."""
    own = {name.removeprefix(prefix): tensor for name, tensor in trained.items() if name.startswith(prefix)}
    here = part.state_dict()
    if own.keys() != here.keys() or any(own[name].shape != here[name].shape for name in here):
        return False
    part.load_state_dict(own)
    return True


def default_pooling(backbone: str) -> str:
    """The pooling that suits a network, where the user names none."""
    return BACKBONES[backbone].default_pooling if backbone in BACKBONES else "avg"


def largest_size(backbone: str) -> int:
    """Side of a picture in pixels that the user need not ask for."""
    return BACKBONES[backbone].largest_size if backbone in BACKBONES else LARGEST_SIZE


def _own_network(config: ImageTowerConfig) -> nn.Module:
    make = BACKBONES[config.backbone]
    known = [name for name in signature(make).parameters if name != "channels"]
    for name, value in config.options.items():
        if name not in known:
            raise UnknownName(f"option of backbone '{config.backbone}',", name, known)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InvalidInput(f"backbone '{config.backbone}': {name} is {value!r}, expected a whole number above 0")
    return make(config.channels, **config.options)


def _timm_network(config: ImageTowerConfig, *, pretrained: bool) -> nn.Module:
    # Seconds to import, and conv4 needs none of it.
    import timm

    name = config.backbone
    if not timm.is_model(name.split(".")[0]):
        raise UnknownName("backbone", name, [*BACKBONES, *timm.list_models()])
    options: dict[str, Any] = {**config.options, "num_classes": 0, "in_chans": config.channels, "global_pool": ""}
    # Transformers fix their picture size when they are made; convolutional networks know no such option.
    size = (config.height, config.width)
    with warnings.catch_warnings(), from_hub(f"timm:{name}") if pretrained else nullcontext():
        warnings.simplefilter("ignore")
        try:
            try:
                return timm.create_model(name, pretrained=pretrained, img_size=size, **options)
            except TypeError:
                return timm.create_model(name, pretrained=pretrained, **options)
        except TypeError as error:
            given = ", ".join(map(str, config.options))
            raise InvalidInput(f"backbone '{name}' cannot be made with the options {given}: {error}") from error
        except (OSError, RuntimeError) as error:
            if pretrained:
                raise
            raise InvalidInput(f"backbone '{name}' cannot be made: {error}") from error


def _load_weights(network: nn.Module, path: Path, backbone: str) -> None:
    from timm.models import load_checkpoint

    if not path.is_file():
        raise ArtefactError(
            f"weights '{path}': no such file; expected 'pretrained', a start (`nearkin starts`), a run or "
            "model folder of nearkin, or a file of weights"
        )
    try:
        # strict=False forgives the classifier that we leave out, and nothing else: see below.
        outcome = load_checkpoint(network, str(path), strict=False)
    except Exception as error:  # torch and safetensors raise many kinds for a damaged file
        raise ArtefactError(
            f"weights '{path}' cannot be read as weights of '{backbone}': {_trouble(network, path)}"
        ) from error
    if outcome is not None and outcome.missing_keys:
        missing = outcome.missing_keys
        raise ArtefactError(
            f"weights '{path}' do not fit '{backbone}': {len(missing)} tensors are missing, the first is {missing[0]}"
        )


def _trouble(network: nn.Module, path: Path) -> str:
    """Why a file's weights cannot be loaded: a tensor of another shape, or no tensors by name."""
    from timm.models import load_state_dict

    size = path.stat().st_size
    expected = "expected tensors by name, as .safetensors or as torch.save writes a state_dict (.pt, .pth)"
    try:
        theirs, ours = load_state_dict(str(path), device="cpu"), network.state_dict()
        shapes = [
            (name, tuple(theirs[name].shape), tuple(tensor.shape))
            for name, tensor in ours.items()
            if name in theirs and theirs[name].shape != tensor.shape
        ]
    except Exception:  # again
        return f"{expected}; the file, of {size:,} bytes, holds none, or is damaged or cut off"
    if not shapes:
        return f"{expected}, and of this network's shapes"
    name, theirs_is, ours_is = shapes[0]
    return f"{len(shapes)} of its tensors are of another shape, the first is {name}: {theirs_is}, expected {ours_is}"
