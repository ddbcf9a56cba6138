"""Training with a frozen network: its features are computed once, so that an epoch takes seconds."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from nearkin.training.batches import TrainingData
from nearkin.training.features import pooled_features
from nearkin.training.prepare import Prepared


@dataclass(frozen=True)
class Standardised:
    """How features are standardised for training: z = (f - mean) / scale, with one scale for all.

    A projection W z + b is the projection W f / scale + (b - W mean / scale) of the features as they are, in which form
    the encoder keeps it.

    Args:
        mean: of each feature.
        scale: the mean of the features' standard deviations.
    """

    mean: Float[Tensor, " features"]
    scale: Float[Tensor, ""]

    @staticmethod
    def of(features: Float[np.ndarray, "n features"]) -> "Standardised":
        """Standardises these."""
        found = torch.from_numpy(features)
        return Standardised(found.mean(0), found.std(0, correction=0).mean().clamp(min=1e-6))

    def __call__(self, features: Float[Tensor, "n features"]) -> Float[Tensor, "n features"]:
        mean, scale = self.mean.to(features.device), self.scale.to(features.device)
        return (features - mean) / scale

    @torch.no_grad()
    def unfolded(self, projection: nn.Linear) -> nn.Linear:
        """The same map, of standardised features."""
        found = nn.Linear(projection.in_features, projection.out_features)
        found.weight.copy_(projection.weight * self.scale)
        found.bias.copy_(projection.bias + projection.weight @ self.mean)
        return found

    @torch.no_grad()
    def fold(self, head: nn.Linear, projection: nn.Linear) -> None:
        """Write the map of standardised features into a projection of the features as they are."""
        mean, scale = self.mean.to(head.weight.device), self.scale.to(head.weight.device)
        projection.weight.copy_(head.weight / scale)
        projection.bias.copy_(head.bias - projection.weight @ mean)


def with_features(
    prepared: Prepared, *, mirrored: bool, on_message: Callable[[str], None] | None = None
) -> tuple[TrainingData, TrainingData]:
    """The training and the validation pictures with their features.

    Args:
        prepared: the pictures, and the encoder whose network is frozen.
        mirrored: take the mirror images of the training pictures as well.
        on_message: is told in a line what is computed.
    """
    encoder = prepared.encoder
    if on_message is not None:
        on_message(
            "the network is frozen (--no-freeze trains it): its features are computed once, before the first epoch"
        )

    def views(data: TrainingData, ways: list[bool]) -> TrainingData:
        return replace(data, features=np.stack([pooled_features(encoder, data, mirrored=way) for way in ways]))

    train = views(prepared.train, [False, True] if mirrored else [False])
    return train, views(prepared.val, [False]) if len(prepared.val) else prepared.val
