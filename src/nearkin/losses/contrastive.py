"""Contrastive loss over all pairs of a batch."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nearkin.losses.batch import Reduction, check_batch, check_positive, reduce
from nearkin.losses.distances import sum_over_distances, wide


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
    dtype = wide(batch.anchors.device)

    def terms(rows: slice, columns: slice, squared: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        same = batch.labels[rows, None] == batch.ref_labels[columns]
        distances = squared.sqrt()
        pulled = squared.mul_(same)
        gap = (margin - distances).clamp_(min=0).masked_fill_(same, 0)
        # At distance 0 no direction leads apart: the slope gap / d is taken as 0.
        slope = (gap / distances.masked_fill_(distances == 0, torch.inf)).mul_(-0.5).masked_fill_(same, 0.5)
        if batch.within:
            pulled, gap, slope = pulled.triu_(1), gap.triu_(1), slope.triu_(1)
        total = (pulled.sum() + gap.flatten().dot(gap.flatten())) / 2
        return total, pulled.count_nonzero() + gap.count_nonzero(), slope

    # In float64, because the slope of a negative grows as 1/d where d is small.
    anchors, references = batch.anchors.to(dtype), batch.references.to(dtype)
    total, nonzero = sum_over_distances(anchors, anchors if batch.within else references, terms, symmetric=batch.within)
    count = len(anchors)
    pairs = count * (count - 1) / 2 if batch.within else count * len(references)
    return reduce(total, nonzero=nonzero, count=pairs, reduction=reduction, dtype=batch.anchors.dtype)
