"""Smooth-AP: average precision with a sigmoid in place of each comparison."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nearkin.losses.engine.batch import check_batch, check_positive
from nearkin.losses.engine.by_anchor import Anchors, Terms, sum_by_anchor


def smooth_ap_loss(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int[Tensor, " batch"],
    *,
    temperature: float = 0.04,
    ref_embeddings: Float[Tensor, "refs dim"] | None = None,
    ref_labels: Int[Tensor, " refs"] | None = None,
) -> Float[Tensor, ""]:
    """One minus the smoothed average precision, the mean over all anchors a with a positive and a negative of

        L = 1 - 1/|P| sum_p (1 + sum_q g(s_aq - s_ap)) / (1 + sum_q g(s_aq - s_ap) + sum_n g(s_an - s_ap))
        g(x) = 1 / (1 + exp(-x / T))

    with s the dot product, which is the cosine of unit vectors, P the positives of a, q those other than p, n the
    negatives: the rank of p among the positives over its rank among all. The anchor is no answer to itself. Time
    O(B^2 (dim + P)), memory O(B^2).

    Args:
        embeddings: one row per image, of unit length as a rule.
        labels: class ids, any whole numbers; equal ids are positives.
        temperature: T > 0, 0.01 in the paper; as it falls to 0 the loss becomes 1 - average precision, and its
            gradient 0.
        ref_embeddings: where positives and negatives come from instead of the batch.
        ref_labels: class ids of the reference set.

    Returns:
        A scalar in [0, 1]; exactly 0 if no anchor has both a positive and a negative.

    Raises:
        InvalidInput: T <= 0, lengths that differ, labels that are no whole numbers, NaN in the embeddings.

    Example:
        >>> smooth_ap_loss(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]), torch.tensor([0, 0, 1]))
        tensor(0.5000)

    Source: Brown et al. 2020, arXiv:2007.12163, eq. 6.
    """
    batch = check_batch(embeddings, labels, ref_embeddings, ref_labels)
    temperature = check_positive(temperature, "temperature")

    def terms(anchors: Anchors) -> Terms | None:
        near, far = anchors.positives / temperature, anchors.scores.div_(temperature)
        answers = near.shape[1]
        if not near.numel() or not anchors.negatives:
            return None
        by_far, outdone, slope = torch.zeros_like(far), torch.empty_like(far), torch.empty_like(far)
        by_near = torch.zeros_like(near)
        precision = near.new_zeros(len(near), 1)
        for column in range(answers):
            own = near[:, column, None]
            torch.sub(far, own, out=outdone).sigmoid_()
            among = (near - own).sigmoid_()
            among[:, column] = 0
            positive_rank = 1 + among.sum(1, keepdim=True)
            rank = positive_rank + outdone.sum(1, keepdim=True)
            precision += positive_rank / rank
            # The loss falls with the rank among positives, rises with that among all.
            share = 1 / (answers * temperature * rank)
            by_outdone = torch.addcmul(outdone, outdone, outdone, value=-1, out=slope).mul_(
                share * positive_rank / rank
            )
            by_among = among * (1 - among) * share * (positive_rank / rank - 1)
            by_far += by_outdone
            by_near += by_among
            by_near[:, column] -= by_outdone.sum(1) + by_among.sum(1)
        loss = len(near) - precision.sum() / answers
        return Terms(loss, len(near), by_near, by_far)

    total, _, count = sum_by_anchor(batch, terms)
    return total / max(1, count)


LOSS = smooth_ap_loss
