"""Proxy-anchor: each proxy is an anchor, the whole batch its positives and negatives."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nearkin.losses.engine.batch import check_between, check_positive
from nearkin.losses.engine.class_weight_loss import ClassWeightLoss
from nearkin.losses.engine.closed_form import closed_form
from nearkin.losses.engine.unit_rows import check_class_batch, row_blocks, through_unit_rows, unit_rows


def proxy_anchor_loss(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int[Tensor, " batch"],
    proxies: Float[Tensor, "classes dim"],
    *,
    alpha: float = 16.0,
    margin: float = 0.1,
) -> Float[Tensor, ""]:
    """A soft maximum over the hard positives and the hard negatives of each proxy.

    L = 1/|P+| sum_{p in P+} log(1 + sum_{x in X_p+} e^{-alpha (s(x,p) - delta)})
      + 1/|P|  sum_{p in P}  log(1 + sum_{x in X_p-} e^{alpha (s(x,p) + delta)})

    with cosines s, P all proxies, P+ those of the batch's classes, X_p+ the images of p's class, X_p- all others.

    Args:
        embeddings: one row per image, of any length.
        labels: class ids, 0 <= id < classes.
        proxies: one row per class, of any length.
        alpha: > 0, 32 in the paper; the higher, the more the hardest images count.
        margin: delta, 0 to 1: positives should score above it, negatives below minus it.

    Returns:
        A scalar >= 0; 0 for an empty batch. Differentiable once.

    Raises:
        InvalidInput: an option out of range, lengths or widths that differ, labels outside of the classes, NaN in the
            embeddings.

    Example:
        >>> proxy_anchor_loss(torch.eye(2), torch.tensor([0, 1]), torch.eye(2), alpha=1.0, margin=0.0)
        tensor(1.0064)

    Source: Kim et al. 2020, "Proxy anchor loss", arXiv:2003.13911, eq. 4.
    """
    embeddings, labels, proxies = check_class_batch(embeddings, labels, proxies)
    alpha, margin = check_positive(alpha, "alpha"), check_between(margin, "margin", 0, 1)

    def formula(needed: Sequence[bool]) -> tuple[Tensor, Sequence[Tensor | None]]:
        (x, x_inverse), (p, p_inverse) = unit_rows(embeddings), unit_rows(proxies)
        by_x, by_p = torch.zeros_like(x), torch.zeros_like(p)
        loss = _negatives(x, p, labels, alpha, margin, by_x, by_p) + _positives(x, p, labels, alpha, margin, by_x, by_p)
        if not any(needed):
            return loss, (None, None)
        return loss, (through_unit_rows(by_x, x, x_inverse), through_unit_rows(by_p, p, p_inverse))

    return closed_form(formula, embeddings, proxies)


def _negatives(x: Tensor, p: Tensor, labels: Tensor, alpha: float, margin: float, by_x: Tensor, by_p: Tensor) -> Tensor:
    """The mean over all proxies, some at a time; its derivatives are added to by_x and written into by_p."""
    total, images = x.new_zeros(()), torch.arange(len(x), device=x.device)
    for rows in row_blocks(len(p) if len(x) else 0, len(x), x.device):
        scores = torch.addmm(x.new_tensor(alpha * margin), alpha * p[rows], x.T)
        own = images[(labels >= rows.start) & (labels < rows.stop)]
        scores[labels[own] - rows.start, own] = -torch.inf
        # log(1 + sum e^z) = top + log(e^-top + sum e^(z - top)): of no more than 0, so that nothing overflows.
        top = scores.amax(1, keepdim=True).clamp_(min=0)
        exponentials = scores.sub_(top).exp_()
        sums = exponentials.sum(1, keepdim=True) + (-top).exp()
        total += (top + sums.log()).sum()
        share = alpha / len(p) / sums
        torch.mm(exponentials, x, out=by_p[rows]).mul_(share)
        by_x.addmm_(exponentials.T, p[rows] * share)
    return total / len(p)


def _positives(x: Tensor, p: Tensor, labels: Tensor, alpha: float, margin: float, by_x: Tensor, by_p: Tensor) -> Tensor:
    """The mean over the proxies of the batch's classes; its derivatives are added."""
    own = p[labels]
    scores = alpha * (margin - torch.linalg.vecdot(x, own))
    classes, position = labels.unique(return_inverse=True)
    top = scores.new_zeros(len(classes)).scatter_reduce_(0, position, scores, "amax")
    exponentials = (scores - top[position]).exp()
    sums = (-top).exp().index_add_(0, position, exponentials)
    slope = (-alpha / max(1, len(classes)) * exponentials / sums[position])[:, None]
    by_x.addcmul_(slope, own)
    by_p.index_add_(0, labels, slope * x)
    return (top + sums.log()).sum() / max(1, len(classes))


class ProxyAnchorLoss(ClassWeightLoss):
    """Proxy-anchor loss that holds the weights of its classes.

    Args:
        classes: number of classes, at least 2.
        dim: embedding dimension.
        alpha, margin: as `proxy_anchor_loss` takes them.
        sample_rate, learning_rate_multiple, generator: as `ClassWeights` takes them.

    Example:
        >>> loss = ProxyAnchorLoss(classes=10, dim=4)
        >>> loss(torch.zeros(2, 4), torch.tensor([3, 9])).shape
        torch.Size([])
    """

    formula = staticmethod(proxy_anchor_loss)


LOSS = ProxyAnchorLoss
