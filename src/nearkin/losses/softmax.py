"""Training by classification: softmax cross-entropy over the training classes."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from nearkin.arrays import check_count
from nearkin.losses.engine.batch import check_positive, full_precision
from nearkin.losses.engine.unit_rows import check_class_batch


def softmax_loss(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int[Tensor, " batch"],
    weight: Float[Tensor, "classes dim"],
    bias: Float[Tensor, " classes"] | None = None,
) -> Float[Tensor, ""]:
    """Mean cross-entropy of a linear classifier: L = -log(exp(s_y) / sum_c exp(s_c)) with s_c = w_c . x + b_c.

    Args:
        embeddings: one row per image.
        labels: class ids, 0 <= id < classes.
        weight: one row w_c per class.
        bias: one number b_c per class; 0 if None.

    Returns:
        A scalar >= 0; 0 for an empty batch.

    Raises:
        InvalidInput: lengths or widths that differ, labels outside of the classes, NaN in the embeddings.

    Example:
        >>> softmax_loss(torch.zeros(1, 3), torch.tensor([1]), torch.zeros(2, 3))
        tensor(0.6931)

    Source: Taigman et al. 2014, "DeepFace", section 3.2, for embeddings learned by classification.
    """
    embeddings, labels, weight = check_class_batch(embeddings, labels, weight)
    with full_precision(embeddings.device):
        logits = F.linear(embeddings, weight, None if bias is None else bias.to(embeddings.dtype))
        return F.cross_entropy(logits, labels, reduction="sum") / max(1, len(labels))


class SoftmaxLoss(nn.Module):
    """Softmax loss that holds the weights of its classes.

    Embeddings of unit length need rows of some length for their logits to differ: they are drawn from a normal
    distribution of deviation 1, so that the logits of a new classifier have about that deviation too.

    Args:
        classes: number of classes, at least 2.
        dim: numbers of an embedding.
        learning_rate_multiple: how much faster weights and biases learn than the encoder.
        generator: draws the weights; torch's global one if None.

    Raises:
        InvalidInput: fewer than 2 classes, or a multiple out of range.

    Example:
        >>> loss = SoftmaxLoss(classes=10, dim=4)
        >>> loss(torch.zeros(2, 4), torch.tensor([3, 9]))
        tensor(2.3026, grad_fn=<DivBackward0>)
    """

    def __init__(
        self,
        classes: int,
        dim: int,
        *,
        learning_rate_multiple: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_count(classes, "classes", least=2)
        check_count(dim, "dim")
        self.learning_rate_multiple = check_positive(learning_rate_multiple, "learning_rate_multiple")
        self.weight = nn.Parameter(torch.randn(classes, dim, generator=generator))
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, embeddings: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"]) -> Float[Tensor, ""]:
        return softmax_loss(embeddings, labels, self.weight, self.bias)


LOSS = SoftmaxLoss
