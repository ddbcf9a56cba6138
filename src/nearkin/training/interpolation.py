"""Weights between those of the start and those after fine-tuning.

Fine-tuning makes a network better at what it was trained on and forgets some of the rest; on the straight line between
both sets of weights there are often networks that are better than either.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

# Shares of the fine-tuned weights that are judged, besides 0, the start, and 1.
SHARES = (0.1, 0.25, 0.5, 0.75)


def interpolated(start: Mapping[str, Tensor], tuned: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """(1 - share) start + share tuned, tensor by tensor.

    Args:
        start, tuned: tensors by name. Those that the start lacks, and those that hold no fractions, are the tuned ones.
        share: of the tuned weights, 0 to 1.

    Example:
        >>> interpolated({"w": torch.zeros(1)}, {"w": torch.ones(1), "text": torch.ones(1)}, 0.25)
        {'w': tensor([0.2500]), 'text': tensor([1.])}

    Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models" (WiSE-FT), arXiv:2109.01903.
    """
    return {
        name: torch.lerp(start[name].to(tensor), tensor, share)
        if name in start and tensor.is_floating_point()
        else tensor.clone()
        for name, tensor in tuned.items()
    }
