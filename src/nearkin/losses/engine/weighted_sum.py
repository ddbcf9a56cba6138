"""Several losses at once: a weighted sum of them."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from nearkin.losses.engine.protocol import takes_references


class WeightedSum(nn.Module):
    """L = sum_i weight_i L_i, each term given the same batch; references go to those terms that take them.

    Args:
        terms: weight and loss of each term.

    Example:
        >>> import torch
        >>> from nearkin.losses import contrastive_loss, triplet_loss
        >>> loss = WeightedSum([(1.0, triplet_loss), (0.5, contrastive_loss)])
        >>> loss(torch.tensor([[0.0], [2.0], [3.0]]), torch.tensor([5, 5, 9]))
        tensor(3.5333)
    """

    def __init__(self, terms: Sequence[tuple[float, Any]]) -> None:
        super().__init__()
        self.terms = list(terms)
        # The modules among them, so that their weights are found, moved and saved.
        self.modules_of_terms = nn.ModuleList(loss for _, loss in terms if isinstance(loss, nn.Module))

    @property
    def takes_references(self) -> bool:
        return any(takes_references(loss) for _, loss in self.terms)

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        ref_embeddings: Tensor | None = None,
        ref_labels: Tensor | None = None,
    ) -> Tensor:
        total = embeddings.new_zeros(())
        for weight, loss in self.terms:
            references = {}
            if ref_embeddings is not None and takes_references(loss):
                references = {"ref_embeddings": ref_embeddings, "ref_labels": ref_labels}
            total = total + weight * loss(embeddings, labels, **references)
        return total
