"""ArcFace: an additive margin on the angle to the own class, and its sub-centers."""

import math
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nearkin.losses.engine.batch import check_between, check_positive
from nearkin.losses.engine.class_weight_loss import ClassWeightLoss
from nearkin.losses.engine.margin_softmax import margin_softmax


def arcface_loss(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int[Tensor, " batch"],
    weight: Float[Tensor, "classes *sub_centers dim"],
    *,
    scale: float = 30.0,
    margin: float = 0.2,
    easy_margin: bool = False,
) -> Float[Tensor, ""]:
    """Mean of L = -log(e^{s cos(theta_y + m)} / (e^{s cos(theta_y + m)} + sum_{j != y} e^{s cos theta_j})).

    Beyond pi cos(theta + m) would rise again: from theta + m = pi on, cos(theta) - m sin(m) stands for it, which falls.

    Args:
        embeddings: one row per image, of any length.
        labels: class ids, 0 <= id < classes.
        weight: a row per class, or several, its sub-centers, of which the nearest counts.
        scale: s > 0.
        margin: m, in radians, 0 to pi, 0.5 in the paper; 0 is normalised softmax.
        easy_margin: ask for the margin only where theta_y is below a right angle.

    Returns:
        A scalar >= 0; 0 for an empty batch.

    Raises:
        InvalidInput: an option out of range, lengths or widths that differ, labels outside of the classes, NaN in the
            embeddings.

    Example:
        >>> arcface_loss(torch.eye(2), torch.tensor([0, 1]), torch.eye(2), scale=1.0, margin=3.14159 / 2)
        tensor(0.6931)

    Source: Deng et al. 2019, "ArcFace", arXiv:1801.07698, eq. 3; easy margin and the form beyond pi as in the authors'
        code. Deng et al. 2020, "Sub-center ArcFace", ECCV, eq. 3.
    """
    margin = check_between(margin, "margin", 0, math.pi)

    def psi(angle: Tensor) -> Tensor:
        moved, cosine = (angle + margin).cos(), angle.cos()
        if easy_margin:
            return torch.where(angle < math.pi / 2, moved, cosine)
        return torch.where(angle + margin < math.pi, moved, cosine - margin * math.sin(margin))

    return margin_softmax(embeddings, labels, weight, scale=check_positive(scale, "scale"), psi=psi)


class ArcFaceLoss(ClassWeightLoss):
    """ArcFace loss that holds the weights of its classes.

    Args:
        classes: number of classes, at least 2.
        dim: embedding dimension.
        scale, margin, easy_margin: as `arcface_loss` takes them.
        sub_centers: K, how many weights each class has; a picture belongs to the nearest, so that mislabelled or odd
            pictures gather at one of their own.
        sample_rate, learning_rate_multiple, generator: as `ClassWeights` takes them.

    Example:
        >>> loss = ArcFaceLoss(classes=10, dim=4)
        >>> loss(torch.zeros(2, 4), torch.tensor([3, 9])).shape
        torch.Size([])
    """

    formula = staticmethod(arcface_loss)

    def __init__(self, classes: int, dim: int, *, sub_centers: int = 1, **options: Any) -> None:
        super().__init__(classes, dim, per_class=sub_centers, **options)


LOSS = ArcFaceLoss
