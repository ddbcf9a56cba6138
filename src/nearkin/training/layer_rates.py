"""Lower learning rates for lower layers: what they have learnt, edges and textures, serves any pictures."""

import re
from typing import Any

from torch import nn


def stage_rates(network: nn.Module, rate: float) -> dict[nn.Parameter, float]:
    """The learning rate of each weight as a multiple: 1 at the top stage, `rate` below it, `rate` squared below that.

    A stage is an entry of the lists that a network is made of (blocks, layers, stages), or a part beside them. timm
    knows the stages of its networks; those of another are taken from the names of its weights.

    Args:
        network: a backbone.
        rate: 0 < rate <= 1; 1 trains all stages alike.

    Example:
        >>> network = nn.ModuleDict({"stem": nn.Linear(1, 1), "blocks": nn.ModuleList([nn.Linear(1, 1)] * 1)})
        >>> sorted(stage_rates(network, 0.5).values())
        [0.5, 0.5, 1.0, 1.0]

    Source: Howard and Ruder 2018, "Universal language model fine-tuning for text classification", arXiv:1801.06146
        (discriminative fine-tuning).
    """
    stages: dict[Any, int] = {}
    found = {weight: stages.setdefault(_stage(name), len(stages)) for name, weight in network.named_parameters()}
    return {weight: rate ** (len(stages) - 1 - stage) for weight, stage in found.items()}


def _stage(name: str) -> str:
    """The stage that a weight's name says: up to the first number; a norm belongs to the convolution before it."""
    numbered = re.match(r".*?\.?\d+(?=\.)", name)
    if "." in name and numbered and not re.match(r"(conv|bn|norm)", name):
        return numbered[0]
    return "head" if "head" in name or name.startswith(("bn2.", "norm.")) else "stem"
