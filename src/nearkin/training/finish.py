"""What a finished model takes along beside its weights: what its scores mean, and hashes of what it was trained on."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from nearkin.calibration.decisions import Calibration
from nearkin.calibration.fit import fit_calibration
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.training_hashes import TrainingSketch
from nearkin.errors import InvalidInput
from nearkin.evaluation.leakage import sampled_rows, sketch_of
from nearkin.report.plots import reliability_plot
from nearkin.training.batches import TrainingData

# Pictures whose pixels are read at once.
_BATCH = 256


def calibrate_held_out(
    encoder: Encoder, data: TrainingData, vectors: Float[np.ndarray, "n dim"], *, seed: int
) -> tuple[Calibration | None, str]:
    """The calibration on the held-out classes, and a sentence on it for the report.

    None, and the reason, where no labels are trained, or too few classes are held out.
    """
    if data.label_ids is None:
        return None, ""
    note = "The epoch was chosen by the same pictures, which flatters the thresholds a little."
    try:
        calibration = fit_calibration(
            vectors,
            data.label_ids,
            fingerprint=encoder.fingerprint,
            source=f"held-out classes of {Path(data.items.source).name}",
            notes=[note],
            seed=seed,
        )
    except InvalidInput as error:
        return None, f"No thresholds: {error}. `nearkin calibrate` finds them on other pictures."
    fars = ", ".join(f"{far:g}" for far in calibration.fars)
    return calibration, f"Thresholds for false accept rates of {fars} are kept with the model (`nearkin verify`)."


def write_reliability(calibration: Calibration | None, path: Path) -> None:
    """Draw the reliability plot, if there is a calibration."""
    if calibration is not None:
        path.write_text(reliability_plot(calibration.map).svg(alone=True), encoding="utf-8")


def sketch_trained(data: TrainingData, *, seed: int) -> TrainingSketch:
    """Hashes of the pictures and classes that were trained on."""
    rows = sampled_rows(len(data.items), seed=seed)
    batches = (data.cache.batch(data.cache_rows[rows[start : start + _BATCH]]) for start in range(0, len(rows), _BATCH))
    labels = data.items.labels if data.label_ids is not None else ()
    return sketch_of(batches, labels, total=len(data.items))
