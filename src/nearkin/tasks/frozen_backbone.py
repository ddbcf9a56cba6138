"""The backbone of an encoder as it was before training: a baseline."""

import dataclasses

from nearkin.encoders.embedder import Embedder
from nearkin.errors import InvalidInput


def frozen_backbone(encoder: Embedder, weights: str) -> Embedder:
    """The encoder's backbone with the weights it had before it was trained, pooled and not projected.

    Args:
        encoder: whose backbone and preprocessing are taken; one of nearkin's own.
        weights: "pretrained", a start, or a file of weights.

    Raises:
        InvalidInput: the encoder is not one of nearkin's own.
        ArtefactError: the weights are not to be found, or do not fit.
    """
    from nearkin.encoders.encoder import Encoder
    from nearkin.encoders.image import ImageTower

    if not isinstance(encoder, Encoder):
        raise InvalidInput("a frozen backbone as a baseline needs an encoder of nearkin's own: leave out --frozen")
    features = encoder.image.count_features()
    tower = ImageTower(dataclasses.replace(encoder.image.config, dim=features, projection=False), weights)
    return Encoder(tower, dataclasses.replace(encoder.preprocessing)).eval()
