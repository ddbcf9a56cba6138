"""Weights to start from: those of a model of nearkin, of its run or of a file."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from nearkin.data.images import Preprocessing
from nearkin.encoders.artefact import CONFIG, WEIGHTS, locate
from nearkin.errors import ArtefactError

# How the image tower's weights are named in a model of nearkin.
_TOWER = "image."


@dataclass(frozen=True)
class StartingModel:
    """What a model of nearkin says of itself, for a training that starts from it.

    Args:
        folder: of the model.
        backbone: its network.
        options: of the network.
        pooling: of its features.
        preprocessing: how its pictures become pixels.
    """

    folder: Path
    backbone: str
    preprocessing: Preprocessing
    pooling: str
    options: dict[str, Any] = field(default_factory=dict)


def starting_model(weights: str | None) -> StartingModel | None:
    """The model that `weights` names: a run folder, a model folder or the `model.safetensors` in it; else None.

    Raises:
        ArtefactError: a folder without a model, or with a damaged one.
    """
    if weights in (None, "pretrained"):
        return None
    path = Path(str(weights)).expanduser()
    if path.is_dir():
        folder = locate(path)
    elif path.name == WEIGHTS and (path.parent / CONFIG).is_file():
        folder = path.parent
    else:
        return None
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        image = config["image"]
        return StartingModel(
            folder,
            image["backbone"],
            Preprocessing.from_dict(config["preprocessing"]),
            image["pooling"],
            dict(image.get("options") or {}),
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ArtefactError(f"'{folder}' is damaged: {CONFIG} cannot be read: {error}") from error


def image_tower_weights(weights: str) -> dict[str, Tensor] | None:
    """Tensors of an image tower by name ("backbone...", "projection..."); None if the file is not one of nearkin.

    Raises:
        ArtefactError: a model's weights are missing or damaged.
    """
    model = starting_model(weights)
    path = Path(weights).expanduser() if model is None else model.folder / WEIGHTS
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
    return {name.removeprefix(_TOWER): one for name, one in tensors.items() if str(name).startswith(_TOWER)} or None
