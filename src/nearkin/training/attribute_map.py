"""The linear map from attributes to pictures in closed form: better than gradients where each class is one row."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from nearkin.encoders.encoder import Encoder
from nearkin.evaluation.leakage import sampled_rows
from nearkin.training.batches import TrainingData

# So many pictures tell where classes lie.
_ENOUGH = 20_000
_BATCH = 256
# Both as shares of what is usual: of the squared length of a row of attributes, and of the scatter of a direction.
_RIDGE, _EVENED = 1.0, 1.0


def refit_attribute_map(encoder: Encoder, data: TrainingData, *, seed: int) -> None:
    """Replace the map that was trained by the one in closed form, if the tower is a linear map and classes have labels.

    Args:
        encoder: after the training.
        data: what it was trained on.
        seed: random seed of which pictures, where there are more than 20,000.
    """
    tower = encoder.attribute_tower
    if tower is None or tower.config.width or data.attributes is None or data.label_ids is None:
        return
    rows = sampled_rows(len(data.items), limit=_ENOUGH, seed=seed)
    if len(np.unique(data.label_ids[rows])) < 2:
        return
    parts = [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]
    vectors = np.concatenate([encoder.embed_pixels(data.cache.batch(data.cache_rows[part])) for part in parts])
    weight, bias = attribute_map(vectors, data.label_ids[rows], data.attributes)
    linear = tower.layers[-1]
    assert isinstance(linear, nn.Linear)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(weight))
        linear.bias.copy_(torch.from_numpy(bias))


def attribute_map(
    vectors: Float[np.ndarray, "n dim"], labels: Int[np.ndarray, " n"], attributes: Float[np.ndarray, "classes k"]
) -> tuple[Float[np.ndarray, "dim k"], Float[np.ndarray, " dim"]]:
    """Weight and bias by which pictures score the attributes of their own class above those of others.

    Ridge regression from attributes to the mean vectors of classes; then directions in which pictures vary much count
    less, as in a linear discriminant. Up to centring and length it is ESZSL. Vectors of attributes are at right angles
    to the mean of all classes.

    Args:
        vectors: of pictures.
        labels: row of the attributes that describes the class of each; two classes at least.
        attributes: of classes; those without pictures do not count.

    Example:
        >>> weight, bias = attribute_map(np.eye(4), np.arange(4), np.eye(4))
        >>> (np.eye(4) @ (weight + bias[:, None])).argmax(axis=0).tolist()
        [0, 1, 2, 3]

    Source: Romera-Paredes & Torr 2015, An embarrassingly simple approach to zero-shot learning, eq. 5.
    """
    present, members = np.unique(labels, return_inverse=True)
    means = np.zeros((len(present), vectors.shape[1]))
    np.add.at(means, members, vectors)
    means /= np.bincount(members)[:, None]
    centre = means.mean(axis=0)
    described = attributes[present].astype(np.float64)
    usual = described.mean(axis=0)
    regression = _ridge(described - usual, means - centre)
    spread = vectors - centre
    scatter = spread.T @ spread / len(spread)
    evened = scatter + max(_EVENED * float(np.trace(scatter)) / len(scatter), 1e-12) * np.eye(len(scatter))
    weight = np.linalg.solve(evened, regression.T)
    # What all pictures have in common must not speak for one class or another.
    common = centre / max(float(np.linalg.norm(centre)), 1e-12)
    weight -= np.outer(common, common @ weight)
    return weight.astype(np.float32), (-weight @ usual).astype(np.float32)


def _ridge(given: Float[np.ndarray, "m k"], wanted: Float[np.ndarray, "m dim"]) -> Float[np.ndarray, "k dim"]:
    """The regression of the one on the other; of the two equal forms the one with the smaller system."""
    ridge = max(_RIDGE * float((given**2).sum(axis=1).mean()), 1e-12)
    found: np.ndarray
    if len(given) <= given.shape[1]:
        found = given.T @ np.linalg.solve(given @ given.T + ridge * np.eye(len(given)), wanted)
    else:
        found = np.linalg.solve(given.T @ given + ridge * np.eye(given.shape[1]), given.T @ wanted)
    return found
