"""Triplet loss over all triplets of a batch, exactly, without listing them."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nearkin.losses.batch import Reduction, check_batch, check_positive, reduce
from nearkin.losses.distances import sum_over_distances, wide

# Up to so many positives of an anchor, a pass over its negatives for each is faster than ranking the negatives.
FEW_POSITIVES = 256


def triplet_loss(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int[Tensor, " batch"],
    *,
    margin: float = 0.2,
    reduction: Reduction = "mean_nonzero",
    ref_embeddings: Float[Tensor, "refs dim"] | None = None,
    ref_labels: Int[Tensor, " refs"] | None = None,
) -> Float[Tensor, ""]:
    """Hinge over every triplet of anchor a, positive p and negative n: L = max(0, |a-p|^2 - |a-n|^2 + M).

    The derivative of the sum by |a-p|^2 is the number of negatives that violate the margin with p, and by |a-n|^2 it
    is minus the number of positives that do. So it is enough to count: time O(B^2 (dim + log B)) for B rows, memory
    O(B dim), and the result is exact over all O(B^3) triplets.

    Args:
        embeddings: one row per image, of unit length as a rule.
        labels: class ids, any whole numbers; equal ids are positives. There is no id for "no class".
        margin: M, the wanted gap between squared distances, M > 0; squared distances of unit vectors are 0 to 4.
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

    Source: Schroff et al. 2015, arXiv:1503.03832, eq. 3.
    """
    batch = check_batch(embeddings, labels, ref_embeddings, ref_labels)
    margin = check_positive(margin, "margin")
    dtype = wide(batch.anchors.device)
    by_class = batch.ref_labels.sort()
    same = _range_of_class(batch.labels, by_class.values)[1]
    # Anchors with equally many positives share a block, so that classes of unequal size cost no padding.
    order = same.argsort()
    anchor_labels = batch.labels[order]

    def terms(rows: slice, _: slice, distances: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        positives, exists = _members(anchor_labels[rows], by_class.values, by_class.indices)
        if batch.within:
            exists &= positives != order[rows, None]
        hurdles = (distances.gather(1, positives) + margin).masked_fill_(~exists, -torch.inf)
        negatives = distances.scatter(1, positives, torch.inf)
        count = count_by_passes if hurdles.shape[1] <= FEW_POSITIVES else count_by_ranks
        by_positive, by_negative = count(hurdles, negatives)
        violating = by_positive.sum(dtype=dtype)
        slope = by_negative.neg_().scatter_add_(1, positives, by_positive)
        # Each violation adds its |a-p|^2 and M, and takes its |a-n|^2: the counts weigh the distances.
        weighted = torch.mul(slope, distances, out=negatives).sum(1)
        total = weighted.sum(dtype=dtype) + margin * violating
        return total.clamp_(min=0), violating, slope

    total, violating = sum_over_distances(batch.anchors[order], batch.references, terms)
    triplets = ((same - int(batch.within)) * (len(batch.ref_labels) - same)).sum()
    return reduce(total, nonzero=violating, count=triplets, reduction=reduction, dtype=batch.anchors.dtype)


def count_by_passes(
    hurdles: Float[Tensor, "a p"], negatives: Float[Tensor, "a n"]
) -> tuple[Float[Tensor, "a p"], Float[Tensor, "a n"]]:
    """For each hurdle how many negatives of its row lie below it, and for each negative below how many it lies.

    One pass over the negatives for each column of hurdles: O(a n p).

    Args:
        hurdles: distance to a positive plus the margin; -inf where there is none.
        negatives: distances; +inf where there is none.
    """
    by_hurdle, by_negative = torch.empty_like(hurdles), torch.zeros_like(negatives)
    below = torch.empty_like(negatives)
    for column in range(hurdles.shape[1]):
        torch.lt(negatives, hurdles[:, column, None], out=below)
        by_hurdle[:, column] = below.sum(1)
        by_negative += below
    return by_hurdle, by_negative


def count_by_ranks(
    hurdles: Float[Tensor, "a p"], negatives: Float[Tensor, "a n"]
) -> tuple[Float[Tensor, "a p"], Float[Tensor, "a n"]]:
    """The same counts by binary search among the sorted hurdles: O(a (n + p) log p)."""
    ascending = hurdles.sort(1)
    # How many hurdles of the row a negative reaches; it lies below the others, the higher ones.
    reached = torch.searchsorted(ascending.values, negatives, right=True)
    by_negative = (hurdles.shape[1] - reached).to(hurdles.dtype)
    reaching = hurdles.new_zeros(len(hurdles), hurdles.shape[1] + 1)
    reaching.scatter_add_(1, reached, torch.ones_like(negatives))
    by_hurdle = torch.empty_like(hurdles).scatter_(1, ascending.indices, reaching[:, :-1].cumsum(1))
    return by_hurdle, by_negative


def _range_of_class(labels: Tensor, sorted_labels: Tensor) -> tuple[Tensor, Tensor]:
    """Where each class begins among the sorted labels, and how many members it has there."""
    first = torch.searchsorted(sorted_labels, labels)
    return first, torch.searchsorted(sorted_labels, labels, right=True) - first


def _members(
    labels: Int[Tensor, " a"], sorted_labels: Int[Tensor, " r"], places: Int[Tensor, " r"]
) -> tuple[Int[Tensor, "a p"], Bool[Tensor, "a p"]]:
    """The references of each anchor's class, and which of them exist.

    Shorter lists are filled up with their last member; so every one listed is of the anchor's class, but for anchors
    whose class has no reference.
    """
    first, count = _range_of_class(labels, sorted_labels)
    slot = torch.arange(int(count.max()), device=labels.device)
    listed = torch.minimum(first[:, None] + slot, (first + count - 1).clamp_(min=0)[:, None])
    return places[listed], slot < count[:, None]
