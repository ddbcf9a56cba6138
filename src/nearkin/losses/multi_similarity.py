"""Multi-similarity loss: soft maxima over an anchor's positives and over its negatives."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nearkin.losses.engine.batch import check_batch, check_finite, check_positive
from nearkin.losses.engine.by_anchor import Anchors, Terms, sum_by_anchor
from nearkin.losses.engine.exponential import exponentials_


def multi_similarity_loss(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int[Tensor, " batch"],
    *,
    alpha: float = 2.0,
    beta: float = 5.0,
    base: float = 0.5,
    ref_embeddings: Float[Tensor, "refs dim"] | None = None,
    ref_labels: Int[Tensor, " refs"] | None = None,
) -> Float[Tensor, ""]:
    """Positives are to be more alike than lambda, negatives less, the worst first; the mean over all anchors a of

        L = 1/alpha log(1 + sum_p exp(-alpha (s_ap - lambda))) + 1/beta log(1 + sum_n exp(beta (s_an - lambda)))

    with s the dot product, which is the cosine of unit vectors. All pairs count; the paper also leaves out the easy
    ones beforehand (eq. 11 and 12), which add next to nothing here.

    Args:
        embeddings: one row per image, of unit length as a rule.
        labels: class ids, any whole numbers; equal ids are positives.
        alpha: sharpness over positives, > 0.
        beta: sharpness over negatives, > 0. The paper has 50, for pretrained networks; from scratch that collapses.
        base: lambda, the similarity that parts positives from negatives.
        ref_embeddings: where positives and negatives come from instead of the batch.
        ref_labels: class ids of the reference set.

    Returns:
        A scalar >= 0; an anchor without positives, or without negatives, has only the other half.

    Raises:
        InvalidInput: alpha or beta <= 0, base not finite, lengths that differ, labels that are no whole numbers, NaN
            in the embeddings.

    Example:
        >>> multi_similarity_loss(torch.eye(2), torch.tensor([0, 0]), alpha=2.0, base=0.5)
        tensor(0.6566)

    Source: Wang et al. 2019, arXiv:1904.06627, eq. 15.
    """
    batch = check_batch(embeddings, labels, ref_embeddings, ref_labels)
    alpha, beta = check_positive(alpha, "alpha"), check_positive(beta, "beta")
    base = check_finite(base, "base")

    def terms(anchors: Anchors) -> Terms:
        # Towards positives all is mirrored: the less alike, the worse.
        near_loss, by_near = _soft_maximum(-anchors.positives, -base, alpha)
        far_loss, by_far = _soft_maximum(anchors.scores, base, beta)
        return Terms(near_loss.sum() + far_loss.sum(), len(by_far), -by_near, by_far)

    total, _, count = sum_by_anchor(batch, terms)
    return total / max(1, count)


def _soft_maximum(scores: Tensor, base: float, scale: float) -> tuple[Tensor, Tensor]:
    """1/k log(1 + sum exp(k (s - base))) of each row, and its derivative by each score, in place."""
    if not scores.numel():
        return scores, scores
    top = scores.amax(1, keepdim=True).clamp_(min=base)
    weights, total = exponentials_(scores, top, scale)
    total += torch.exp(scale * (base - top))
    return top - base + total.log() / scale, weights.div_(total)


LOSS = multi_similarity_loss
