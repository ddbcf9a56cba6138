"""SphereFace: a multiplicative margin on the angle to the own class, also known as A-softmax."""

import math
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nearkin.arrays import check_count
from nearkin.losses.engine.batch import check_between, check_embeddings, check_positive
from nearkin.losses.engine.class_weight_loss import ClassWeightLoss
from nearkin.losses.engine.margin_softmax import margin_softmax


def sphereface_loss(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int[Tensor, " batch"],
    weight: Float[Tensor, "classes dim"],
    *,
    margin: int = 4,
    annealing: float = 0.0,
    scale: float = 1.0,
) -> Float[Tensor, ""]:
    """Mean of L = -log(e^{|x| psi(theta_y)} / (e^{|x| psi(theta_y)} + sum_{j != y} e^{|x| cos theta_j})).

    psi(theta) = (-1)^k cos(m theta) - 2k for k pi / m <= theta <= (k+1) pi / m falls from 1 to 1 - 2m. Training
    begins with (lambda cos(theta) + psi(theta)) / (lambda + 1) in its place, for a lambda that shrinks.

    Args:
        embeddings: one row per image; unlike the other losses on angles this one depends on their length |x|.
        labels: class ids, 0 <= id < classes.
        weight: one row per class, of any length.
        margin: m, a whole number of at least 1; 1 is no margin.
        annealing: lambda >= 0; infinity would be no margin.
        scale: s > 0; s |x| stands for |x|. Embeddings of unit length need about 30 for their logits to differ.

    Returns:
        A scalar >= 0; 0 for an empty batch.

    Raises:
        InvalidInput: an option out of range, lengths or widths that differ, labels outside of the classes, NaN in the
            embeddings.

    Example:
        >>> sphereface_loss(torch.eye(2), torch.tensor([0, 1]), torch.tensor([[0.0, 1.0], [1.0, 0.0]]), margin=2)
        tensor(2.1269)

    Source: Liu et al. 2017, "SphereFace", arXiv:1704.08063, eq. 7; lambda as in the authors' code.
    """
    margin = check_count(margin, "margin")
    annealing = check_between(annealing, "annealing", 0, 1e6)

    def psi(angle: Tensor) -> Tensor:
        k = (margin * angle.detach() / math.pi).floor().clamp(max=margin - 1)
        steep = (1 - 2 * (k % 2)) * (margin * angle).cos() - 2 * k
        return (annealing * angle.cos() + steep) / (1 + annealing)

    lengths = torch.linalg.vector_norm(check_embeddings(embeddings), dim=1)
    return margin_softmax(embeddings, labels, weight, scale=check_positive(scale, "scale") * lengths, psi=psi)


class SphereFaceLoss(ClassWeightLoss):
    """SphereFace loss that holds the weights of its classes.

    Args:
        classes: number of classes, at least 2.
        dim: embedding dimension.
        scale, margin: as `sphereface_loss` takes them.
        lambda_max, lambda_min, gamma: lambda = max(lambda_min, lambda_max / (1 + gamma t)), where t is the fraction of
            the training that is done. The authors' rate, 0.12 an iteration, is a gamma of 3360 for their 28,000. If the
            training never calls `set_progress`, lambda is lambda_min.
        sample_rate, learning_rate_multiple, generator: as `ClassWeights` takes them.

    Example:
        >>> loss = SphereFaceLoss(classes=10, dim=4)
        >>> loss(torch.zeros(2, 4), torch.tensor([3, 9])).shape
        torch.Size([])
    """

    formula = staticmethod(sphereface_loss)
    set_by_training = ("annealing",)

    def __init__(
        self,
        classes: int,
        dim: int,
        *,
        scale: float = 30.0,
        lambda_max: float = 1000.0,
        lambda_min: float = 5.0,
        gamma: float = 3360.0,
        **options: Any,
    ) -> None:
        super().__init__(classes, dim, scale=scale, **options)
        self.lambda_max = check_between(lambda_max, "lambda_max", 0, 1e6)
        self.lambda_min = check_between(lambda_min, "lambda_min", 0, 1e6)
        self.gamma = check_between(gamma, "gamma", 0, 1e12)
        self.annealing = self.lambda_min

    def set_progress(self, share: float) -> None:
        """Set lambda for the fraction of the training that is done, 0 to 1."""
        self.annealing = max(self.lambda_min, self.lambda_max / (1 + self.gamma * share))


LOSS = SphereFaceLoss
