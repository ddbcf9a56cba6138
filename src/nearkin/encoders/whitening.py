"""Whitening: an encoder whose embedding spreads evenly over pictures like these, fitted without labels."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from nearkin.data.items import Picture
from nearkin.data.streaming import stream_pixels
from nearkin.encoders.embedder import Embedder
from nearkin.encoders.encoder import Encoder, as_pictures
from nearkin.encoders.image import ImageTower
from nearkin.errors import EncoderMismatch, InvalidInput
from nearkin.progress import Progress

# Pictures that a whitening is fitted to, evenly spaced over all: more change it little.
MOST = 2000
# Chosen on caltech101 and grocery (`benchmarks/starts.py --choose`).
SHRINKAGE, POWER = 0.5, 0.25


def whitened(encoder: Encoder, pictures: Sequence[Picture], *, progress: Progress | None = None) -> Encoder:
    """The encoder with a linear map behind it that makes strong directions of its vectors weaker.

    The map is part of the new encoder's projection, and is kept with it: later pictures go through the same.

    Args:
        encoder: stays as it is; the new one shares its network.
        pictures: the person's own; labels are not asked for. Those that cannot be read are left out.
        progress: called with pictures done and all.

    Raises:
        InvalidInput: fewer than two of the pictures can be read, or all are equal; or the encoder embeds texts or
            attributes too, which would stay behind in the old space.
    """
    if encoder.has_text or encoder.has_attributes:
        raise InvalidInput(
            f"encoder {encoder.fingerprint} embeds more than pictures, and whitening would move these alone: leave "
            "--whiten out"
        )
    rows = np.unique(np.linspace(0, len(pictures) - 1, min(MOST, len(pictures))).astype(int))
    chosen = [pictures[row] for row in rows]
    mean, matrix = whitening(_vectors(encoder, chosen, progress))
    old = encoder.image
    config = dataclasses.replace(old.config, projection=True)
    before = old.projection if old.config.projection else None
    weight = matrix if before is None else matrix @ before.weight.detach().double()
    offset = -mean if before is None else before.bias.detach().double() - mean
    tower = _with_projection(old, config.dim)
    with torch.no_grad():
        tower.projection.weight.copy_(weight)
        tower.projection.bias.copy_(matrix @ offset)
    new = Encoder(tower, encoder.preprocessing)
    new.card = f"{encoder.card}\nWhitened on {len(chosen):,} pictures, without labels.\n"
    return new.to(encoder.device).eval()


def whitening(
    batches: Iterable[Tensor], *, shrinkage: float = SHRINKAGE, power: float = POWER
) -> tuple[Float[Tensor, " dim"], Float[Tensor, "dim dim"]]:
    """Mean m and matrix W of the map x -> W (x - m) with W = S^-power, where S is a shrunken covariance.

    S = (1 - a) C + a tr(C) / dim I, of the covariance C and the shrinkage a. Power 1/2 without shrinkage is the
    textbook's whitening: all directions become equally strong, noise among them. Smaller powers go part of the way.

    Args:
        batches: vectors `[n, dim]`, as the encoder makes them before they get unit length.
        shrinkage: a, from 0 to 1.
        power: 1/2 for whitening, 0 for centring alone.

    Raises:
        InvalidInput: fewer than two vectors, or all are equal.

    Example:
        >>> mean, matrix = whitening([torch.tensor([[4.0, 0], [-4, 0], [0, 1], [0, -1]])], shrinkage=0.0, power=0.5)
        >>> matrix.diagonal().round(decimals=3)
        tensor([0.3540, 1.4140], dtype=torch.float64)

    Source: Kessy, Lewin & Strimmer 2018, arXiv:1512.00809 (ZCA); Ledoit & Wolf 2004 (shrinkage to the identity).
    """
    count, total, products = 0, torch.zeros(0), torch.zeros(0)
    for batch in batches:
        vectors = batch.double()
        count += len(vectors)
        total = vectors.sum(0) + (total if len(total) else 0)
        products = vectors.T @ vectors + (products if len(products) else 0)
    if count < 2:
        raise InvalidInput(f"whitening needs two pictures that can be read, there are {count}: leave --whiten out")
    mean = total / count
    covariance = products / count - torch.outer(mean, mean)
    scale = covariance.diagonal().mean()
    # Rounding leaves about so much of equal vectors.
    if scale <= 1e-12 * mean.square().mean():
        raise InvalidInput("whitening needs pictures that differ, and these have equal vectors: leave --whiten out")
    shrunken = (1 - shrinkage) * covariance + shrinkage * scale * torch.eye(len(mean), dtype=torch.float64)
    values, directions = torch.linalg.eigh(shrunken)
    # Rounding may make the weakest ones negative.
    strength = values.clamp(min=1e-9 * float(values[-1])) ** -power
    return mean, (directions * strength) @ directions.T


def check_whitened_form(own: Embedder, model: Encoder) -> None:
    """Check that a gallery's encoder is a model in whitened form, or the model itself.

    Raises:
        EncoderMismatch: it has another network.
    """
    networks = [one.image.backbone.state_dict() for one in (own, model) if isinstance(one, Encoder)]
    same = (
        len(networks) == 2
        and own.preprocessing == model.preprocessing
        and networks[0].keys() == networks[1].keys()
        and all(torch.equal(tensor.cpu(), networks[1][name].cpu()) for name, tensor in networks[0].items())
    )
    if not same:
        raise EncoderMismatch(
            f"the gallery's encoder {own.fingerprint} is no whitened form of {model.fingerprint}: index with its own "
            "model, or into another gallery"
        )


def _vectors(encoder: Encoder, pictures: list[Picture], progress: Progress | None) -> Iterable[Tensor]:
    """Vectors before they get unit length."""
    done = 0
    for batch in stream_pixels(pictures, encoder.preprocessing, batch_size=64):
        if len(batch.pixels):
            with torch.inference_mode():
                pixels = as_pictures(torch.from_numpy(batch.pixels).to(encoder.device))
                yield encoder.image(encoder.normalise(pixels)).float().cpu()
        done += len(batch.rows)
        if progress:
            progress(done, len(pictures))


def _with_projection(tower: ImageTower, dim: int) -> ImageTower:
    """A tower with the network of another, which is not copied, and a projection of its own."""
    new = ImageTower.__new__(ImageTower)
    nn.Module.__init__(new)
    new.config = dataclasses.replace(tower.config, projection=True)
    new.backbone, new.pooling, new.channels_last = tower.backbone, tower.pooling, tower.channels_last
    new.projection = nn.Linear(tower.count_features(), dim)
    new.has_trained_projection = True
    return new
