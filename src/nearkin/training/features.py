"""What the network of an encoder makes of pictures, before the projection, and what the projection makes of that."""

import numpy as np
import torch
from jaxtyping import Float, Int

from nearkin.arrays import unit
from nearkin.encoders.encoder import Encoder, as_pictures
from nearkin.training.batches import TrainingData


@torch.no_grad()
def pooled_features(
    encoder: Encoder, data: TrainingData, rows: Int[np.ndarray, " n"] | None = None, *, mirrored: bool = False
) -> Float[np.ndarray, "n features"]:
    """What the backbone makes of pictures, pooled, in evaluation mode.

    Args:
        encoder: whose image tower it is.
        data: the pictures.
        rows: which of its items; all if None.
        mirrored: of the mirror images instead.
    """
    rows = np.arange(len(data.items)) if rows is None else rows
    training = encoder.training
    encoder.eval()
    found = []
    for part in np.array_split(rows, max(1, -(-len(rows) // encoder.pictures_together))):
        pictures = as_pictures(torch.from_numpy(data.cache.batch(data.cache_rows[part])))
        pictures = pictures.flip(3) if mirrored else pictures
        found.append(encoder.image.features(encoder.normalise(pictures)).float().numpy())
    encoder.train(training)
    return np.concatenate(found)


@torch.no_grad()
def embedded(encoder: Encoder, features: Float[np.ndarray, "n features"]) -> Float[np.ndarray, "n dim"]:
    """Embeddings of pooled features."""
    return unit(encoder.image.projection(torch.from_numpy(features)).numpy())
