"""Batch-hard triplets: for each anchor its furthest positive and its nearest negative."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.linalg import vector_norm

from nearkin.losses.engine.batch import Comparison, Reduction, check_batch, check_margin, full_precision, reduce
from nearkin.losses.engine.by_anchor import Score, anchors_by_block, centred, class_layout, highest, too_near
from nearkin.losses.triplet import violation


def batch_hard_triplet_loss(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int[Tensor, " batch"],
    *,
    margin: float | Literal["soft"] = "soft",
    reduction: Reduction = "mean_all",
    ref_embeddings: Float[Tensor, "refs dim"] | None = None,
    ref_labels: Int[Tensor, " refs"] | None = None,
) -> Float[Tensor, ""]:
    """Triplet loss over each anchor's hardest positive p and hardest negative n: L = max(0, M + d_ap - d_an).

    Here d is the Euclidean distance, not squared; p is the furthest of the anchor's class, n the nearest of another.
    The soft margin has L = log(1 + exp(d_ap - d_an)) instead: it pulls on after the margin is reached.

    Args:
        embeddings: one row per image, of unit length as a rule.
        labels: class ids, any whole numbers; equal ids are positives.
        margin: M, the required gap between distances, M > 0, or "soft"; distances of unit vectors are 0 to 2.
        reduction: "mean_all" over all anchors with a positive and a negative, "mean_nonzero" over those whose loss is
            above 0, or "sum".
        ref_embeddings: where positives and negatives come from instead of the batch.
        ref_labels: class ids of the reference set.

    Returns:
        A scalar >= 0; exactly 0 if no anchor has both a positive and a negative. Equal rows have no gradient between
        them, since no direction leads apart.

    Raises:
        InvalidInput: margin <= 0, lengths that differ, labels that are no whole numbers, NaN in the embeddings.
        UnknownName: no such reduction.

    Example:
        >>> batch_hard_triplet_loss(torch.tensor([[0.0], [2.0], [3.0]]), torch.tensor([5, 5, 9]), margin=0.5)
        tensor(0.7500)

    Source: Hermans et al. 2017, arXiv:1703.07737, eq. 5.
    """
    batch = check_batch(embeddings, labels, ref_embeddings, ref_labels)
    margin = check_margin(margin)
    anchors, positives, negatives = hardest(batch)
    x, y = batch.anchors, batch.references
    to_positive, to_negative = vector_norm(x[anchors] - y[torch.stack([positives, negatives])], dim=2)
    loss, slope = violation(to_positive - to_negative, margin)
    return reduce(loss.sum(), nonzero=slope.count_nonzero(), count=len(loss), reduction=reduction)


@torch.no_grad()
def hardest(batch: Comparison) -> tuple[Int[Tensor, " t"], Int[Tensor, " t"], Int[Tensor, " t"]]:
    """Each anchor that has both, its furthest positive and its nearest negative: three lists of rows."""
    with full_precision(batch.anchors.device):
        x, y = batch.anchors, batch.references
        found = _hardest(x, y, batch) or _hardest(x.double(), y.double(), batch)
        assert found is not None, "float64 is exact enough"
        return found


def _hardest(x: Tensor, y: Tensor, batch: Comparison) -> tuple[Tensor, Tensor, Tensor] | None:
    score: Score = "distance_of_negatives"
    layout = class_layout(batch)
    x, y = centred(x[layout.anchors], y[layout.references], score)
    limit = too_near(x, y, score)
    triplets = [x.new_empty(3, 0, dtype=torch.int64)]
    for rows, positives, anchors in anchors_by_block(x, y, layout, score):
        if limit is not None and highest(anchors, score) > limit:
            return None
        if not anchors.positives.numel() or not anchors.negatives:
            continue
        furthest = positives.gather(1, anchors.positives.argmin(1, keepdim=True))[:, 0]
        nearest = anchors.scores.argmax(1)
        triplets.append(torch.stack([layout.anchors[rows], layout.references[furthest], layout.references[nearest]]))
    anchor, positive, negative = torch.cat(triplets, 1)
    return anchor, positive, negative


LOSS = batch_hard_triplet_loss
