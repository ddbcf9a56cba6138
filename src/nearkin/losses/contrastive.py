"""Contrastive loss over all pairs of a batch."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nearkin.losses.engine.batch import Reduction, check_batch, check_positive, reduce
from nearkin.losses.engine.by_anchor import Anchors, Terms, sum_by_anchor


def contrastive_loss(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int[Tensor, " batch"],
    *,
    margin: float = 1.0,
    reduction: Reduction = "mean_all",
    ref_embeddings: Float[Tensor, "refs dim"] | None = None,
    ref_labels: Int[Tensor, " refs"] | None = None,
) -> Float[Tensor, ""]:
    """Pull pairs of one class together, push pairs of two classes apart: L = 1/2 (z d^2 + (1-z) max(0, M-d)^2).

    Taken over all pairs i < j of the batch, with d their Euclidean distance and z = 1 if their classes are equal,
    else 0. A negative pair at distance 0 has the loss M^2/2 and no gradient, since no direction leads apart.

    Args:
        embeddings: one row per image, of unit length as a rule.
        labels: class ids, any whole numbers; equal ids are positives. There is no id for "no class".
        margin: M, the distance that negatives are pushed to, M > 0; distances of unit vectors are 0 to 2.
        reduction: "mean_all" over all pairs, "mean_nonzero" over those whose loss is above 0, or "sum".
        ref_embeddings: pair every row of the batch with every row of this set, instead of the batch with itself.
        ref_labels: class ids of the reference set.

    Returns:
        A scalar >= 0; exactly 0 if there is no pair.

    Raises:
        InvalidInput: margin <= 0, lengths that differ, labels that are no whole numbers, NaN in the embeddings.
        UnknownName: no such reduction.

    Example:
        >>> contrastive_loss(torch.tensor([[0.0], [1.0], [1.5]]), torch.tensor([5, 5, 9]), margin=1.0)
        tensor(0.2083)

    Source: Hadsell, Chopra, LeCun 2006, "Dimensionality reduction by learning an invariant mapping", eq. 4, with z
        for their 1 - Y.
    """
    batch = check_batch(embeddings, labels, ref_embeddings, ref_labels)
    margin = check_positive(margin, "margin")
    # Within a batch each pair is met from both ends.
    share = 0.5 if batch.within else 1.0

    def terms(anchors: Anchors) -> Terms:
        pulled = anchors.positives.clamp_(max=0)
        distances = anchors.scores.neg_().sqrt_()
        gap = torch.rsub(distances, margin).clamp_(min=0)
        total = gap.flatten().dot(gap.flatten()) - pulled.sum()
        nonzero = pulled.count_nonzero() + gap.count_nonzero() if reduction == "mean_nonzero" else 0
        # At distance 0 no direction leads apart: the slope gap / d is taken as 0.
        slope = gap.div_(torch.threshold_(distances, 0.0, torch.inf)).mul_(share / 2)
        pairs = pulled.numel() + len(gap) * anchors.negatives
        return Terms(total * (share / 2), pairs, torch.full_like(pulled, -share / 2), slope, nonzero)

    total, nonzero, pairs = sum_by_anchor(batch, terms, "distance_of_negatives")
    return reduce(total, nonzero=nonzero * share, count=pairs * share, reduction=reduction)


LOSS = contrastive_loss
