"""Generalised lifted structure loss: soft maxima of an anchor's distances to positives and of those to negatives."""

from jaxtyping import Float, Int
from torch import Tensor

from nearkin.losses.engine.batch import check_batch, check_positive
from nearkin.losses.engine.by_anchor import Anchors, Terms, sum_by_anchor
from nearkin.losses.engine.exponential import exponentials_


def lifted_structure_loss(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int[Tensor, " batch"],
    *,
    margin: float = 1.0,
    ref_embeddings: Float[Tensor, "refs dim"] | None = None,
    ref_labels: Int[Tensor, " refs"] | None = None,
) -> Float[Tensor, ""]:
    """The generalised lifted structure loss, the mean over all anchors a with a positive and a negative of

        L = max(0, log sum_p exp(d_ap) + log sum_n exp(M - d_an))

    with d the Euclidean distance.

    Args:
        embeddings: one row per image, of unit length as a rule.
        labels: class ids, any whole numbers; equal ids are positives.
        margin: M > 0; distances of unit vectors are 0 to 2.
        ref_embeddings: where positives and negatives come from instead of the batch.
        ref_labels: class ids of the reference set.

    Returns:
        A scalar >= 0; exactly 0 if no anchor has both a positive and a negative. Equal rows have no gradient between
        them, since no direction leads apart.

    Raises:
        InvalidInput: margin <= 0, lengths that differ, labels that are no whole numbers, NaN in the embeddings.

    Example:
        >>> import torch
        >>> lifted_structure_loss(torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([5, 5, 9]), margin=2.0)
        tensor(0.5000)

    Source: Hermans et al. 2017, arXiv:1703.07737, eq. 8, after Oh Song et al. 2016, arXiv:1511.06452.
    """
    batch = check_batch(embeddings, labels, ref_embeddings, ref_labels)
    margin = check_positive(margin, "margin")

    def terms(anchors: Anchors) -> Terms | None:
        if not anchors.positives.numel() or not anchors.negatives:
            return None
        near, far = (scores.clamp_(max=0).neg_().sqrt_() for scores in anchors[:2])
        near_slope, far_slope = (_root_slope(distances) for distances in (near, far))
        near_top, far_top = near.amax(1, keepdim=True), -far.amin(1, keepdim=True)
        near, near_total = exponentials_(near, near_top, 1.0)
        far, far_total = exponentials_(far.neg_(), far_top, 1.0)
        loss = near_top + near_total.log() + far_top + far_total.log() + margin
        violating = (loss > 0).to(loss.dtype)
        by_near = near.mul_(near_slope).mul_(-violating / near_total)
        by_far = far.mul_(far_slope).mul_(violating / far_total)
        return Terms(loss.clamp(min=0).sum(), len(loss), by_near, by_far)

    total, _, count = sum_by_anchor(batch, terms, "distance")
    return total / max(1, count)


def _root_slope(distances: Tensor) -> Tensor:
    """|d sqrt(s) / ds| = 1 / (2 d); 0 at distance 0."""
    return (2 * distances).reciprocal_().nan_to_num_(posinf=0, neginf=0)


LOSS = lifted_structure_loss
