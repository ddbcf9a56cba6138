"""InfoNCE: each picture finds its caption in the batch, and each caption its picture."""

import math
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nearkin.errors import InvalidInput
from nearkin.losses.engine.batch import check_positive
from nearkin.losses.engine.exponential import exponentials_
from nearkin.losses.engine.two_towers import check_pairs, sum_over_scores

MIN_TEMPERATURE = 0.01
# Which texts of a batch are right for a picture.
Positives = Literal["own", "all"]


def info_nce_loss(
    images: Float[Tensor, "batch dim"],
    texts: Float[Tensor, "batch dim"],
    *,
    temperature: float | Float[Tensor, ""] = 0.07,
    image_ids: Int[Tensor, " batch"] | None = None,
    text_ids: Int[Tensor, " batch"] | None = None,
    positives: Positives = "own",
) -> Float[Tensor, ""]:
    """Symmetric InfoNCE over pairs: L = 1/2 (mean_i -log softmax_j(s_ij)_i + mean_j -log softmax_i(s_ij)_j).

    The score s_ij = x_i . y_j / T of picture i and text j is to be the highest of its row and of its column where
    i = j. A text that belongs to picture i as well is no wrong answer for it: pairs with the same picture or the same
    text are left out of each other's sums. Or, with `positives="all"`, they are right answers as well: each term is
    then a mean over all that is right, which is smallest where all of it is equally near.

    Args:
        images: one row per pair, of unit length as a rule.
        texts: one row per pair, of unit length as a rule.
        temperature: T > 0.
        image_ids: equal where two rows are pictures of one thing; all differ if None.
        text_ids: equal where two rows are the same text; all differ if None.
        positives: "own", only the text of the pair, or "all", those of the same picture or with the same text as well.

    Returns:
        A scalar >= 0; exactly 0 for a single pair, or none.

    Raises:
        InvalidInput: shapes or lengths that differ, T <= 0, NaN in the embeddings, other `positives`.

    Example:
        >>> info_nce_loss(torch.eye(2), torch.eye(2), temperature=1.0)
        tensor(0.3133)

    Source: Radford et al. 2021, arXiv:2103.00020, figure 3; van den Oord et al. 2018, arXiv:1807.03748, eq. 4; several
    positives as in Khosla et al. 2020, arXiv:2004.11362, eq. 2.
    """
    pairs = check_pairs(images, texts, image_ids, text_ids)
    if not isinstance(temperature, Tensor):
        temperature = check_positive(temperature, "temperature")
    if positives not in get_args(Positives):
        raise InvalidInput(f"positives is {positives!r}, expected 'own' or 'all'")
    count, right = max(1, len(pairs.images)), None
    if positives == "all" and pairs.alike is not None:
        right = (pairs.alike | torch.eye(count, dtype=torch.bool, device=pairs.alike.device)).to(pairs.images.dtype)

    def loss(scores: Tensor) -> tuple[Tensor, Tensor]:
        if not scores.numel():
            return scores.sum(), scores
        if right is None:
            total, slope = -2 * scores.diagonal().sum(), torch.zeros_like(scores)
            if pairs.alike is not None:
                scores.masked_fill_(pairs.alike, -torch.inf)
        else:
            # Each row, and each column, is a mean over what is right in it; being right is mutual.
            share = right / right.sum(1, keepdim=True)
            slope = -(share + share.T)
            total = (slope * scores).sum()
        # Rows: each picture chooses among the texts. Columns: each text among the pictures.
        for dim in (1, 0):
            top = scores.amax(dim, keepdim=True)
            weights, sums = exponentials_(scores.clone() if dim else scores, top, 1.0, dim)
            total = total + (top + sums.log()).sum()
            slope.addcdiv_(weights, sums)
        if right is None:
            slope.diagonal().sub_(2)
        return total / (2 * count), slope.div_(2 * count)

    return sum_over_scores(pairs.images / temperature, pairs.texts, loss)


class InfoNCELoss(nn.Module):
    """InfoNCE with a learned temperature, never below 0.01.

    What is learned is log(1/T), as CLIP does.

    Args:
        temperature: T to begin with, at least 0.01.
        positives: as in `info_nce_loss`.

    Raises:
        InvalidInput: T < 0.01, or other `positives`.

    Example:
        >>> InfoNCELoss()(torch.eye(2), torch.eye(2)).item() < 1e-5
        True
    """

    def __init__(self, temperature: float = 0.07, positives: Positives = "own") -> None:
        super().__init__()
        if positives not in get_args(Positives):
            raise InvalidInput(f"positives is {positives!r}, expected 'own' or 'all'")
        self.positives = positives
        if check_positive(temperature, "temperature") < MIN_TEMPERATURE:
            raise InvalidInput(f"temperature is {temperature}, expected at least {MIN_TEMPERATURE}")
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
        return info_nce_loss(
            images, texts, temperature=temperature, image_ids=image_ids, text_ids=text_ids, positives=self.positives
        )


LOSS = InfoNCELoss
