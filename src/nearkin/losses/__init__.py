"""Losses: a formula each; a class only where there are weights.

A loss on labels is any callable `(embeddings, labels) -> scalar`, a loss on pairs any `(images, texts) -> scalar`.
`protocol` says what else training may ask of a loss.
"""

from nearkin.losses.arcface import ArcFaceLoss, arcface_loss
from nearkin.losses.center import CenterLoss, center_loss, move_centers_
from nearkin.losses.contrastive import contrastive_loss
from nearkin.losses.cosface import CosFaceLoss, cosface_loss
from nearkin.losses.info_nce import InfoNCELoss, info_nce_loss
from nearkin.losses.normalised_softmax import NormalisedSoftmaxLoss, normalised_softmax_loss
from nearkin.losses.protocol import set_progress, step_sampled, takes_references, weight_groups
from nearkin.losses.proxy_anchor import ProxyAnchorLoss, proxy_anchor_loss
from nearkin.losses.proxy_nca import ProxyNCALoss, proxy_nca_loss
from nearkin.losses.registry import LOSSES, LabelLoss, build_loss
from nearkin.losses.softmax import SoftmaxLoss, softmax_loss
from nearkin.losses.sphereface import SphereFaceLoss, sphereface_loss
from nearkin.losses.sphereface_r import SphereFaceRLoss, sphereface_r_loss
from nearkin.losses.triplet import triplet_loss
from nearkin.losses.weighted_sum import WeightedSum

__all__ = [
    "LOSSES",
    "ArcFaceLoss",
    "CenterLoss",
    "CosFaceLoss",
    "InfoNCELoss",
    "LabelLoss",
    "NormalisedSoftmaxLoss",
    "ProxyAnchorLoss",
    "ProxyNCALoss",
    "SoftmaxLoss",
    "SphereFaceLoss",
    "SphereFaceRLoss",
    "WeightedSum",
    "arcface_loss",
    "build_loss",
    "center_loss",
    "contrastive_loss",
    "cosface_loss",
    "info_nce_loss",
    "move_centers_",
    "normalised_softmax_loss",
    "proxy_anchor_loss",
    "proxy_nca_loss",
    "set_progress",
    "softmax_loss",
    "sphereface_loss",
    "sphereface_r_loss",
    "step_sampled",
    "takes_references",
    "triplet_loss",
    "weight_groups",
]
