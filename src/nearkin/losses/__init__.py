"""Losses: a formula each; a class only where there are weights.

A loss on labels is any callable `(embeddings, labels) -> scalar`, a loss on pairs any `(images, texts) -> scalar`.
"""

from nearkin.losses.batch_hard import batch_hard_triplet_loss
from nearkin.losses.caption_registry import CAPTION_LOSSES, CaptionLoss, build_caption_loss
from nearkin.losses.circle import circle_loss
from nearkin.losses.contrastive import contrastive_loss
from nearkin.losses.info_nce import InfoNCELoss, info_nce_loss
from nearkin.losses.lifted_structure import lifted_structure_loss
from nearkin.losses.multi_similarity import multi_similarity_loss
from nearkin.losses.nt_xent import nt_xent_loss
from nearkin.losses.registry import LOSSES, LabelLoss, build_loss
from nearkin.losses.semi_hard import semi_hard_triplet_loss
from nearkin.losses.siglip import SigLIPLoss, siglip_loss
from nearkin.losses.smooth_ap import smooth_ap_loss
from nearkin.losses.softmax import SoftmaxLoss, softmax_loss
from nearkin.losses.supcon import supcon_loss
from nearkin.losses.triplet import triplet_loss
from nearkin.losses.vse import vse_loss

__all__ = [
    "CAPTION_LOSSES",
    "LOSSES",
    "CaptionLoss",
    "InfoNCELoss",
    "LabelLoss",
    "SigLIPLoss",
    "SoftmaxLoss",
    "batch_hard_triplet_loss",
    "build_caption_loss",
    "build_loss",
    "circle_loss",
    "contrastive_loss",
    "info_nce_loss",
    "lifted_structure_loss",
    "multi_similarity_loss",
    "nt_xent_loss",
    "semi_hard_triplet_loss",
    "siglip_loss",
    "smooth_ap_loss",
    "softmax_loss",
    "supcon_loss",
    "triplet_loss",
    "vse_loss",
]
