"""train(): one run, from a source to a saved model, in one run folder.

settings.yaml   what was asked for      checkpoints/      best.pt, last.ckpt
metrics.csv     a row for each epoch    model/            the artefact
curves.png      the same, drawn         report.json       final validation figures beside raw pixels and chance
reliability.svg how far the probabilities of `nearkin verify` can be believed, if the model could be calibrated
train.csv, validation.csv               which pictures were on which side
skipped.csv     broken pictures, only if there are any
"""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import RichProgressBar

from nearkin.data.items import Items
from nearkin.data.sources import read_items
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.model_card import model_card
from nearkin.encoders.raw_pixels import raw_pixels
from nearkin.errors import ArtefactError, InvalidInput, TrainingError
from nearkin.evaluation.runner import quick_settings
from nearkin.losses import LabelLoss
from nearkin.progress import Progress
from nearkin.training.batches import InOrder
from nearkin.training.callbacks import Checkpoints, EpochSummary, Record, Stop, ValidateEvery, read_metrics
from nearkin.training.curves import draw_curves
from nearkin.training.finish import calibrate_held_out, sketch_trained, write_reliability
from nearkin.training.lightning_module import EmbeddingModule, judge_side
from nearkin.training.objective import build_objective
from nearkin.training.prepare import Prepared, prepare
from nearkin.training.projection_init import start_from_features
from nearkin.training.run_folder import write_sides
from nearkin.training.settings import TrainSettings, read_settings

# The weights of the best epoch, in the run folder.
BEST = Path("checkpoints") / "best.pt"
# A note of the report of such a run.
INTERRUPTED = "The training was interrupted; `--resume` goes on with it."


def train(
    source: str | Path | Items,
    *,
    out: str | Path = "runs/train",
    resume: bool = False,
    loss: str | LabelLoss | None = None,
    on_epoch: Callable[[EpochSummary], None] | None = None,
    progress: Progress | None = None,
    progress_bar: bool = False,
    **settings: Any,
) -> Encoder:
    """Train an encoder on a folder of pictures, a table or a dataset.

    Args:
        source: anything that `read_items` reads.
        out: the run folder, made if it is missing.
        resume: go on with the run in `out`, by its own settings, exactly as if it had not stopped.
        loss: name of a loss on labels, import path of one, or any callable `(embeddings, labels) -> scalar`.
        on_epoch: called with the summary of each epoch.
        progress: called with `(done, total)` while pictures are decoded.
        progress_bar: show a bar of the running epoch with loss and recall on the terminal.
        settings: any field of `TrainSettings`: backbone, dim, epochs, minutes, captions, seed, ...

    Returns:
        The encoder of the best epoch, in evaluation mode; it is saved in `out/model` as well. Ctrl-C ends the training
        early with a usable model.

    Raises:
        SourceError: the source cannot be read, or there is nothing to learn from.
        UnknownName: no such setting, backbone, loss, ...; the message suggests near names.
        InvalidInput: a setting is out of range, or `out` holds another run.
        TrainingError: the loss is not finite. If an epoch was finished before, its model is in `out/model`.

    Example:
        >>> import nearkin
        >>> encoder = nearkin.train("photos/", out="runs/x", loss="triplet", epochs=5)  # doctest: +SKIP
    """
    out = Path(out)
    named_loss = loss if loss is None or isinstance(loss, str) else _name_of(loss)
    if resume:
        checked = _settings_to_resume(out, {**settings, **({"loss": named_loss} if named_loss else {})})
    else:
        checked = TrainSettings.checked(loss=named_loss, **settings)
        if (out / "settings.yaml").exists():
            raise InvalidInput(f"'{out}' holds a run already: resume it, or choose another folder")
    if checked.device == "cuda" and not torch.cuda.is_available():
        raise InvalidInput("device is 'cuda', but torch finds no GPU here: leave it out, or say 'cpu'")
    items = read_items(source, label=checked.label, captions=checked.caption_columns)
    if checked.threads is not None:
        torch.set_num_threads(checked.threads)
    with torch.random.fork_rng(), _quiet():
        torch.manual_seed(checked.seed)
        prepared = prepare(items, checked, progress=progress)
        if checked.weights is not None:
            start_from_features(prepared.encoder, prepared.train, seed=checked.seed)
        objective = build_objective(prepared.train, checked, loss)
        module = EmbeddingModule(prepared.encoder, objective, checked, prepared.train, prepared.val)
        write_sides(prepared, out, check=resume)
        checked.write(out / "settings.yaml")
        note = fault = None
        try:
            if _fit(module, out, resume, on_epoch, progress_bar):
                note = INTERRUPTED
        except TrainingError as error:
            if not (out / BEST).exists():
                raise TrainingError(f"{error}; no epoch was finished, so there is no model") from error
            note, fault = f"The training broke off: {error}.", error
    draw_curves(out / "metrics.csv", out / "curves.png")
    encoder = _finish(module, prepared, out, note)
    if fault is not None:
        raise TrainingError(f"{fault}; '{out / 'model'}' is the model of the best epoch before") from fault
    return encoder


def _settings_to_resume(out: Path, given: dict[str, Any]) -> TrainSettings:
    if not (out / "settings.yaml").exists():
        raise ArtefactError(f"'{out}' holds no run to resume: train without resuming first")
    stored = TrainSettings.checked(**read_settings(out / "settings.yaml"))
    changed = [name for name, value in given.items() if getattr(stored, name, None) != value]
    if changed:
        raise InvalidInput(
            f"'{out}' is resumed by its own settings.yaml; {', '.join(changed)} cannot be changed: leave them out"
        )
    return stored


def _fit(
    module: EmbeddingModule,
    out: Path,
    resume: bool,
    on_epoch: Callable[[EpochSummary], None] | None,
    progress_bar: bool,
) -> bool:
    """Run Lightning; True if Ctrl-C ended it."""
    settings = module.settings
    stop = Stop()
    checkpoints = Checkpoints(out / "checkpoints", stop, settings.patience)
    record = Record(out / "metrics.csv", checkpoints, on_epoch)
    bar = [RichProgressBar(leave=False, console_kwargs={"stderr": True})] if progress_bar else []
    trainer = L.Trainer(
        accelerator=settings.device,
        devices=1,
        precision=_precision(settings),
        max_epochs=-1 if settings.minutes is not None else settings.epochs,
        callbacks=[stop, ValidateEvery(settings.validate_every), checkpoints, record, *bar],
        default_root_dir=out,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=progress_bar,
    )
    last = out / "checkpoints" / "last.ckpt"
    trainer.fit(module, ckpt_path=last if resume and last.exists() else None)
    return stop.interrupted


def _precision(settings: TrainSettings) -> Any:
    """Lightning's name of the precision: bfloat16 where the machine computes it, unless float32 is asked for."""
    if settings.precision == "float32":
        return "32-true"
    if settings.precision == "bfloat16":
        return "bf16-mixed"
    if settings.device != "cpu" and torch.cuda.is_available():
        has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        has_bfloat16 = torch.cpu._is_avx512_bf16_supported()
    return "bf16-mixed" if has_bfloat16 else "32-true"


def _finish(module: EmbeddingModule, prepared: Prepared, out: Path, note: str | None) -> Encoder:
    """The encoder of the best epoch, judged, with its card, saved."""
    encoder, settings = module.encoder, module.settings
    encoder.load_state_dict(torch.load(out / BEST, weights_only=True))
    encoder.cpu().eval()
    batches = [batch.pixels.numpy() for batch in InOrder(prepared.val, batch_size=256)]
    notes = [f"Held-out pictures; the best of {len(read_metrics(out / 'metrics.csv'))} epochs was chosen by them."]
    if note is not None:
        notes.append(note)
    if prepared.left_out:
        notes.append(f"{prepared.left_out:,} pictures without what is trained, a label or a caption, were left out.")
    vectors = np.concatenate([encoder.embed_pixels(pixels) for pixels in batches])
    encoder.sketch = sketch_trained(prepared.train, seed=settings.seed)
    encoder.calibration, why_not = calibrate_held_out(encoder, prepared.val, vectors, seed=settings.seed)
    notes += [why_not] if why_not else []
    write_reliability(encoder.calibration, out / "reliability.svg")
    report = judge_side(
        encoder,
        prepared.val,
        vectors,
        title=f"{encoder.fingerprint} on held-out pictures of {prepared.val.items.source}",
        settings=quick_settings(seed=settings.seed),
        raw=np.concatenate([raw_pixels(pixels) for pixels in batches]),
        notes=notes,
    )
    report = replace(report, skipped=prepared.skipped, counts={**report.counts, "skipped": len(prepared.skipped)})
    report.write(out / "report.json")
    encoder.card = model_card(encoder, trained_on=_about(prepared, settings), evaluation=report.to_markdown())
    encoder.save_pretrained(out / "model")
    return encoder


def _about(prepared: Prepared, settings: TrainSettings) -> str:
    """What it was trained on, and how, in a sentence or two for the card."""
    train = prepared.train
    losses = [settings.loss or "triplet"] if train.label_ids is not None else []
    losses += [f"{settings.caption_loss} on captions"] if train.tokenizer is not None else []
    classes = f" of {train.classes // train.turns:,} classes" if train.label_ids is not None else ""
    classes += ", each turned by quarters a class of its own," if train.turns > 1 else ""
    return (
        f"{len(train.items):,} pictures{classes} from {Path(train.items.source).name}, up to {settings.budget}, "
        f"loss {' + '.join(losses)}, seed {settings.seed}."
    )


def _name_of(loss: Callable[..., Any]) -> str:
    owner = loss if hasattr(loss, "__qualname__") else type(loss)
    return f"{owner.__module__}.{owner.__qualname__}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning's advice on data loaders and loggers does not apply: batches come from memory."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
