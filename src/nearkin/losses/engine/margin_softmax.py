"""Softmax over the angles between embeddings and class weights: what normalised softmax, CosFace, ArcFace, ... share.

With theta_ij the angle between embedding i and the weight of class j, and y the class of i,

    L = mean_i -log( exp(s psi(theta_iy)) / (exp(s psi(theta_iy)) + sum_{j != y} exp(s eta(theta_ij))) )

where psi is cos at least as low as cos, so that a margin is asked for, and eta mostly cos itself. A loss gives its psi
as a formula of the angle. The angle to an embedding's own class is taken as atan2(|x - (x.w) w|, x.w) of unit vectors:
exact where they are all but equal, with a finite gradient everywhere, as the arc cosine is not.

Logits are made for some rows at a time and turned into the gradient at once, so no matrix of all logits is kept.

Source: Liu et al. 2021, "SphereFace revived: unifying hyperspherical face recognition", arXiv:2109.05565, section 3,
    for the form that all of them have.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from nearkin.losses.engine.closed_form import closed_form
from nearkin.losses.engine.unit_rows import check_class_batch, row_blocks, through_unit_rows, unit_rows

# angles -> psi of each, differentiable
Psi = Callable[[Tensor], Tensor]
# cosines -> eta of each, and what stands for its derivative by the cosine
Eta = Callable[[Tensor], tuple[Tensor, Tensor | None]]


def margin_softmax(
    embeddings: Tensor,
    labels: Tensor,
    weight: Tensor,
    *,
    scale: float | Tensor,
    psi: Psi = torch.cos,
    eta: Eta | None = None,
) -> Tensor:
    """Mean cross-entropy of scaled cosines, with another function of the angle for an embedding's own class.

    Args:
        embeddings: `[batch, dim]`, of any length: directions count. A zero row has the cosine 0 to every class, and no
            gradient.
        labels: class ids, 0 <= id < classes.
        weight: `[classes, dim]`, or `[classes, sub_centers, dim]`, of which the nearest counts.
        scale: s, for all or `[batch]` for each row.
        psi: of the angle to the own class, elementwise.
        eta: of the cosines to other classes; None is the cosine itself.

    Returns:
        A scalar >= 0; 0 for an empty batch. Differentiable once.

    Raises:
        InvalidInput: lengths or widths that differ, labels outside of the classes, NaN in the embeddings.

    Example:
        >>> margin_softmax(torch.eye(2), torch.tensor([0, 1]), torch.eye(2), scale=1.0)
        tensor(0.3133)
    """
    embeddings, labels, weight = check_class_batch(embeddings, labels, weight)
    scale = torch.as_tensor(scale, dtype=embeddings.dtype, device=embeddings.device).expand(len(embeddings))

    def formula(needed: Sequence[bool]) -> tuple[Tensor, Sequence[Tensor | None]]:
        return _loss_and_gradients(embeddings, weight, scale, labels, psi, eta, needed)

    return closed_form(formula, embeddings, weight, scale)


class _Gradients(NamedTuple):
    """Derivatives by unit rows, by unit weights, and by what stands in for the cosine to the own class."""

    x: Tensor
    w: Tensor
    target: Tensor


def _loss_and_gradients(
    embeddings: Tensor,
    weight: Tensor,
    scale: Tensor,
    labels: Tensor,
    psi: Psi,
    eta: Eta | None,
    needed: Sequence[bool],
) -> tuple[Tensor, Sequence[Tensor | None]]:
    """The loss, and its gradients by embeddings, weights and scale, if any is needed."""
    (x, x_inverse), (w, w_inverse) = unit_rows(embeddings), unit_rows(weight)
    own, which = _nearest_of_own(x, w, labels)
    cosine, tangent, sine, target, slope = _angles(x, own, psi)
    count = max(1, len(x))
    if not any(needed):
        return _cross_entropy(x, w, scale, labels, target, eta, None) / count, (None,) * 3
    by = _Gradients(torch.empty_like(x), torch.zeros_like(w), torch.empty_like(target))
    total = _cross_entropy(x, w, scale, labels, target, eta, by)
    by_scale = None
    if needed[2]:
        assert eta is None, "the derivative by s is written for eta = cos"
        by_scale = (torch.linalg.vecdot(x, by.x) + by.target * target) / scale.clamp(min=1e-30) / count
    # d psi/dx = psi'(theta) dtheta/dx: theta falls fastest towards the own weight, across x.
    push = (by.target * slope / sine)[:, None]
    by.x.sub_(push * (own - cosine * x))
    by.w.view(-1, w.shape[-1]).index_add_(0, which, -push * tangent)
    return total / count, (
        through_unit_rows(by.x, x, x_inverse / count),
        through_unit_rows(by.w, w, w_inverse / count),
        by_scale,
    )


def _nearest_of_own(x: Tensor, w: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The weight of each row's own class, the nearest of several; and its number among all weights."""
    if w.ndim == 2:
        return w[labels], labels
    nearest = torch.linalg.vecdot(w[labels], x[:, None]).argmax(1)
    return w[labels, nearest], labels * w.shape[1] + nearest


def _angles(x: Tensor, own: Tensor, psi: Psi) -> tuple[Tensor, ...]:
    """Cosines of rows and their own weights, tangents at the weights towards the rows, sines, psi and its slope.

    The sine is infinite where the angle is 0 or pi to rounding: there no direction leads to a greater angle or a lower.
    """
    cosine = torch.linalg.vecdot(x, own)[:, None]
    tangent = torch.addcmul(x, cosine, own, value=-1)
    sine = torch.linalg.vector_norm(tangent, dim=1)
    # A zero row is at a right angle to everything.
    angle = torch.atan2(sine, cosine[:, 0]).masked_fill_((sine == 0) & (cosine[:, 0] == 0), math.pi / 2)
    with torch.enable_grad():
        leaf = angle.detach().requires_grad_()
        target = psi(leaf)
        (slope,) = torch.autograd.grad(target.sum(), leaf)
    sine = sine.masked_fill(sine < 16 * torch.finfo(x.dtype).eps, torch.inf)
    return cosine, tangent, sine, target.detach(), slope


def _cross_entropy(
    x: Tensor, w: Tensor, scale: Tensor, labels: Tensor, target: Tensor, eta: Eta | None, by: _Gradients | None
) -> Tensor:
    """Sum over the rows; fills in its derivatives, if needed, by unit rows and weights but for the own classes."""
    total, flat = x.new_zeros(()), w.view(-1, w.shape[-1])
    for rows in row_blocks(len(x), len(flat), x.device):
        s, own = scale[rows, None], labels[rows, None]
        logits, slope, nearest = _logits(x[rows], w, s, eta)
        logits.scatter_(1, own, s * target[rows, None])
        # Less the highest logit, exp cannot overflow.
        exponentials = logits.sub_(logits.amax(1, keepdim=True))
        total -= exponentials.gather(1, own).sum()
        sums = exponentials.exp_().sum(1, keepdim=True)
        total += sums.log().sum()
        if by is None:
            continue
        share = s / sums
        by.target[rows] = (exponentials.gather(1, own) * share - s)[:, 0]
        exponentials.scatter_(1, own, 0)
        if slope is not None:
            exponentials *= slope
        if nearest is not None:
            exponentials = x.new_zeros(*nearest.shape[:2], w.shape[1]).scatter_(2, nearest, exponentials[..., None])
            exponentials = exponentials.flatten(1)
        torch.mm(exponentials, flat, out=by.x[rows]).mul_(share)
        by.w.view_as(flat).addmm_(exponentials.T, x[rows] * share)
    return total


def _logits(x: Tensor, w: Tensor, s: Tensor, eta: Eta | None) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """s eta of all classes, the derivative of eta if it is not 1, and which of several weights was nearest."""
    nearest = None
    if w.ndim == 2 and eta is None:
        return (s * x) @ w.T, None, None
    cosines = x @ w.view(-1, w.shape[-1]).T
    if w.ndim == 3:
        cosines, nearest = cosines.view(len(x), *w.shape[:2]).max(2)
        nearest = nearest[..., None]
    values, slope = (cosines, None) if eta is None else eta(cosines)
    return s * values, slope, nearest
