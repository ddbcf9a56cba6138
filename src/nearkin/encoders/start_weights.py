"""Weights to start from: those of a start, of a model of nearkin, of its run or of a file."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from nearkin.data.images import Preprocessing
from nearkin.encoders.artefact import CONFIG, WEIGHTS, locate
from nearkin.encoders.starts import STARTS, start_named
from nearkin.errors import ArtefactError, InvalidInput

# How the image tower's weights are named in a model of nearkin.
_TOWER = "image."


@dataclass(frozen=True)
class StartingModel:
    """What a model of nearkin says of itself, for a training that starts from it.

    Args:
        folder: of the model; None of a start by name.
        backbone: its network.
        options: of the network.
        pooling: of its features.
        preprocessing: how its pictures become pixels.
        dim: embedding dimension.
    """

    folder: Path | None
    backbone: str
    preprocessing: Preprocessing
    pooling: str
    dim: int
    options: dict[str, Any] = field(default_factory=dict)


def starting_model(weights: str | None) -> StartingModel | None:
    """The model that `weights` names: a start, a run or model folder or the `model.safetensors` in it; else None.

    Raises:
        ArtefactError: a folder without a model, or with a damaged one.
        MissingDependency: the package of a start is not installed.
        InvalidInput: a start that no image network can be trained from.
    """
    if weights in (None, "pretrained"):
        return None
    if (named := start_named(weights)) is not None:
        if named.backbone is None:
            raise InvalidInput(
                f"start '{named.name}' embeds {named.embeds}, and no network can be trained from it: expected one of "
                f"{', '.join(start.name for start in STARTS.values() if start.backbone)}"
            )
        return _model(named.model().config, None)
    path = Path(str(weights)).expanduser()
    if path.is_dir():
        folder = locate(path)
    elif path.name == WEIGHTS and (path.parent / CONFIG).is_file():
        folder = path.parent
    else:
        return None
    try:
        return _model(json.loads((folder / CONFIG).read_text(encoding="utf-8")), folder)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ArtefactError(f"'{folder}' is damaged: {CONFIG} cannot be read: {error}") from error


def _model(config: dict[str, Any], folder: Path | None) -> StartingModel:
    image = config["image"]
    return StartingModel(
        folder,
        image["backbone"],
        Preprocessing.from_dict(config["preprocessing"]),
        image.get("pooling", "avg"),
        image["dim"],
        dict(image.get("options") or {}),
    )


def image_tower_weights(weights: str) -> dict[str, Tensor] | None:
    """Tensors of an image tower by name ("backbone...", "projection..."); None if the file is not one of nearkin.

    Raises:
        ArtefactError: a model's weights are missing or damaged.
    """
    if (named := start_named(weights)) is not None:
        return _of_tower(named.model().weights)
    model = starting_model(weights)
    path = Path(weights).expanduser() if model is None or model.folder is None else model.folder / WEIGHTS
    if not path.is_file():
        if model is None:
            return None
        raise ArtefactError(f"'{model.folder}' is incomplete: {WEIGHTS} is missing")
    try:
        if path.suffix == ".safetensors":
            tensors = load_file(str(path))
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ArtefactError(f"weights '{path}' cannot be read: {error.strerror or error}") from error
    except Exception as error:  # torch raises many kinds for a file that is none of its own; timm reads others
        if model is None:
            return None
        raise ArtefactError(f"'{model.folder}' is damaged: {WEIGHTS} is no safetensors file") from error
    if not isinstance(tensors, dict):
        return None
    return _of_tower(tensors) or None


def _of_tower(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(_TOWER): one for name, one in tensors.items() if str(name).startswith(_TOWER)}
