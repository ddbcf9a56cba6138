"""Normalised softmax: classification by the cosine to a weight of each class."""

from jaxtyping import Float, Int
from torch import Tensor

from nearkin.losses.engine.batch import check_positive
from nearkin.losses.engine.class_weight_loss import ClassWeightLoss
from nearkin.losses.engine.margin_softmax import margin_softmax


def normalised_softmax_loss(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int[Tensor, " batch"],
    weight: Float[Tensor, "classes dim"],
    *,
    scale: float = 20.0,
) -> Float[Tensor, ""]:
    """Mean cross-entropy of scaled cosines: L = -log(exp(s cos theta_y) / sum_j exp(s cos theta_j)).

    Args:
        embeddings: one row per image, of any length.
        labels: class ids, 0 <= id < classes.
        weight: one row per class, of any length.
        scale: s > 0, or 1/sigma for a temperature sigma.

    Returns:
        A scalar >= 0; 0 for an empty batch.

    Raises:
        InvalidInput: scale <= 0, lengths or widths that differ, labels outside of the classes, NaN in the embeddings.

    Example:
        >>> import torch
        >>> normalised_softmax_loss(torch.eye(2), torch.tensor([0, 1]), torch.eye(2), scale=1.0)
        tensor(0.3133)

    Source: Wang et al. 2017, "NormFace", arXiv:1704.06369, eq. 6; Zhai and Wu 2019, "Classification is a strong
        baseline for deep metric learning", arXiv:1811.12649, eq. 2.
    """
    return margin_softmax(embeddings, labels, weight, scale=check_positive(scale, "scale"))


class NormalisedSoftmaxLoss(ClassWeightLoss):
    """Normalised softmax loss that holds the weights of its classes.

    Args:
        classes: number of classes, at least 2.
        dim: embedding dimension.
        scale: as `normalised_softmax_loss` takes it.
        sample_rate, learning_rate_multiple, generator: as `ClassWeights` takes them.

    Example:
        >>> import torch
        >>> loss = NormalisedSoftmaxLoss(classes=10, dim=4)
        >>> loss(torch.zeros(2, 4), torch.tensor([3, 9]))
        tensor(2.3026, grad_fn=<_ClosedFormBackward>)
    """

    formula = staticmethod(normalised_softmax_loss)


LOSS = NormalisedSoftmaxLoss
