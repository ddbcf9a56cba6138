"""Which weights a training ends with: those of the best epoch, of the start, or between both, whichever is better."""

import copy
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nearkin.encoders.encoder import Encoder
from nearkin.training.batches import InOrder
from nearkin.training.beyond_chance import is_better
from nearkin.training.features import pooled_features
from nearkin.training.interpolation import SHARES, interpolated
from nearkin.training.lightning_module import EmbeddingModule, score, validation_figures
from nearkin.training.prepare import Prepared
from nearkin.training.run_folder import BEST, METRICS, START, check_checkpoint, read_all_metrics, row_figures

NOTHING = "Training brought nothing here; the start is kept."
ONLY_PROJECTION = "A fitted projection is kept, on the network of the start."
# Only the image tower came with weights: other towers begin at random ones, with which nothing is to be mixed.
_TOWER = "image."
_BATCH = 256


def best_weights(module: EmbeddingModule, prepared: Prepared, out: Path) -> tuple[dict[str, Tensor], str]:
    """The weights to keep, and a note on them; none if they are simply those of the best epoch.

    Args:
        module: after the training.
        prepared: its pictures.
        out: the run folder, with the weights of the best epoch.

    Raises:
        ArtefactError: these are damaged.
    """
    from_start = module.settings.interpolate and (out / START).exists()
    states = torch.load(out / START, weights_only=True) if from_start else {}
    if module.settings.epochs == 0:
        tuned = torch.load(out / START, weights_only=True)["begun"]
    else:
        check_checkpoint(out / BEST)
        tuned = torch.load(out / BEST, weights_only=True)
    if not states or not module.start:
        return tuned, ""
    begun = {name: tensor for name, tensor in states["begun"].items() if name.startswith(_TOWER)}
    judged = {row["stage"]: score(row_figures(row), module.start) for row in read_all_metrics(out / METRICS)[:2]}
    # Of equals the first is kept: nothing is changed that need not be.
    best, note, weights = judged["start"], NOTHING, states["start"]
    if judged.get("projection", best) > best:
        best, note, weights = judged["projection"], ONLY_PROJECTION, states["begun"]
    if module.settings.epochs == 0:
        return weights, note
    encoder, data = copy.deepcopy(module.encoder).cpu(), prepared.val
    # Captions and attributes are trained from nothing, and what is won by them is no matter of chance.
    only_labels = data.label_ids is not None and data.tokenizer is None and data.attributes is None
    before = _embedded(encoder, states["begun"], prepared) if only_labels else None
    for share in (*SHARES, 1.0):
        between = interpolated(begun, tuned, share)
        vectors = _embedded(encoder, between, prepared)
        if (now := _score(encoder, vectors, module, prepared)) <= best:
            continue
        if before is None or data.label_ids is None or is_better(vectors, before, data.label_ids):
            best, note, weights = now, _way(share), between
    return weights, note


def _way(share: float) -> str:
    if share == 1:
        return ""
    return (
        f"The weights kept are {100 * share:.0f} % of the way from the start to the best epoch: the best for the "
        f"held-out pictures among {100 * SHARES[0]:.0f} to 100 %."
    )


def frozen_features(encoder: Encoder, prepared: Prepared, out: Path) -> Float[np.ndarray, "n features"] | None:
    """Pooled features of the held-out pictures by the network of the start; None if the run does not judge it."""
    if not (out / START).exists():
        return None
    start = copy.deepcopy(encoder)
    start.load_state_dict(torch.load(out / START, weights_only=True)["start"])
    return pooled_features(start, prepared.val)


def _embedded(encoder: Encoder, weights: dict[str, Tensor], prepared: Prepared) -> Float[np.ndarray, "n dim"]:
    """The held-out pictures as an encoder with these weights embeds them; it keeps the weights."""
    encoder.load_state_dict(weights)
    batches = InOrder(prepared.val, batch_size=_BATCH)
    return np.concatenate([encoder.embed_pixels(batch.pixels.numpy()) for batch in batches])


def _score(encoder: Encoder, vectors: Float[np.ndarray, "n dim"], module: EmbeddingModule, prepared: Prepared) -> float:
    trained = prepared.train.items.labels
    figures = validation_figures(encoder, prepared.val, vectors, seed=module.settings.seed, trained=trained)
    return score(figures, module.start)
