"""Triplet loss over all triplets of a batch, exactly, without listing them."""

from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from nearkin.losses.engine.batch import Reduction, check_batch, check_margin, reduce
from nearkin.losses.engine.by_anchor import Anchors, Terms, sum_by_anchor, widest

# Up to so many positives of an anchor, a pass over its negatives for each is faster than ranking the negatives.
FEW_POSITIVES = 256


def triplet_loss(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int[Tensor, " batch"],
    *,
    margin: float | Literal["soft"] = 0.2,
    reduction: Reduction = "mean_nonzero",
    ref_embeddings: Float[Tensor, "refs dim"] | None = None,
    ref_labels: Int[Tensor, " refs"] | None = None,
) -> Float[Tensor, ""]:
    """Hinge over every triplet of anchor a, positive p and negative n: L = max(0, |a-p|^2 - |a-n|^2 + M).

    The derivative of the sum by |a-p|^2 is the number of negatives that violate the margin with p, and by |a-n|^2 it
    is minus the number of positives that do. So it is enough to count: time O(B^2 (dim + log B)) for B rows, memory
    O(B^2), and the result is exact over all O(B^3) triplets. The soft margin has L = log(1 + exp(|a-p|^2 - |a-n|^2))
    instead, at O(B^2 (dim + P)) with P positives of an anchor.

    Args:
        embeddings: one row per image, of unit length as a rule.
        labels: class ids, any whole numbers; equal ids are positives. There is no id for "no class".
        margin: M, the required gap between squared distances, M > 0; squared distances of unit vectors are 0 to 4. Or
            "soft": every triplet counts, the less the better it is told apart.
        reduction: "mean_nonzero" over the triplets that violate the margin, "mean_all" over all, or "sum".
        ref_embeddings: where positives and negatives come from instead of the batch. It should not hold the batch
            itself, whose rows would be their own positives.
        ref_labels: class ids of the reference set.

    Returns:
        A scalar >= 0; exactly 0, with zero gradient, if no triplet violates, or if there is none: one class only, no
        two images of a class, fewer than three images. A triplet exactly at the margin does not violate it.

    Raises:
        InvalidInput: margin <= 0, lengths that differ, labels that are no whole numbers, NaN in the embeddings.
        UnknownName: no such reduction.

    Example:
        >>> triplet_loss(torch.tensor([[0.0], [2.0], [3.0]]), torch.tensor([5, 5, 9]), margin=0.5)
        tensor(3.5000)

    Source: Schroff et al. 2015, arXiv:1503.03832, eq. 3; the soft margin: Hermans et al. 2017, arXiv:1703.07737,
        section 2.
    """
    batch = check_batch(embeddings, labels, ref_embeddings, ref_labels)
    margin = check_margin(margin)
    terms = _soft if margin == "soft" else partial(_hinge, margin=margin)
    total, nonzero, triplets = sum_by_anchor(batch, terms, "squared_distance")
    return reduce(total, nonzero=nonzero, count=triplets, reduction=reduction)


def _hinge(anchors: Anchors, margin: float) -> Terms | None:
    near, far = anchors.positives, anchors.scores
    triplets = near.numel() * anchors.negatives
    if not triplets:
        return None
    count = count_by_passes if near.shape[1] <= FEW_POSITIVES else count_by_ranks
    by_near, by_far = count(near - margin, far)
    # Each violation adds s_n and M, and takes s_p: the counts weigh the scores. No count is of -inf.
    violating = by_near.sum(dtype=widest(near))
    weighted = far.clamp_(min=torch.finfo(far.dtype).min).mul_(by_far).sum(1) - (near * by_near).sum(1)
    total = weighted.sum(dtype=widest(near)) + margin * violating
    return Terms(total.clamp_(min=0), triplets, by_near.neg_(), by_far, violating)


def _soft(anchors: Anchors) -> Terms | None:
    near, far = anchors.positives, anchors.scores
    triplets = near.numel() * anchors.negatives
    if not triplets:
        return None
    by_near, by_far, total = torch.empty_like(near), torch.zeros_like(far), torch.zeros_like(near[:, 0])
    for column in range(near.shape[1]):
        gap = far - near[:, column, None]
        total += F.softplus(gap, threshold=40).sum(1)
        slope = gap.sigmoid_()
        by_near[:, column] = slope.sum(1).neg_()
        by_far += slope
    return Terms(total.sum(), triplets, by_near, by_far, triplets)


def violation(gap: Tensor, margin: float | Literal["soft"]) -> tuple[Tensor, Tensor]:
    """The loss of each triplet by how much nearer its negative is than its positive, and its derivative."""
    if isinstance(margin, str):
        return F.softplus(gap, threshold=40), gap.sigmoid()
    loss = (gap + margin).relu()
    return loss, (loss > 0).to(loss.dtype)


def count_by_passes(
    hurdles: Float[Tensor, "a p"], scores: Float[Tensor, "a n"]
) -> tuple[Float[Tensor, "a p"], Float[Tensor, "a n"]]:
    """For each hurdle how many scores of its row exceed it, and for each score how many hurdles it exceeds.

    One pass over the scores for each column of hurdles: O(a n p).
    """
    by_hurdle, by_score = torch.empty_like(hurdles), torch.zeros_like(scores)
    above = torch.empty_like(scores)
    for column in range(hurdles.shape[1]):
        torch.gt(scores, hurdles[:, column, None], out=above)
        by_hurdle[:, column] = above.sum(1)
        by_score += above
    return by_hurdle, by_score


def count_by_ranks(
    hurdles: Float[Tensor, "a p"], scores: Float[Tensor, "a n"]
) -> tuple[Float[Tensor, "a p"], Float[Tensor, "a n"]]:
    """The same counts by binary search among the sorted hurdles: O(a (n + p) log p)."""
    ascending = hurdles.sort(1)
    exceeded = torch.searchsorted(ascending.values, scores)
    # A score that exceeds k hurdles exceeds the k lowest.
    exceeding = hurdles.new_zeros(len(hurdles), hurdles.shape[1] + 1)
    exceeding.scatter_add_(1, exceeded, torch.ones_like(scores))
    above = exceeding.flip(1).cumsum(1).flip(1)[:, 1:]
    by_hurdle = torch.empty_like(hurdles).scatter_(1, ascending.indices, above)
    return by_hurdle, exceeded.to(hurdles.dtype)


LOSS = triplet_loss
