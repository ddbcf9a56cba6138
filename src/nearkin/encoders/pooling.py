"""Pooling: a map of features at each position to one vector."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nearkin.errors import UnknownName

POOLINGS = ("avg", "flatten", "gem", "max")


class Pooling(nn.Module):
    """Features at every position of the picture to one vector.

    Args:
        kind: "avg" or "max" over positions; "gem", the generalised mean with a learned exponent p (p = 1 is the
            average, p -> infinity the maximum); "flatten" keeps every position, and so fixes the picture's size.
        p: the exponent that "gem" starts with.

    Raises:
        UnknownName: no such kind.

    Example:
        >>> Pooling("gem")(torch.full((2, 5, 9), 2.0)).shape
        torch.Size([2, 5])

    Source: Radenovic et al. 2018, arXiv:1711.02512 (GeM).
    """

    def __init__(self, kind: str, p: float = 3.0) -> None:
        super().__init__()
        if kind not in POOLINGS:
            raise UnknownName("pooling", kind, POOLINGS)
        self.kind = kind
        if kind == "gem":
            self.p = nn.Parameter(torch.tensor(p))

    def forward(self, features: Float[Tensor, "n features positions"]) -> Float[Tensor, "n pooled"]:
        if self.kind == "avg":
            return features.mean(2)
        if self.kind == "max":
            return features.amax(2)
        if self.kind == "flatten":
            return features.flatten(1)
        # Clamped, since a power of zero or less has no gradient.
        return features.clamp(min=1e-6).pow(self.p).mean(2).pow(1 / self.p)
