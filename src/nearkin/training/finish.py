"""From the best epoch to a saved model: its figures, calibration, card and hashes of what it was trained on."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from nearkin.arrays import unit
from nearkin.calibration.decisions import Calibration
from nearkin.calibration.fit import fit_calibration
from nearkin.calibration.words import WordCalibration, word_calibration
from nearkin.encoders.artefact import CALIBRATION
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.model_card import model_card
from nearkin.encoders.raw_pixels import raw_pixels
from nearkin.encoders.training_hashes import TrainingHashes, hash_pixels
from nearkin.errors import InvalidInput
from nearkin.evaluation.leakage import hash_training, sampled_rows, seen_in_training
from nearkin.evaluation.protocol import Embeddings
from nearkin.evaluation.report import Report
from nearkin.evaluation.runner import quick_settings
from nearkin.files import write_whole
from nearkin.report.plots import reliability_plot
from nearkin.training.advice import advice
from nearkin.training.attribute_map import refit_attribute_map
from nearkin.training.batches import InOrder, TrainingData
from nearkin.training.caption_baselines import caption_baselines
from nearkin.training.choose import best_weights, frozen_features
from nearkin.training.curves import draw_curves
from nearkin.training.lightning_module import EmbeddingModule, evaluate_pictures
from nearkin.training.prepare import Prepared
from nearkin.training.run_folder import METRICS, MODEL, REPORT, read_metrics
from nearkin.training.settings import TrainSettings

# The baseline of a run that starts from weights: the start's pooled features.
FROZEN = "frozen start"
# Pictures whose pixels are read at once.
_BATCH = 256


def finish(module: EmbeddingModule, prepared: Prepared, out: Path, notes: Sequence[str]) -> Encoder:
    """The encoder of the best epoch, with report, calibration and card, saved in `out/model`.

    Args:
        module: after the training.
        prepared: its pictures.
        out: the run folder.
        notes: for the report, on how the training went.
    """
    encoder, settings = module.encoder, module.settings
    draw_curves(out / METRICS, out / "curves.png")
    weights, kept = best_weights(module, prepared, out)
    encoder.load_state_dict(weights)
    encoder.cpu().eval()
    refit_attribute_map(encoder, prepared.train, seed=settings.seed)
    encoder.training_hashes = hash_training_data(prepared.train, seed=settings.seed)
    report = _evaluated(encoder, prepared, out, settings, [*([kept] if kept else []), *notes])
    report.write(out / REPORT)
    encoder.card = model_card(encoder, trained_on=_about(prepared, settings), evaluation=report.to_markdown())
    encoder.save_pretrained(out / MODEL)
    return encoder


def _evaluated(
    encoder: Encoder, prepared: Prepared, out: Path, settings: TrainSettings, notes: Sequence[str]
) -> Report:
    """The report on the validation pictures; the encoder gets its calibration by them."""
    more = list(notes)
    if prepared.left_out:
        more.append(f"{prepared.left_out:,} pictures without what is trained, a label or a caption, were left out.")
    epochs = len(read_metrics(out / METRICS))
    if not len(prepared.val):
        encoder.calibration, dropped = _kept(out, encoder)
        nothing = "No picture was held out: the model of the last epoch was saved, and nothing says how good it is."
        more = [nothing, *more, *dropped]
        report = Report(f"{encoder.fingerprint}, trained on all pictures of {prepared.train.items.source}", {})
    else:
        batches = [batch.pixels.numpy() for batch in InOrder(prepared.val, batch_size=_BATCH)]
        vectors = np.concatenate([encoder.embed_pixels(pixels) for pixels in batches])
        raw = np.concatenate([raw_pixels(pixels) for pixels in batches])
        more = [
            f"Held-out pictures; the best of {epochs:,} epochs was chosen by them."
            if epochs > 1
            else "Held-out pictures, after one epoch."
            if epochs
            else "Held-out pictures.",
            *more,
            *_copies(encoder, batches, raw, prepared.val),
        ]
        encoder.calibration, dropped = _kept(out, encoder)
        if encoder.calibration is None:
            encoder.calibration, note = calibrate_held_out(encoder, prepared.val, vectors, seed=settings.seed)
            more += [*dropped, *([note] if note else [])]
        encoder.word_calibration, note = calibrate_held_out_words(encoder, prepared.val, vectors, seed=settings.seed)
        more += [note] if note else []
        write_reliability(encoder.calibration, out / "reliability.svg")
        baselines = {"raw pixels": Embeddings(raw)}
        if (frozen := frozen_features(encoder, prepared, out)) is not None:
            baselines = {FROZEN: Embeddings(frozen), **baselines}
        if prepared.val.tokenizer is not None:
            baselines |= caption_baselines(encoder, prepared.train, prepared.val, seed=settings.seed)
        report = evaluate_pictures(
            encoder,
            prepared.val,
            vectors,
            title=f"{encoder.fingerprint} on held-out pictures of {prepared.val.items.source}",
            settings=quick_settings(seed=settings.seed),
            trained=set(prepared.train.items.labels),
            baselines=baselines,
            notes=more,
        )
        more = [*report.notes, *advice(read_metrics(out / METRICS), report, settings)]
    counts = {**report.counts, "epochs": epochs, "skipped": len(prepared.skipped)}
    return replace(report, notes=tuple(more), skipped=prepared.skipped, counts=counts)


def _kept(out: Path, encoder: Encoder) -> tuple[Calibration | None, list[str]]:
    """The calibration that the saved model has, if its weights are still these; else a word on one that goes."""
    path = out / MODEL / CALIBRATION
    if not path.is_file():
        return None, []
    before = Calibration.from_dict(json.loads(path.read_text(encoding="utf-8")))
    if before.fingerprint == encoder.fingerprint:
        return before, []
    if before.source.startswith(_HELD_OUT):
        return None, []
    return None, [f"The weights have changed: the calibration on {before.source} is void, calibrate again."]


_HELD_OUT = "held-out classes of "


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
            source=f"{_HELD_OUT}{Path(data.items.source).name}",
            notes=[note],
            seed=seed,
        )
    except InvalidInput as error:
        return None, f"No thresholds: {error}. `nearkin calibrate` finds them on other pictures."
    fars = ", ".join(f"{far:g}" for far in calibration.fars)
    return calibration, f"Thresholds for false accept rates of {fars} are kept with the model (`nearkin verify`)."


def calibrate_held_out_words(
    encoder: Encoder, data: TrainingData, vectors: Float[np.ndarray, "n dim"], *, seed: int
) -> tuple[WordCalibration | None, str]:
    """What to judge words by, from the held-out captions, and a sentence on it for the report."""
    if data.tokenizer is None:
        return None, ""
    texts, owners = data.items.texts()
    try:
        words = word_calibration(
            vectors,
            encoder.embed_texts(texts),
            owners,
            texts,
            fingerprint=encoder.fingerprint,
            languages=data.items.languages,
            source=f"held-out captions of {Path(data.items.source).name}",
            seed=seed,
        )
    except InvalidInput as error:
        return None, f"No telling whether anything matches words: {error}. `nearkin calibrate` takes others."
    counts = ", ".join(f"{count:,} {name}".strip() for name, count in words.counts.items())
    return words, f"Held-out captions ({counts}) are kept with the model: `nearkin search --fpir` goes by them."


def write_reliability(calibration: Calibration | None, path: Path) -> None:
    """Draw the reliability plot, if there is a calibration."""
    if calibration is not None:
        write_whole(path, reliability_plot(calibration.map).svg(alone=True))


def hash_training_data(data: TrainingData, *, seed: int) -> TrainingHashes:
    """Hashes of the pictures and classes that were trained on."""
    rows = sampled_rows(len(data.items), seed=seed)
    batches = (data.cache.batch(data.cache_rows[rows[start : start + _BATCH]]) for start in range(0, len(rows), _BATCH))
    labels = data.items.labels if data.label_ids is not None else ()
    return hash_training(batches, labels, total=len(data.items))


def _copies(
    encoder: Encoder, batches: Sequence[np.ndarray], raw: Float[np.ndarray, "n raw"], data: TrainingData
) -> list[str]:
    """A note on validation pictures that were trained on, under another name or nearly."""
    hashes = np.concatenate([hash_pixels(pixels) for pixels in batches])
    rows = np.flatnonzero(np.logical_or(*seen_in_training(hashes, unit(raw), encoder.training_hashes)))
    if not len(rows):
        return []
    named = ", ".join(data.items.uris[row] for row in rows[:3]) + (", ..." if len(rows) > 3 else "")
    return [
        f"{len(rows):,} of {len(data.items):,} held-out pictures are also, exactly or nearly, among those trained on "
        f"({named}): they flatter the figures."
    ]


def _about(prepared: Prepared, settings: TrainSettings) -> str:
    """What it was trained on, and how, in a sentence or two for the card."""
    train = prepared.train
    losses = [settings.loss or "triplet"] if train.label_ids is not None else []
    losses += [f"{settings.caption_loss} on captions"] if train.tokenizer is not None else []
    losses += [f"{settings.attribute_loss} on attributes"] if train.attributes is not None else []
    classes = f" of {train.classes // train.turns:,} classes" if train.label_ids is not None else ""
    classes += ", each rotated by quarter turns as classes of their own," if train.turns > 1 else ""
    return (
        f"{len(train.items):,} pictures{classes} from {Path(train.items.source).name}, up to {settings.budget}, "
        f"loss {' + '.join(losses)}, seed {settings.seed}."
    )
