"""Cross-batch memory: embeddings of recent batches, with which a batch is compared besides itself."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nearkin.errors import InvalidInput
from nearkin.losses import LOSSES
from nearkin.losses.engine.protocol import takes_references
from nearkin.losses.engine.weighted_sum import WeightedSum


class EmbeddingMemory(nn.Module):
    """A ring buffer of the newest embeddings and their labels; saved with the module that holds it.

    What it holds has no gradient, and is as old as `size` / batch size steps at most. Embeddings drift slowly once the
    first steps are over, which is why old ones serve.

    Args:
        size: embeddings to hold.
        dim: numbers of an embedding.

    Example:
        >>> memory = EmbeddingMemory(size=3, dim=1)
        >>> memory.push(torch.tensor([[1.0], [2.0]]), torch.tensor([7, 7]))
        >>> memory.push(torch.tensor([[3.0], [4.0]]), torch.tensor([8, 9]))
        >>> memory.embeddings.flatten().tolist(), memory.labels.tolist()
        ([4.0, 2.0, 3.0], [9, 7, 8])

    Source: Wang et al. 2020, arXiv:1912.06798.
    """

    ring: Tensor
    ring_labels: Tensor
    pushed: Tensor

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("ring", torch.zeros(size, dim))
        self.register_buffer("ring_labels", torch.zeros(size, dtype=torch.long))
        self.register_buffer("pushed", torch.zeros((), dtype=torch.long))

    @property
    def embeddings(self) -> Float[Tensor, "held dim"]:
        """What is held, in no order that means anything."""
        return self.ring[: int(self.pushed)]

    @property
    def labels(self) -> Int[Tensor, " held"]:
        """The class of each embedding that is held."""
        return self.ring_labels[: int(self.pushed)]

    @torch.no_grad()
    def push(self, embeddings: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"]) -> None:
        """Take in a batch in place of the oldest embeddings; of one larger than the memory, its end."""
        size = len(self.ring)
        positions = (self.pushed + torch.arange(len(labels), device=labels.device))[-size:] % size
        self.ring[positions] = embeddings[-size:].detach().to(self.ring.dtype)
        self.ring_labels[positions] = labels[-size:]
        self.pushed += len(labels)


def loss_against(
    loss: Any, embeddings: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"], memory: EmbeddingMemory
) -> Tensor:
    """The loss of a batch compared with the memory; of a sum, those terms that compare pictures with each other."""
    terms = loss.terms if isinstance(loss, WeightedSum) else [(1.0, loss)]
    held = {"ref_embeddings": memory.embeddings, "ref_labels": memory.labels}
    values = [weight * term(embeddings, labels, **held) for weight, term in terms if takes_references(term)]
    return torch.stack(values).sum()


def check_takes_memory(loss: Any, name: str) -> None:
    """Refuses a loss that cannot compare a batch with other embeddings.

    Raises:
        InvalidInput: it takes no reference set.
    """
    if not takes_references(loss):
        able = ", ".join(sorted(name for name, make in LOSSES.items() if takes_references(make)))
        raise InvalidInput(
            f"loss '{name}' cannot use a memory of embeddings, since it takes no ref_embeddings and ref_labels: "
            f"leave the memory out, or choose one of {able}"
        )
