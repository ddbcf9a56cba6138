"""What training makes small: losses on labels, captions and attributes, with what they need beyond the batch."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nearkin.errors import InvalidInput
from nearkin.losses import CaptionLoss, LabelLoss, build_caption_loss, build_loss, weight_groups
from nearkin.losses.engine.class_weights import ClassWeights
from nearkin.training.batches import TrainingData
from nearkin.training.cross_batch_memory import EmbeddingMemory, check_takes_memory, loss_against
from nearkin.training.settings import TrainSettings


class Objective(nn.Module):
    """L = label loss + its value against the memory, weighted + caption loss, weighted + attribute loss, weighted.

    Args:
        label_loss: `(embeddings, labels) -> scalar`; None if labels are not trained.
        caption_loss: `(images, texts, text_ids=...) -> scalar`; None if captions are not trained.
        caption_weight: of the caption loss.
        attribute_loss: as the caption loss, with attributes of the picture's class for texts; None if there are none.
        attribute_weight: of the attribute loss.
        memory: earlier embeddings that a batch is compared with as well. A batch enters after its own step, so that no
            row meets itself; a picture met again within the memory's span is another view, hence a positive.
        memory_weight: of the loss against the memory.
        caption_memory: earlier pairs, of pictures and of texts, with which the caption loss is computed as well.
        same_label: whether pictures of one class belong to each other's captions.
        memory_from: share of the training from which the memory serves, 0 to 1; it is filled before.
    """

    def __init__(
        self,
        label_loss: LabelLoss | None,
        caption_loss: CaptionLoss | None = None,
        *,
        caption_weight: float = 1.0,
        attribute_loss: CaptionLoss | None = None,
        attribute_weight: float = 1.0,
        memory: EmbeddingMemory | None = None,
        memory_weight: float = 1.0,
        memory_from: float = 0.0,
        caption_memory: tuple[EmbeddingMemory, EmbeddingMemory] | None = None,
        same_label: bool = False,
    ) -> None:
        super().__init__()
        self.label_loss, self.caption_loss = label_loss, caption_loss
        self.caption_weight = caption_weight
        self.attribute_loss, self.attribute_weight = attribute_loss, attribute_weight
        self.memory, self.memory_weight, self.memory_from = memory, memory_weight, memory_from
        self.caption_memory = None if caption_memory is None else nn.ModuleList(caption_memory)
        self.same_label = same_label
        self.share = 0.0

    def set_progress(self, share: float) -> None:
        """Told before each step how much of the training is done, 0 to 1."""
        self.share = share

    def forward(
        self,
        images: Float[Tensor, "batch dim"],
        labels: Int[Tensor, " batch"] | None,
        texts: Float[Tensor, "captions dim"] | None,
        ids: tuple[Int[Tensor, " captions"], Int[Tensor, " captions"]] | None,
        described: Float[Tensor, "batch dim"] | None = None,
        attributes: Float[Tensor, "batch k"] | None = None,
    ) -> Float[Tensor, ""]:
        """The loss of a batch; what is not trained may be None.

        Args:
            images, texts, described: embeddings of the pictures, of their captions, of their classes' attributes.
            labels, attributes: what they are of.
            ids: of the picture and of the text of each caption; captions k n to k n + n - 1 are of the n pictures.
        """
        loss: Any = torch.zeros((), device=images.device)
        # Losses subtract numbers that are nearly equal: they are computed in float32.
        with torch.autocast(images.device.type, enabled=False):
            if self.label_loss is not None:
                assert labels is not None
                loss = loss + self.label_loss(images, labels) + self._against_memory(images, labels)
            if self.caption_loss is not None:
                assert texts is not None
                assert ids is not None
                own = labels if self.same_label and labels is not None else ids[0][: len(images)]
                loss = loss + self.caption_weight * self._of_captions(images, texts, own, ids[1])
            if self.attribute_loss is not None:
                assert attributes is not None
                # Nor are pictures whose classes are described alike, such as those of one class.
                alike = torch.unique(attributes, dim=0, return_inverse=True)[1]
                loss = loss + self.attribute_weight * self.attribute_loss(images, described, text_ids=alike)
        return loss

    def _of_captions(self, images: Tensor, texts: Tensor, image_ids: Tensor, text_ids: Tensor) -> Tensor:
        """The caption loss of a batch, and of earlier pairs, which have no gradient but are as wrong as others."""
        assert self.caption_loss is not None
        times = len(texts) // len(images)
        images, image_ids = images.repeat(times, 1), image_ids.repeat(times)
        held: list[EmbeddingMemory] = [] if self.caption_memory is None else list(self.caption_memory)  # type: ignore[arg-type]
        batch = (images, texts, image_ids, text_ids)
        if held and self.share >= self.memory_from and held[0].pushed > 0:
            before = (held[0].embeddings, held[1].embeddings, held[0].labels, held[1].labels)
            images, texts, image_ids, text_ids = (torch.cat(pair) for pair in zip(batch, before, strict=True))
        loss: Tensor = self.caption_loss(images, texts, image_ids=image_ids, text_ids=text_ids)
        for memory, vectors, ids in zip(held, batch[:2], batch[2:], strict=False):
            memory.push(vectors, ids)
        return loss

    def _against_memory(self, images: Tensor, labels: Tensor) -> Tensor | float:
        if self.memory is None:
            return 0.0
        loss: Tensor | float = 0.0
        if self.share >= self.memory_from and self.memory.pushed > 0:
            loss = self.memory_weight * loss_against(self.label_loss, images, labels, self.memory)
        self.memory.push(images, labels)
        return loss


def build_objective(data: TrainingData, settings: TrainSettings, loss: str | LabelLoss | None = None) -> Objective:
    """The objective that the settings ask for.

    Args:
        data: what is trained on: with labels, captions, or both.
        settings: of the run.
        loss: a loss on labels in place of the settings' name of one.

    Raises:
        UnknownName: no such loss, or no such option of it.
        InvalidInput: a value that a loss refuses, a memory for a loss that takes none, a rate for one without weights.
    """
    label_loss = caption_loss = attribute_loss = memory = caption_memory = None
    if data.label_ids is not None:
        label_loss = _label_loss(loss, data.classes, settings)
    if data.tokenizer is not None:
        caption_loss = build_caption_loss(settings.caption_loss, settings.caption_loss_options)
        if settings.caption_memory is not None:
            size, dim = settings.caption_memory, settings.dim
            caption_memory = EmbeddingMemory(size, dim), EmbeddingMemory(size, dim)
    if data.attributes is not None:
        attribute_loss = build_caption_loss(settings.attribute_loss)
    if settings.memory is not None:
        memory = EmbeddingMemory(settings.memory, settings.dim)
    return Objective(
        label_loss,
        caption_loss,
        caption_weight=settings.caption_weight,
        attribute_loss=attribute_loss,
        attribute_weight=settings.attribute_weight,
        memory=memory,
        memory_weight=settings.memory_weight,
        # While the rate rises, embeddings move too fast for old ones to serve.
        memory_from=settings.warmup,
        caption_memory=caption_memory,
        same_label=settings.same_label,
    )


@torch.no_grad()
def set_class_weights(
    objective: Objective, embeddings: Float[Tensor, "n dim"], labels: Int[Tensor, " n"], classes: int
) -> None:
    """Let the weights that the loss holds for classes begin at the directions of the classes' mean embeddings.

    From random ones, the first steps of a training would move pictures to wherever these happen to point.

    Args:
        objective: whose label loss may hold a row of weights for each class; else nothing happens.
        embeddings: of training pictures.
        labels: their class ids; a class without a picture here keeps its random weights.
        classes: how many there are.
    """
    sums = torch.zeros(classes, embeddings.shape[1]).index_add_(0, labels, embeddings)
    seen = torch.bincount(labels, minlength=classes) > 0
    for part in objective.modules():
        if isinstance(part, ClassWeights) and part.weight.shape == sums.shape:
            part.weight[seen] = nn.functional.normalize(sums[seen], dim=1)


def _label_loss(loss: str | LabelLoss | None, classes: int, settings: TrainSettings) -> LabelLoss:
    name = settings.loss or "triplet"
    if loss is None or isinstance(loss, str):
        loss = build_loss(name, classes=classes, dim=settings.dim, options=settings.loss_options)
    if settings.memory is not None:
        check_takes_memory(loss, name)
    if settings.loss_learning_rate is not None:
        _set_learning_rate(loss, settings.loss_learning_rate / settings.learning_rate, name)
    return loss


def _set_learning_rate(loss: LabelLoss, multiple: float, name: str) -> None:
    """The loss's own weights learn so much faster than the encoder, whatever the loss says."""
    parts: list[Any] = list(loss.modules()) if isinstance(loss, nn.Module) else []
    if not weight_groups(loss) and not any(hasattr(part, "step_sampled") for part in parts):
        raise InvalidInput(f"loss '{name}' has no weights that learn: leave loss_learning_rate out")
    for part in parts:
        part.learning_rate_multiple = multiple
