"""The attribute tower: numbers that describe a class to the embedding's dimension, by a small network."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from nearkin.data.attributes import Attributes


@dataclass(frozen=True)
class AttributeTowerConfig:
    """What an attribute tower is made of.

    Args:
        dim: numbers of an embedding.
        width: of the hidden layer; 0 for none, a linear map.
        dropout: share of the attributes, and of the hidden numbers, dropped in training.
    """

    dim: int
    width: int = 0
    dropout: float = 0.1


class AttributeTower(nn.Module):
    """Attributes to vectors, not yet of unit length.

    Args:
        config: sizes.
        attributes: what the attributes are, and how they become numbers.

    Example:
        >>> import torch
        >>> attributes = Attributes.fit([{"legs": 4, "wings": 0}, {"legs": 2, "wings": 1}])
        >>> AttributeTower(AttributeTowerConfig(dim=8), attributes)(torch.zeros(3, 2)).shape
        torch.Size([3, 8])

    Source: Lampert et al. 2009 (classes by attributes); Frome et al. 2013, DeViSE (a tower into the pictures' space).
    """

    def __init__(self, config: AttributeTowerConfig, attributes: Attributes) -> None:
        super().__init__()
        self.config, self.attributes = config, attributes
        given = len(attributes.names)
        if config.width:
            self.layers = nn.Sequential(
                nn.Dropout(config.dropout),
                nn.Linear(given, config.width),
                nn.ReLU(),
                nn.Dropout(config.dropout),
                nn.Linear(config.width, config.dim),
            )
        else:
            self.layers = nn.Sequential(nn.Dropout(config.dropout), nn.Linear(given, config.dim))

    def forward(self, attributes: Float[Tensor, "n k"]) -> Float[Tensor, "n dim"]:
        return self.layers(attributes)
