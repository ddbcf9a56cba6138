"""Losses: a formula each; a class only where there are weights.

A loss on labels is any callable `(embeddings, labels) -> scalar`, a loss on pairs any `(images, texts) -> scalar`.
"""

from nearkin.losses.contrastive import contrastive_loss
from nearkin.losses.info_nce import InfoNCELoss, info_nce_loss
from nearkin.losses.registry import LOSSES, LabelLoss, build_loss
from nearkin.losses.softmax import SoftmaxLoss, softmax_loss
from nearkin.losses.triplet import triplet_loss

__all__ = [
    "LOSSES",
    "InfoNCELoss",
    "LabelLoss",
    "SoftmaxLoss",
    "build_loss",
    "contrastive_loss",
    "info_nce_loss",
    "softmax_loss",
    "triplet_loss",
]
