"""Losses: a formula each; a class only where there are weights.

A loss on labels is any callable `(embeddings, labels) -> scalar`, a loss on pairs any `(images, texts) -> scalar`.
`protocol` says what else training may ask of a loss.
"""

from nearkin.losses.contrastive import contrastive_loss
from nearkin.losses.info_nce import InfoNCELoss, info_nce_loss
from nearkin.losses.protocol import set_progress, step_sampled, takes_references, weight_groups
from nearkin.losses.registry import LOSSES, LabelLoss, build_loss
from nearkin.losses.softmax import SoftmaxLoss, softmax_loss
from nearkin.losses.triplet import triplet_loss
from nearkin.losses.weighted_sum import WeightedSum

__all__ = [
    "LOSSES",
    "InfoNCELoss",
    "LabelLoss",
    "SoftmaxLoss",
    "WeightedSum",
    "build_loss",
    "contrastive_loss",
    "info_nce_loss",
    "set_progress",
    "softmax_loss",
    "step_sampled",
    "takes_references",
    "triplet_loss",
    "weight_groups",
]
