"""Before the first epoch of a training that starts from weights: the start is judged, and its projection is fitted.

Both stages are rows of `metrics.csv`, with epoch 0: "start", the weights as they came, with the principal axes of their
features as projection; and "projection", the same network with a projection that is fitted in closed form. With a head
that fits already, the first steps do not distort what the network knows (LP-FT). `checkpoints/start.pt` keeps the
weights of the start, and those that the epochs begin from.

Source: Kumar et al. 2022, "Fine-tuning can distort pretrained features and underperform out-of-distribution",
arXiv:2202.10054.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nearkin.encoders.encoder import Encoder
from nearkin.training.beyond_chance import is_better
from nearkin.training.callbacks import save_whole
from nearkin.training.features import embedded, pooled_features
from nearkin.training.lightning_module import score, validation_figures
from nearkin.training.objective import Objective, set_class_weights
from nearkin.training.prepare import Prepared
from nearkin.training.run_folder import METRICS, START, metrics_row, write_metrics
from nearkin.training.settings import TrainSettings
from nearkin.training.whitening import WithinClasses, whitened_projection

# Pictures to fit the projection to, at most.
SAMPLE = 20_000
# Strengths of the whitening, the weakest first: that is taken where nothing is held out to judge by.
STRENGTHS = (0.1, 0.3, 0.5, 0.8)


def begin(prepared: Prepared, objective: Objective, settings: TrainSettings, out: Path) -> None:
    """Judge the start, fit its projection, and let the class weights of the loss begin at the classes' means.

    Args:
        prepared: its encoder gets the fitted projection, if that is better than the axes.
        objective: what will be trained.
        settings: of the run.
        out: the run folder, which gets rows of `metrics.csv` and the weights of the start.
    """
    started = time.monotonic()
    encoder, data, rows = prepared.encoder, prepared.train, []
    held_out = pooled_features(encoder, prepared.val) if len(prepared.val) else None

    def judge() -> dict[str, float]:
        if held_out is None:
            return {}
        vectors = embedded(encoder, held_out)
        return validation_figures(encoder, prepared.val, vectors, seed=settings.seed, trained=data.items.labels)

    def record(stage: str, figures: dict[str, float]) -> None:
        if figures:
            rows.append(metrics_row(0, time.monotonic() - started, None, figures, stage=stage))

    start, axes = judge(), _copy(encoder)
    record("start", start)
    if data.label_ids is not None:
        chosen = np.sort(np.random.default_rng(settings.seed).permutation(len(data.items))[:SAMPLE])
        features, labels = pooled_features(encoder, data, chosen), data.label_ids[chosen]
        if settings.projection_first and not encoder.image.has_trained_projection:
            # A picture and its mirror image are two of its class.
            views = [features]
            if settings.augmentation == "photo":
                views.append(pooled_features(encoder, data, chosen, mirrored=True))
            ids = prepared.val.label_ids
            known = None if held_out is None or ids is None else (held_out, ids)
            both = np.concatenate(views), np.tile(labels, len(views))
            figures = _fit_projection(encoder, *both, judge, start, known)
            record("projection", figures)
            if figures and score(figures, start) <= score(start, start):
                encoder.load_state_dict(axes)
        vectors = torch.from_numpy(embedded(encoder, features))
        set_class_weights(objective, vectors, torch.from_numpy(labels), data.classes)
    write_metrics(out / METRICS, rows)
    save_whole({"start": axes, "begun": _copy(encoder)}, out / START)


def _fit_projection(
    encoder: Encoder,
    features: Float[np.ndarray, "n features"],
    labels: Int[np.ndarray, " n"],
    judge: Callable[[], dict[str, float]],
    start: dict[str, float],
    held_out: tuple[Float[np.ndarray, "m features"], Int[np.ndarray, " m"]] | None,
) -> dict[str, float]:
    """Set the projection to the whitening that suits the held-out classes; its figures.

    That is the weakest with which no fewer of them are found than by the start, or a stronger one that is better than
    that beyond chance.
    """
    spread = WithinClasses.of(features, labels)

    def fit(strength: float) -> dict[str, float]:
        weight, bias = whitened_projection(features, spread, strength=strength, dim=encoder.dim)
        with torch.no_grad():
            encoder.image.projection.weight.copy_(torch.from_numpy(weight))
            encoder.image.projection.bias.copy_(torch.from_numpy(bias))
        return judge()

    chosen, vectors = STRENGTHS[0], None
    if held_out is not None:
        pictures, ids = held_out
        for strength in STRENGTHS:
            finds_fewer = fit(strength)["recall@1"] < start["recall@1"]
            now = embedded(encoder, pictures)
            if not finds_fewer and (vectors is None or is_better(now, vectors, ids)):
                chosen, vectors = strength, now
    return fit(chosen)


def _copy(encoder: Encoder) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in encoder.state_dict().items()}
