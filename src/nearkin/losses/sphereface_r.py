"""SphereFace-R: the multiplicative margin put on the angles to the other classes."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nearkin.losses.engine.batch import check_between, check_positive
from nearkin.losses.engine.class_weight_loss import ClassWeightLoss
from nearkin.losses.engine.margin_softmax import margin_softmax


def sphereface_r_loss(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int[Tensor, " batch"],
    weight: Float[Tensor, "classes dim"],
    *,
    scale: float = 30.0,
    margin: float = 1.4,
    detach: bool = True,
) -> Float[Tensor, ""]:
    """Mean of L = -log(e^{s cos theta_y} / (e^{s cos theta_y} + sum_{j != y} e^{s cos(theta_j / m)})), version 2.

    No angle is multiplied, so none passes pi, and nothing needs annealing. With characteristic gradient detachment the
    backward pass takes the derivative of cos(theta_j / m) by cos(theta_j) as 1: the authors found it more stable.

    Args:
        embeddings: one row per image, of any length.
        labels: class ids, 0 <= id < classes.
        weight: one row per class, of any length.
        scale: s > 0.
        margin: m, at least 1; 1 is normalised softmax.
        detach: whether to detach the characteristic gradient; the gradient is exact if not.

    Returns:
        A scalar >= 0; 0 for an empty batch.

    Raises:
        InvalidInput: an option out of range, lengths or widths that differ, labels outside of the classes, NaN in the
            embeddings.

    Example:
        >>> sphereface_r_loss(torch.eye(2), torch.tensor([0, 1]), torch.eye(2), scale=1.0, margin=2.0)
        tensor(0.5574)

    Source: Liu et al. 2021, "SphereFace revived", arXiv:2109.05565, SphereFace-R v2 with hard feature normalization.
    """
    margin = check_between(margin, "margin", 1, 100)

    def eta(cosines: Tensor) -> tuple[Tensor, Tensor | None]:
        # Short of the ends, where the derivative of the arc cosine is infinite.
        end = 1 - 4 * torch.finfo(cosines.dtype).eps
        angles = cosines.clamp(-end, end).acos_()
        values = (angles / margin).cos_()
        return values, None if detach else (angles / margin).sin_().div_(margin * angles.sin_())

    return margin_softmax(embeddings, labels, weight, scale=check_positive(scale, "scale"), eta=eta)


class SphereFaceRLoss(ClassWeightLoss):
    """SphereFace-R loss that holds the weights of its classes.

    Args:
        classes: number of classes, at least 2.
        dim: embedding dimension.
        scale, margin, detach: as `sphereface_r_loss` takes them.
        sample_rate, learning_rate_multiple, generator: as `ClassWeights` takes them.

    Example:
        >>> loss = SphereFaceRLoss(classes=10, dim=4)
        >>> loss(torch.zeros(2, 4), torch.tensor([3, 9])).shape
        torch.Size([])
    """

    formula = staticmethod(sphereface_r_loss)


LOSS = SphereFaceRLoss
