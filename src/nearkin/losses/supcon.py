"""SupCon: the positives of an anchor share the softmax over all others of the batch."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nearkin.losses.engine.batch import check_batch, check_positive
from nearkin.losses.engine.by_anchor import Anchors, Terms, sum_by_anchor
from nearkin.losses.engine.exponential import exponentials_


def supcon_loss(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int[Tensor, " batch"],
    *,
    temperature: float = 0.1,
    ref_embeddings: Float[Tensor, "refs dim"] | None = None,
    ref_labels: Int[Tensor, " refs"] | None = None,
) -> Float[Tensor, ""]:
    """Supervised contrastive loss, the mean over all anchors a with a positive of

        L = -1/|P| sum_p log( exp(s_ap / T) / sum_r exp(s_ar / T) )

    with s the dot product, which is the cosine of unit vectors, P the positives of a, and r all rows but a itself,
    positives and negatives.

    Args:
        embeddings: one row per image, of unit length as a rule.
        labels: class ids, any whole numbers; equal ids are positives.
        temperature: T > 0.
        ref_embeddings: where positives and negatives come from instead of the batch.
        ref_labels: class ids of the reference set.

    Returns:
        A scalar >= 0; exactly 0 if no anchor has a positive. With one class only it is not 0: the positives compete.

    Raises:
        InvalidInput: T <= 0, lengths that differ, labels that are no whole numbers, NaN in the embeddings.

    Example:
        >>> supcon_loss(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]), torch.tensor([0, 0, 1]), temperature=1.0)
        tensor(1.0032)

    Source: Khosla et al. 2020, arXiv:2004.11362, eq. 2, the mean over anchors for their sum.
    """
    batch = check_batch(embeddings, labels, ref_embeddings, ref_labels)
    temperature = check_positive(temperature, "temperature")

    def terms(anchors: Anchors) -> Terms | None:
        near, far = anchors.positives, anchors.scores
        if not near.numel():
            return None
        top = torch.maximum(near.amax(1, keepdim=True), far.amax(1, keepdim=True))
        mean = near.mean(1, keepdim=True)
        far_weights, far_total = exponentials_(far, top, 1 / temperature)
        near_weights, near_total = exponentials_(near, top, 1 / temperature)
        total = far_total + near_total
        loss = (top - mean) / temperature + total.log()
        share = 1 / (temperature * total)
        by_near = near_weights * share - 1 / (temperature * near.shape[1])
        return Terms(loss.sum(), len(loss), by_near, far_weights.mul_(share))

    total, _, count = sum_by_anchor(batch, terms)
    return total / max(1, count)


LOSS = supcon_loss
