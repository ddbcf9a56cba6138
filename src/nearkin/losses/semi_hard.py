"""Semi-hard triplets: for each positive pair, the nearest negative that is further off."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nearkin.losses.batch import Reduction, check_batch, check_margin, reduce
from nearkin.losses.by_anchor import Anchors, Terms, sum_by_anchor
from nearkin.losses.triplet import violation


def semi_hard_triplet_loss(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int[Tensor, " batch"],
    *,
    margin: float | Literal["soft"] = 0.2,
    reduction: Reduction = "mean_all",
    ref_embeddings: Float[Tensor, "refs dim"] | None = None,
    ref_labels: Int[Tensor, " refs"] | None = None,
) -> Float[Tensor, ""]:
    """Triplet loss over all positive pairs, each with its semi-hard negative: L = max(0, |a-p|^2 - |a-n|^2 + M).

    The negative n of the pair (a, p) is the nearest to a of those that are further off than p. If none is, it is the
    furthest of all. The soft margin has L = log(1 + exp(|a-p|^2 - |a-n|^2)) instead.

    Args:
        embeddings: one row per image, of unit length as a rule.
        labels: class ids, any whole numbers; equal ids are positives.
        margin: M, the wanted gap between squared distances, M > 0, or "soft".
        reduction: "mean_all" over all positive pairs, "mean_nonzero" over those whose loss is above 0, or "sum".
        ref_embeddings: where positives and negatives come from instead of the batch.
        ref_labels: class ids of the reference set.

    Returns:
        A scalar >= 0; exactly 0 if there is no positive pair, or no negative.

    Raises:
        InvalidInput: margin <= 0, lengths that differ, labels that are no whole numbers, NaN in the embeddings.
        UnknownName: no such reduction.

    Example:
        >>> semi_hard_triplet_loss(
        ...     torch.tensor([[0.0], [2.0], [3.0], [-1.0]]), torch.tensor([5, 5, 9, 9]), margin=2.0, reduction="sum"
        ... )
        tensor(18.)

    Source: Schroff et al. 2015, arXiv:1503.03832, eq. 4 and the paragraph around it. It leaves open what to do where
        no negative is further off.
    """
    batch = check_batch(embeddings, labels, ref_embeddings, ref_labels)
    margin = check_margin(margin)

    def terms(anchors: Anchors) -> Terms | None:
        near, far = anchors.positives, anchors.scores
        if not near.numel() or not anchors.negatives:
            return None
        by_near, by_far = torch.empty_like(near), torch.zeros_like(far)
        total, nonzero = torch.zeros_like(near[0, 0]), 0
        for column in range(near.shape[1]):
            score, chosen = semi_hard_negative(near[:, column, None], far)
            loss, slope = violation(score - near[:, column, None], margin)
            total, nonzero = total + loss.sum(), nonzero + slope.count_nonzero()
            by_near[:, column] = -slope[:, 0]
            by_far.scatter_add_(1, chosen, slope)
        return Terms(total, near.numel(), by_near, by_far, nonzero)

    total, nonzero, pairs = sum_by_anchor(batch, terms, "squared_distance")
    return reduce(total, nonzero=nonzero, count=pairs, reduction=reduction)


def semi_hard_negative(
    near: Float[Tensor, "a 1"], far: Float[Tensor, "a r"]
) -> tuple[Float[Tensor, "a 1"], Int[Tensor, "a 1"]]:
    """The highest score below that of the positive, or else the lowest; and where it stands. -inf is none."""
    too_near = (far >= near).to(far.dtype)
    score, chosen = torch.add(far, too_near, alpha=torch.finfo(far.dtype).min, out=too_near).max(1, keepdim=True)
    missing = score < torch.finfo(far.dtype).min / 2
    if missing.any():
        furthest = far.masked_fill(far.isneginf(), torch.inf).min(1, keepdim=True)
        score, chosen = torch.where(missing, furthest.values, score), torch.where(missing, furthest.indices, chosen)
    return score, chosen
