"""Circle loss: each similarity is weighed by how far it is from its optimum."""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from nearkin.losses.engine.batch import check_batch, check_finite, check_positive
from nearkin.losses.engine.by_anchor import Anchors, Terms, sum_by_anchor
from nearkin.losses.engine.exponential import exponentials_


def circle_loss(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int[Tensor, " batch"],
    *,
    m: float = 0.4,
    gamma: float = 8.0,
    ref_embeddings: Float[Tensor, "refs dim"] | None = None,
    ref_labels: Int[Tensor, " refs"] | None = None,
) -> Float[Tensor, ""]:
    """Circle loss over the pairs of each anchor a, the mean over all anchors with a positive and a negative of

        L = log(1 + sum_n exp(gamma a_n (s_an - m)) sum_p exp(-gamma a_p (s_ap - (1 - m))))
        a_n = max(0, s_an + m),  a_p = max(0, 1 + m - s_ap)

    with s the dot product, which is the cosine of unit vectors. The weights a_n and a_p are constants of the
    gradient, as in the paper: a pair is pulled in proportion to its weight.

    Args:
        embeddings: one row per image, of unit length as a rule.
        labels: class ids, any whole numbers; equal ids are positives.
        m: relaxation; positives are to reach 1 - m, negatives m. The paper has 0.25 for faces and persons, 0.4 for
            fine-grained images.
        gamma: scale, > 0. The paper has 256 for faces, 128 for persons, 80 for fine-grained images;
            networks from scratch collapse at such.
        ref_embeddings: where positives and negatives come from instead of the batch.
        ref_labels: class ids of the reference set.

    Returns:
        A scalar >= 0; exactly 0 if no anchor has both a positive and a negative.

    Raises:
        InvalidInput: gamma <= 0, m not finite, lengths that differ, labels that are no whole numbers, NaN in the
            embeddings.

    Example:
        >>> import torch
        >>> circle_loss(torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]), torch.tensor([0, 0, 1]), gamma=1.0)
        tensor(0.7890)

    Source: Sun et al. 2020, arXiv:2002.10857, eq. 6; the gradient, eq. 10.
    """
    batch = check_batch(embeddings, labels, ref_embeddings, ref_labels)
    m, gamma = check_finite(m, "m"), check_positive(gamma, "gamma")

    def terms(anchors: Anchors) -> Terms | None:
        near, far = anchors.positives, anchors.scores
        if not near.numel() or not anchors.negatives:
            return None
        near_weight = (1 + m - near).clamp_(min=0)
        far_weight = (far + m).clamp_(min=0)
        # Where there is no negative, 0 times -inf.
        far = far.sub_(m).mul_(far_weight).nan_to_num_(nan=-float("inf"))
        near = (near - (1 - m)).mul_(near_weight).neg_()
        far_top, near_top = far.amax(1, keepdim=True), near.amax(1, keepdim=True)
        far, far_total = exponentials_(far, far_top, gamma)
        near, near_total = exponentials_(near, near_top, gamma)
        exponent = gamma * (far_top + near_top) + far_total.log() + near_total.log()
        slope = gamma * exponent.sigmoid()
        by_near = near.mul_(near_weight).mul_(-slope / near_total)
        by_far = far.mul_(far_weight).mul_(slope / far_total)
        return Terms(F.softplus(exponent, threshold=40).sum(), len(far), by_near, by_far)

    total, _, count = sum_by_anchor(batch, terms)
    return total / max(1, count)


LOSS = circle_loss
