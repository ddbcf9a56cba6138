"""What training makes small: a loss on labels, a loss on captions, or both, with what they need beyond the batch."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nearkin.losses import CaptionLoss, LabelLoss
from nearkin.training.memory import EmbeddingMemory, loss_against


class Objective(nn.Module):
    """L = label loss + its value against the memory, weighted + caption loss, weighted.

    Args:
        label_loss: `(embeddings, labels) -> scalar`; None if labels are not trained.
        caption_loss: `(images, texts, text_ids=...) -> scalar`; None if captions are not trained.
        caption_weight: of the caption loss.
        memory: earlier embeddings that a batch is compared with as well. A batch enters after its own step, so that no
            row meets itself; a picture met again within the memory's span is another view, hence a positive.
        memory_weight: of the loss against the memory.
        memory_from: share of the training from which the memory serves, 0 to 1; it is filled before.
    """

    def __init__(
        self,
        label_loss: LabelLoss | None,
        caption_loss: CaptionLoss | None = None,
        *,
        caption_weight: float = 1.0,
        memory: EmbeddingMemory | None = None,
        memory_weight: float = 1.0,
        memory_from: float = 0.0,
    ) -> None:
        super().__init__()
        self.label_loss, self.caption_loss = label_loss, caption_loss
        self.caption_weight = caption_weight
        self.memory, self.memory_weight, self.memory_from = memory, memory_weight, memory_from
        self.share = 0.0

    def set_progress(self, share: float) -> None:
        """Told before each step how much of the training is done, 0 to 1."""
        self.share = share

    def forward(
        self,
        images: Float[Tensor, "batch dim"],
        labels: Int[Tensor, " batch"] | None,
        texts: Float[Tensor, "batch dim"] | None,
        tokens: Int[Tensor, "batch tokens"] | None,
    ) -> Float[Tensor, ""]:
        """The loss of a batch; what is not trained may be None."""
        loss: Any = torch.zeros((), device=images.device)
        # Losses subtract numbers that are nearly equal: they are computed in float32.
        with torch.autocast(images.device.type, enabled=False):
            if self.label_loss is not None:
                assert labels is not None
                loss = loss + self.label_loss(images, labels) + self._against_memory(images, labels)
            if self.caption_loss is not None:
                assert tokens is not None
                # Pictures that share their words are not each other's negatives.
                words = torch.unique(tokens, dim=0, return_inverse=True)[1]
                loss = loss + self.caption_weight * self.caption_loss(images, texts, text_ids=words)
        return loss

    def _against_memory(self, images: Tensor, labels: Tensor) -> Tensor | float:
        if self.memory is None:
            return 0.0
        loss: Tensor | float = 0.0
        if self.share >= self.memory_from and self.memory.pushed > 0:
            loss = self.memory_weight * loss_against(self.label_loss, images, labels, self.memory)
        self.memory.push(images, labels)
        return loss
