"""SigLIP: for each picture and each text, do they belong together?"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from nearkin.losses.engine.batch import check_finite, check_positive
from nearkin.losses.engine.two_towers import check_pairs, sum_over_scores


def siglip_loss(
    images: Float[Tensor, "batch dim"],
    texts: Float[Tensor, "batch dim"],
    *,
    temperature: float | Float[Tensor, ""] = 10.0,
    bias: float | Float[Tensor, ""] = -10.0,
    image_ids: Int[Tensor, " batch"] | None = None,
    text_ids: Int[Tensor, " batch"] | None = None,
) -> Float[Tensor, ""]:
    """Sigmoid loss over all pictures i and texts j of B pairs: L = 1/B sum_ij log(1 + exp(-z_ij (t x_i . y_j + b))).

    z_ij is 1 where i = j, else -1. Other pairs with the same picture or the same text are left out: whether they
    belong together is not known.

    Args:
        images: one row per pair, of unit length as a rule.
        texts: one row per pair, of unit length as a rule.
        temperature: t > 0, a factor here, as in the paper.
        bias: b; so far below 0 that the many negatives cost little in the beginning.
        image_ids: equal where two rows are pictures of one thing; all differ if None.
        text_ids: equal where two rows are the same text; all differ if None.

    Returns:
        A scalar >= 0; exactly 0 for no pair.

    Raises:
        InvalidInput: shapes or lengths that differ, t <= 0, b not finite, NaN in the embeddings.

    Example:
        >>> siglip_loss(torch.eye(2), torch.eye(2), temperature=1.0, bias=0.0)
        tensor(1.0064)

    Source: Zhai et al. 2023, arXiv:2303.15343, section 3.2.
    """
    pairs = check_pairs(images, texts, image_ids, text_ids)
    x, y = pairs.images, pairs.texts
    scale = check_positive(temperature, "temperature") if not isinstance(temperature, Tensor) else temperature
    shift = check_finite(bias, "bias") if not isinstance(bias, Tensor) else bias
    one = torch.ones_like(y[:, :1])
    count = max(1, len(x))

    def loss(scores: Tensor) -> tuple[Tensor, Tensor]:
        scores.diagonal().neg_()
        if pairs.alike is not None:
            scores.masked_fill_(pairs.alike, -torch.inf)
        total = F.softplus(scores, threshold=40).sum()
        slope = scores.sigmoid_()
        slope.diagonal().neg_()
        return total / count, slope.div_(count)

    # The bias is one more number of each row.
    return sum_over_scores(torch.cat([x * scale, one * shift], 1), torch.cat([y, one], 1), loss)


class SigLIPLoss(nn.Module):
    """SigLIP with a learned temperature and bias; what is learned of the temperature is log t.

    Args:
        temperature: t to begin with, > 0.
        bias: b to begin with.

    Raises:
        InvalidInput: t <= 0, b not finite.

    Example:
        >>> SigLIPLoss()(torch.eye(2), torch.eye(2)).item() < 1
        True

    Source: Zhai et al. 2023, arXiv:2303.15343, section 3.2 and algorithm 1.
    """

    def __init__(self, temperature: float = 10.0, bias: float = -10.0) -> None:
        super().__init__()
        self.log_temperature = nn.Parameter(torch.tensor(math.log(check_positive(temperature, "temperature"))))
        self.bias = nn.Parameter(torch.tensor(check_finite(bias, "bias")))

    def forward(
        self,
        images: Float[Tensor, "batch dim"],
        texts: Float[Tensor, "batch dim"],
        image_ids: Int[Tensor, " batch"] | None = None,
        text_ids: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, ""]:
        temperature = self.log_temperature.exp()
        return siglip_loss(
            images, texts, temperature=temperature, bias=self.bias, image_ids=image_ids, text_ids=text_ids
        )


LOSS = SigLIPLoss
