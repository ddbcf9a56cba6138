"""ProxyNCA++: neighbourhood components analysis with a proxy for each class."""

from jaxtyping import Float, Int
from torch import Tensor

from nearkin.losses.engine.batch import check_positive
from nearkin.losses.engine.class_weight_loss import ClassWeightLoss
from nearkin.losses.engine.margin_softmax import margin_softmax


def proxy_nca_loss(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int[Tensor, " batch"],
    proxies: Float[Tensor, "classes dim"],
    *,
    temperature: float = 1 / 9,
) -> Float[Tensor, ""]:
    """Mean of L = -log(e^{-|x - p_y|^2 / T} / sum_j e^{-|x - p_j|^2 / T}) over unit vectors x and proxies p.

    Of unit vectors |x - p|^2 = 2 - 2 cos theta: this is normalised softmax with the scale 2 / T.

    Args:
        embeddings: one row per image, of any length.
        labels: class ids, 0 <= id < classes.
        proxies: one row per class, of any length.
        temperature: T > 0.

    Returns:
        A scalar >= 0; 0 for an empty batch.

    Raises:
        InvalidInput: T <= 0, lengths or widths that differ, labels outside of the classes, NaN in the embeddings.

    Example:
        >>> import torch
        >>> proxy_nca_loss(torch.eye(2), torch.tensor([0, 1]), torch.eye(2), temperature=2.0)
        tensor(0.3133)

    Source: Teh, DeVries, Taylor 2020, "ProxyNCA++", arXiv:2004.01113, eq. 6.
    """
    return margin_softmax(embeddings, labels, proxies, scale=2 / check_positive(temperature, "temperature"))


class ProxyNCALoss(ClassWeightLoss):
    """ProxyNCA++ loss that holds the weights of its classes.

    Args:
        classes: number of classes, at least 2.
        dim: embedding dimension.
        temperature: as `proxy_nca_loss` takes it.
        sample_rate, learning_rate_multiple, generator: as `ClassWeights` takes them.

    Example:
        >>> import torch
        >>> loss = ProxyNCALoss(classes=10, dim=4)
        >>> loss(torch.zeros(2, 4), torch.tensor([3, 9])).shape
        torch.Size([])
    """

    formula = staticmethod(proxy_nca_loss)


LOSS = ProxyNCALoss
