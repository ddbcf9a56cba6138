"""Losses: a formula each; a class only where there are weights.

A loss on labels is any callable `(embeddings, labels) -> scalar`, a loss on pairs any `(images, texts) -> scalar`.
`protocol` says what else training may ask of a loss.
"""

from nearkin.losses.arcface import ArcFaceLoss, arcface_loss
from nearkin.losses.batch_hard import batch_hard_triplet_loss
from nearkin.losses.by_name import LOSSES, LabelLoss, build_loss
from nearkin.losses.caption_registry import CAPTION_LOSSES, CaptionLoss, build_caption_loss
from nearkin.losses.center import CenterLoss, center_loss, move_centers_
from nearkin.losses.circle import circle_loss
from nearkin.losses.contrastive import contrastive_loss
from nearkin.losses.cosface import CosFaceLoss, cosface_loss
from nearkin.losses.engine.protocol import set_progress, step_sampled, takes_references, weight_groups
from nearkin.losses.engine.weighted_sum import WeightedSum
from nearkin.losses.info_nce import InfoNCELoss, info_nce_loss
from nearkin.losses.lifted_structure import lifted_structure_loss
from nearkin.losses.multi_similarity import multi_similarity_loss
from nearkin.losses.normalised_softmax import NormalisedSoftmaxLoss, normalised_softmax_loss
from nearkin.losses.nt_xent import nt_xent_loss
from nearkin.losses.proxy_anchor import ProxyAnchorLoss, proxy_anchor_loss
from nearkin.losses.proxy_nca import ProxyNCALoss, proxy_nca_loss
from nearkin.losses.semi_hard import semi_hard_triplet_loss
from nearkin.losses.siglip import SigLIPLoss, siglip_loss
from nearkin.losses.smooth_ap import smooth_ap_loss
from nearkin.losses.softmax import SoftmaxLoss, softmax_loss
from nearkin.losses.sphereface import SphereFaceLoss, sphereface_loss
from nearkin.losses.sphereface_r import SphereFaceRLoss, sphereface_r_loss
from nearkin.losses.supcon import supcon_loss
from nearkin.losses.triplet import triplet_loss
from nearkin.losses.vse import vse_loss

__all__ = [
    "CAPTION_LOSSES",
    "LOSSES",
    "ArcFaceLoss",
    "CaptionLoss",
    "CenterLoss",
    "CosFaceLoss",
    "InfoNCELoss",
    "LabelLoss",
    "NormalisedSoftmaxLoss",
    "ProxyAnchorLoss",
    "ProxyNCALoss",
    "SigLIPLoss",
    "SoftmaxLoss",
    "SphereFaceLoss",
    "SphereFaceRLoss",
    "WeightedSum",
    "arcface_loss",
    "batch_hard_triplet_loss",
    "build_caption_loss",
    "build_loss",
    "center_loss",
    "circle_loss",
    "contrastive_loss",
    "cosface_loss",
    "info_nce_loss",
    "lifted_structure_loss",
    "move_centers_",
    "multi_similarity_loss",
    "normalised_softmax_loss",
    "nt_xent_loss",
    "proxy_anchor_loss",
    "proxy_nca_loss",
    "semi_hard_triplet_loss",
    "set_progress",
    "siglip_loss",
    "smooth_ap_loss",
    "softmax_loss",
    "sphereface_loss",
    "sphereface_r_loss",
    "step_sampled",
    "supcon_loss",
    "takes_references",
    "triplet_loss",
    "vse_loss",
    "weight_groups",
]
