"""InfoNCE: each picture finds its caption in the batch, and each caption its picture."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from nearkin.errors import InvalidInput
from nearkin.losses.batch import check_embeddings, check_labels, check_positive, full_precision

MIN_TEMPERATURE = 0.01


def info_nce_loss(
    images: Float[Tensor, "batch dim"],
    texts: Float[Tensor, "batch dim"],
    *,
    temperature: float | Float[Tensor, ""] = 0.07,
    image_ids: Int[Tensor, " batch"] | None = None,
    text_ids: Int[Tensor, " batch"] | None = None,
) -> Float[Tensor, ""]:
    """Symmetric InfoNCE over pairs: L = 1/2 (mean_i -log softmax_j(s_ij)_i + mean_j -log softmax_i(s_ij)_j).

    The score s_ij = x_i . y_j / T of picture i and text j is to be the highest of its row and of its column where
    i = j. A text that belongs to picture i as well is no wrong answer for it: pairs with the same picture or the same
    text are left out of each other's sums.

    Args:
        images: one row per pair, of unit length as a rule.
        texts: one row per pair, of unit length as a rule.
        temperature: T > 0.
        image_ids: equal where two rows are pictures of one thing; all differ if None.
        text_ids: equal where two rows are the same text; all differ if None.

    Returns:
        A scalar >= 0; exactly 0 for a single pair, or none.

    Raises:
        InvalidInput: shapes or lengths that differ, T <= 0, NaN in the embeddings.

    Example:
        >>> info_nce_loss(torch.eye(2), torch.eye(2), temperature=1.0)
        tensor(0.3133)

    Source: Radford et al. 2021, arXiv:2103.00020, figure 3; van den Oord et al. 2018, arXiv:1807.03748, eq. 4.
    """
    images, texts = check_embeddings(images, "images"), check_embeddings(texts, "texts")
    if images.shape != texts.shape:
        raise InvalidInput(f"images are {tuple(images.shape)}, texts {tuple(texts.shape)}: wanted one text per image")
    if not isinstance(temperature, Tensor):
        temperature = check_positive(temperature, "temperature")
    with full_precision(images.device):
        scores = images @ texts.T.to(images.dtype) / temperature
        for name, ids in (("image_ids", image_ids), ("text_ids", text_ids)):
            if ids is not None:
                scores = scores.masked_fill(_others_alike(check_labels(ids, len(images), name)), -torch.inf)
        own = torch.arange(len(scores), device=scores.device)
        both = F.cross_entropy(scores, own, reduction="sum") + F.cross_entropy(scores.T, own, reduction="sum")
        return both / (2 * max(1, len(scores)))


class InfoNCELoss(nn.Module):
    """InfoNCE with a learned temperature, never below 0.01.

    What is learned is log(1/T), as CLIP does.

    Args:
        temperature: T to begin with, at least 0.01.

    Raises:
        InvalidInput: T < 0.01.

    Example:
        >>> InfoNCELoss()(torch.eye(2), torch.eye(2)).item() < 1e-5
        True
    """

    def __init__(self, temperature: float = 0.07) -> None:
        super().__init__()
        if check_positive(temperature, "temperature") < MIN_TEMPERATURE:
            raise InvalidInput(f"temperature is {temperature}, wanted at least {MIN_TEMPERATURE}")
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))

    @property
    def temperature(self) -> float:
        return math.exp(-self.log_scale.item())

    def forward(
        self,
        images: Float[Tensor, "batch dim"],
        texts: Float[Tensor, "batch dim"],
        image_ids: Int[Tensor, " batch"] | None = None,
        text_ids: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, ""]:
        # The parameter itself is clipped: were its image clipped, it would have no gradient to come back by.
        with torch.no_grad():
            self.log_scale.clamp_(max=-math.log(MIN_TEMPERATURE))
        temperature = torch.exp(-self.log_scale)
        return info_nce_loss(images, texts, temperature=temperature, image_ids=image_ids, text_ids=text_ids)


def _others_alike(ids: Int[Tensor, " batch"]) -> Bool[Tensor, "batch batch"]:
    """Which other rows have the id of a row."""
    return (ids[:, None] == ids).fill_diagonal_(False)
