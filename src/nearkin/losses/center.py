"""Center loss: embeddings are drawn to the center of their class, and centers follow their embeddings."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nearkin.arrays import check_count
from nearkin.losses.engine.batch import check_between, full_precision
from nearkin.losses.engine.unit_rows import check_class_batch


def center_loss(
    embeddings: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"], centers: Float[Tensor, "classes dim"]
) -> Float[Tensor, ""]:
    """Mean of L = 1/2 |x - c_y|^2.

    It pulls only: something beside it must push, as softmax in the paper.

    Args:
        embeddings: one row per image.
        labels: class ids, 0 <= id < classes.
        centers: one row c_y per class.

    Returns:
        A scalar >= 0; 0 for an empty batch.

    Raises:
        InvalidInput: lengths or widths that differ, labels outside of the classes, NaN in the embeddings.

    Example:
        >>> center_loss(torch.eye(2), torch.tensor([0, 1]), torch.zeros(2, 2))
        tensor(0.5000)

    Source: Wen et al. 2016, "A discriminative feature learning approach for deep face recognition", eq. 2, with the
        mean for the sum, as in nearkin's softmax; their ratio stays the lambda of eq. 5.
    """
    embeddings, labels, centers = check_class_batch(embeddings, labels, centers)
    with full_precision(embeddings.device):
        return (embeddings - centers[labels]).square().sum() / (2 * max(1, len(labels)))


@torch.no_grad()
def move_centers_(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int[Tensor, " batch"],
    centers: Float[Tensor, "classes dim"],
    *,
    alpha: float = 0.5,
) -> None:
    """Move the centers in place: c_j -= alpha sum_{i of class j} (c_j - x_i) / (1 + how many are of class j).

    Args:
        embeddings: one row per image.
        labels: class ids, 0 <= id < classes.
        centers: one row per class.
        alpha: 0 to 1; 0 leaves the centers where they are.

    Raises:
        InvalidInput: alpha out of range, or a batch that `center_loss` refuses.

    Example:
        >>> centers = torch.zeros(2, 2)
        >>> move_centers_(torch.eye(2), torch.tensor([0, 0]), centers, alpha=1.0)
        >>> centers
        tensor([[0.3333, 0.3333],
                [0.0000, 0.0000]])

    Source: Wen et al. 2016, eq. 4.
    """
    alpha = check_between(alpha, "alpha", 0, 1)
    embeddings, labels, now = check_class_batch(embeddings, labels, centers)
    classes, position, counts = labels.unique(return_inverse=True, return_counts=True)
    apart = embeddings.new_zeros(len(classes), embeddings.shape[1]).index_add_(0, position, embeddings - now[labels])
    centers.index_add_(0, classes, (alpha * apart / (1 + counts[:, None])).to(centers.dtype))


class CenterLoss(nn.Module):
    """Center loss that holds the centers of its classes, and moves them with every batch it sees in training mode.

    Args:
        classes: number of classes, at least 2.
        dim: numbers of an embedding.
        alpha: how fast the centers follow, 0 to 1.

    Example:
        >>> loss = CenterLoss(classes=2, dim=2)
        >>> loss(torch.eye(2), torch.tensor([0, 0]))
        tensor(0.5000)
        >>> loss.centers
        tensor([[0.1667, 0.1667],
                [0.0000, 0.0000]])
    """

    centers: Tensor

    def __init__(self, classes: int, dim: int, *, alpha: float = 0.5) -> None:
        super().__init__()
        self.alpha = alpha
        shape = check_count(classes, "classes", least=2), check_count(dim, "dim")
        self.register_buffer("centers", torch.zeros(shape))

    def forward(self, embeddings: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"]) -> Float[Tensor, ""]:
        loss = center_loss(embeddings, labels, self.centers)
        if self.training:
            move_centers_(embeddings, labels, self.centers, alpha=self.alpha)
        return loss


LOSS = CenterLoss
