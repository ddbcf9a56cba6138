"""Which weights a training ends with: those of the best epoch, of the start, or between both, whichever is better."""

import copy
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nearkin.encoders.encoder import Encoder
from nearkin.training.batches import InOrder
from nearkin.training.interpolation import SHARES, interpolated
from nearkin.training.lightning_module import EmbeddingModule, score, validation_figures
from nearkin.training.prepare import Prepared
from nearkin.training.run_folder import BEST, START, check_checkpoint
from nearkin.training.start import pooled_features

NOTHING = "Training brought nothing here; the start is kept."
ONLY_PROJECTION = "The fitted projection is kept, and the network of the start: training the network brought no more."
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
    check_checkpoint(out / BEST)
    tuned = torch.load(out / BEST, weights_only=True)
    if not module.settings.interpolate or not module.start or not (out / START).exists():
        return tuned, ""
    states = torch.load(out / START, weights_only=True)
    begun = {name: tensor for name, tensor in states["begun"].items() if name.startswith(_TOWER)}
    among = {share: interpolated(begun, tuned, share) for share in (*SHARES, 1.0)}
    # Of equals the first: nothing is changed that need not be.
    candidates = {NOTHING: states["start"], ONLY_PROJECTION: states["begun"]}
    candidates |= {
        f"The weights kept are {100 * share:.0f} % of the way from the start to the best epoch: of five such places "
        "this is the best for the held-out pictures.": weights
        for share, weights in among.items()
    }
    encoder = copy.deepcopy(module.encoder).cpu()
    scores = {note: _score(encoder, weights, module, prepared) for note, weights in candidates.items()}
    note = max(scores, key=lambda one: scores[one])
    return candidates[note], note


def frozen_features(encoder: Encoder, prepared: Prepared, out: Path) -> Float[np.ndarray, "n features"] | None:
    """Pooled features of the held-out pictures by the network of the start; None if the run does not judge it."""
    if not (out / START).exists():
        return None
    start = copy.deepcopy(encoder)
    start.load_state_dict(torch.load(out / START, weights_only=True)["start"])
    return pooled_features(start, prepared.val)


def _score(encoder: Encoder, weights: dict[str, Tensor], module: EmbeddingModule, prepared: Prepared) -> float:
    encoder.load_state_dict(weights)
    batches = InOrder(prepared.val, batch_size=_BATCH)
    vectors = np.concatenate([encoder.embed_pixels(batch.pixels.numpy()) for batch in batches])
    trained = prepared.train.items.labels
    figures = validation_figures(encoder, prepared.val, vectors, seed=module.settings.seed, trained=trained)
    return score(figures, module.start)
