"""CosFace: an additive margin on the cosine to the own class."""

from jaxtyping import Float, Int
from torch import Tensor

from nearkin.losses.engine.batch import check_between, check_positive
from nearkin.losses.engine.class_weight_loss import ClassWeightLoss
from nearkin.losses.engine.margin_softmax import margin_softmax


def cosface_loss(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int[Tensor, " batch"],
    weight: Float[Tensor, "classes dim"],
    *,
    scale: float = 30.0,
    margin: float = 0.35,
) -> Float[Tensor, ""]:
    """Mean of L = -log(e^{s (cos theta_y - m)} / (e^{s (cos theta_y - m)} + sum_{j != y} e^{s cos theta_j})).

    Args:
        embeddings: one row per image, of any length.
        labels: class ids, 0 <= id < classes.
        weight: one row per class, of any length.
        scale: s > 0.
        margin: m, by how much the cosine to the own class is to exceed all others, 0 to 2; 0 is normalised softmax.

    Returns:
        A scalar >= 0; 0 for an empty batch.

    Raises:
        InvalidInput: an option out of range, lengths or widths that differ, labels outside of the classes, NaN in the
            embeddings.

    Example:
        >>> import torch
        >>> cosface_loss(torch.eye(2), torch.tensor([0, 1]), torch.eye(2), scale=1.0, margin=1.0)
        tensor(0.6931)

    Source: Wang et al. 2018, "CosFace", arXiv:1801.09414, eq. 4.
    """
    margin = check_between(margin, "margin", 0, 2)
    return margin_softmax(
        embeddings, labels, weight, scale=check_positive(scale, "scale"), psi=lambda angle: angle.cos() - margin
    )


class CosFaceLoss(ClassWeightLoss):
    """CosFace loss that holds the weights of its classes.

    Args:
        classes: number of classes, at least 2.
        dim: embedding dimension.
        scale, margin: as `cosface_loss` takes them.
        sample_rate, learning_rate_multiple, generator: as `ClassWeights` takes them.

    Example:
        >>> import torch
        >>> loss = CosFaceLoss(classes=10, dim=4)
        >>> loss(torch.zeros(2, 4), torch.tensor([3, 9])).shape
        torch.Size([])
    """

    formula = staticmethod(cosface_loss)


LOSS = CosFaceLoss
