"""A projection that begins where a pretrained backbone stands.

A random projection, and the large gradients that it sends back at first, spoil in the first steps what a pretrained
backbone knows: a short training then ends below the frozen features. The principal axes of the features of training
pictures keep nearly all of their distances, and training goes on from there.
"""

import numpy as np
import torch

from nearkin.encoders.encoder import Encoder
from nearkin.training.batches import TrainingData
from nearkin.training.features import pooled_features

# Pictures whose features are looked at.
SAMPLE = 2048


def start_from_features(encoder: Encoder, data: TrainingData, *, seed: int) -> None:
    """Set the projection of the image tower to the principal axes of its features.

    With fewer features or pictures than the embedding has numbers, the rest keeps its random weights, scaled to the
    weakest axis.

    Args:
        encoder: with a pretrained backbone.
        data: pictures to train on.
        seed: of the sample.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(len(data.items))[:SAMPLE])
    features = torch.from_numpy(pooled_features(encoder, data, rows))
    mean = features.mean(0)
    _, strengths, axes = torch.linalg.svd(features - mean, full_matrices=False)
    projection = encoder.image.projection
    count = min(projection.out_features, int((strengths > 1e-6 * strengths[0]).sum()))
    with torch.no_grad():
        # An embedding has length about 1 before it is scaled to it, as with random weights.
        scale = (len(rows) / strengths.square().sum()).sqrt()
        projection.weight[count:] *= float(scale * strengths[count - 1] / len(rows) ** 0.5)
        projection.weight[:count] = axes[:count] * scale
        projection.bias.copy_(-projection.weight @ mean)
