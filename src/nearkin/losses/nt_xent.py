"""NT-Xent: each positive is to outdo all negatives of its anchor."""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from nearkin.losses.engine.batch import check_batch, check_positive
from nearkin.losses.engine.by_anchor import Anchors, Terms, sum_by_anchor
from nearkin.losses.engine.exponential import exponentials_


def nt_xent_loss(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int[Tensor, " batch"],
    *,
    temperature: float = 0.07,
    ref_embeddings: Float[Tensor, "refs dim"] | None = None,
    ref_labels: Int[Tensor, " refs"] | None = None,
) -> Float[Tensor, ""]:
    """Normalised, temperature-scaled cross-entropy, the mean over all pairs of anchor a and positive p of

        L = -log( exp(s_ap / T) / (exp(s_ap / T) + sum_n exp(s_an / T)) )

    with s the dot product, which is the cosine of unit vectors, and n the negatives of a. Other positives of the
    anchor do not compete (in `supcon_loss` they do); with two images of each class the two losses are the same.

    Args:
        embeddings: one row per image, of unit length as a rule.
        labels: class ids, any whole numbers; equal ids are positives. Views of one image without a class get its
            number as their label, as in SimCLR.
        temperature: T > 0.
        ref_embeddings: where positives and negatives come from instead of the batch.
        ref_labels: class ids of the reference set.

    Returns:
        A scalar >= 0; exactly 0 if there is no positive pair, or no negative.

    Raises:
        InvalidInput: T <= 0, lengths that differ, labels that are no whole numbers, NaN in the embeddings.

    Example:
        >>> import torch
        >>> nt_xent_loss(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]), torch.tensor([0, 0, 1]), temperature=1.0)
        tensor(1.0032)

    Source: Chen et al. 2020, arXiv:2002.05709, eq. 1; without the temperature, Sohn 2016, "Improved deep metric
        learning with multi-class N-pair loss objective", eq. 3.
    """
    batch = check_batch(embeddings, labels, ref_embeddings, ref_labels)
    temperature = check_positive(temperature, "temperature")

    def terms(anchors: Anchors) -> Terms | None:
        near, far = anchors.positives / temperature, anchors.scores
        if not near.numel() or not anchors.negatives:
            return None
        top = far.amax(1, keepdim=True)
        weights, total = exponentials_(far, top, 1 / temperature)
        gap = top / temperature + total.log() - near
        by_gap = gap.sigmoid() / temperature
        by_far = weights.mul_(by_gap.sum(1, keepdim=True) / total)
        return Terms(F.softplus(gap, threshold=40).sum(), near.numel(), -by_gap, by_far)

    total, _, pairs = sum_by_anchor(batch, terms)
    return total / max(1, pairs)


LOSS = nt_xent_loss
