"""Sums of exponentials that neither overflow nor slow down."""

import math

from jaxtyping import Float
from torch import Tensor


def exponentials_(
    scores: Float[Tensor, "a r"], top: Float[Tensor, "#a #r"], scale: float, dim: int = 1
) -> tuple[Float[Tensor, "a r"], Float[Tensor, "#a #r"]]:
    """exp(scale (s - top)), in place, and its sums along a dimension.

    As a power of 2: on a CPU torch.exp is up to a hundred times slower where its result is too small for float32,
    which is what most scores of a sharp softmax come to.

    Args:
        scores: s; -inf gives 0.
        top: the highest score along the dimension, or above, so that nothing exceeds 1; finite.
        scale: > 0.
        dim: along the rows by default.
    """
    powers = scores.sub_(top).mul_(scale * math.log2(math.e)).exp2_()
    return powers, powers.sum(dim, keepdim=True)
