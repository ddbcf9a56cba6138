"""Networks of timm with pretrained weights: `timm:resnet50`; or of a file: `timm:resnet50:weights.safetensors`."""

import dataclasses
from typing import Any

from nearkin.data.preprocessing import Preprocessing
from nearkin.encoders.hubs import Library
from nearkin.errors import UnknownName


def load(name: str) -> Any:
    """The encoder: pooled features of the network, without a projection; its weights are saved with it."""
    import timm
    from torch import nn

    from nearkin.encoders.encoder import Encoder
    from nearkin.encoders.image import ImageTower, ImageTowerConfig

    network, _, file = name.partition(":")
    if not timm.is_model(network.split(".")[0]):
        raise UnknownName("network of timm", network, timm.list_models())
    wanted = timm.get_pretrained_cfg(network)
    _, height, width = (3, 224, 224) if wanted is None else wanted.input_size
    tower = ImageTower(ImageTowerConfig(network, 1, height=height, width=width), file or "pretrained")
    dim = tower.count_features()
    tower.projection = nn.Identity()  # type: ignore[assignment]
    tower.config = dataclasses.replace(tower.config, dim=dim, projection=False)
    given: Any = tower.backbone.pretrained_cfg
    preprocessing = Preprocessing(height, width, 3, "crop", tuple(given["mean"]), tuple(given["std"]))
    encoder = Encoder(tower, preprocessing)
    encoder.card = f"# timm:{network}\n\nNot trained further: its pooled features.\n"
    return encoder.eval()


LIBRARY = Library("timm", "timm", "timm", "clip", "a network such as timm:resnet50", load)
