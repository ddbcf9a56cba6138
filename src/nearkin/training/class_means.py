"""Where the training classes lie: the mean embedding of each over an epoch, for batches of classes that are alike."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class ClassMeans(nn.Module):
    """Sums the embeddings of each class; saved with the module that holds it.

    Their directions are the means' directions, which is all that nearness by cosine asks for.

    Args:
        classes: number of classes.
        dim: numbers of an embedding.

    Example:
        >>> means = ClassMeans(classes=2, dim=2)
        >>> means.add(torch.eye(2), torch.tensor([1, 1]))
        >>> means.sums.tolist()
        [[0.0, 0.0], [1.0, 1.0]]
    """

    sums: Tensor

    def __init__(self, classes: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("sums", torch.zeros(classes, dim))

    @torch.no_grad()
    def add(self, embeddings: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"]) -> None:
        """Take in a batch."""
        self.sums.index_add_(0, labels, embeddings.detach().to(self.sums.dtype))

    def forget(self) -> None:
        """Start from zero again."""
        self.sums.zero_()
