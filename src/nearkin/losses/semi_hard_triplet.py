"""Semi-hard triplets: for each positive pair, the nearest negative that is further off."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nearkin.losses.engine.batch import Reduction, check_batch, check_margin, reduce
from nearkin.losses.engine.by_anchor import Anchors, Terms, sum_by_anchor
from nearkin.losses.triplet import violation

# Up to so many positives of an anchor, a pass over its negatives for each is faster than ranking the negatives.
FEW_POSITIVES = 32


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
        margin: M, the required gap between squared distances, M > 0, or "soft".
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
        choose = nearest_beyond_by_passes if near.shape[1] <= FEW_POSITIVES else nearest_beyond_by_ranks
        score, chosen = choose(near, far, anchors.negatives)
        loss, slope = violation(score - near, margin)
        by_far = torch.zeros_like(far).scatter_add_(1, chosen, slope)
        return Terms(loss.sum(), near.numel(), -slope, by_far, slope.count_nonzero())

    total, nonzero, pairs = sum_by_anchor(batch, terms, "squared_distance")
    return reduce(total, nonzero=nonzero, count=pairs, reduction=reduction)


def nearest_beyond_by_passes(
    near: Float[Tensor, "a p"], far: Float[Tensor, "a r"], negatives: int
) -> tuple[Float[Tensor, "a p"], Int[Tensor, "a p"]]:
    """For each positive the highest score below its own, or else the lowest; and where it stands. -inf is none.

    One pass over the scores for each column of positives: O(a r p).
    """
    lowest = torch.finfo(far.dtype).min
    score, chosen = torch.empty_like(near), torch.empty_like(near, dtype=torch.int64)
    buffer = torch.empty_like(far)
    for column in range(near.shape[1]):
        torch.ge(far, near[:, column, None], out=buffer)
        # What is not beyond the positive sinks below everything.
        torch.add(far, buffer, alpha=lowest, out=buffer)
        score[:, column], chosen[:, column] = buffer.max(1)
    missing = score <= lowest / 2
    if missing.any():
        furthest = far.masked_fill(far.isneginf(), torch.inf).min(1, keepdim=True)
        score, chosen = torch.where(missing, furthest.values, score), torch.where(missing, furthest.indices, chosen)
    return score, chosen


def nearest_beyond_by_ranks(
    near: Float[Tensor, "a p"], far: Float[Tensor, "a r"], negatives: int
) -> tuple[Float[Tensor, "a p"], Int[Tensor, "a p"]]:
    """The same by binary search among the sorted scores: O(a (r + p) log r)."""
    descending = far.sort(1, descending=True)
    # Those that are none come last.
    position = torch.searchsorted(-descending.values, -near, right=True).clamp_(max=negatives - 1)
    return descending.values.gather(1, position), descending.indices.gather(1, position)


LOSS = semi_hard_triplet_loss
