"""train(): one run, from a source to a saved model, in one run folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nearkin.data.items import Items
from nearkin.data.sources import read_items
from nearkin.encoders.artefact import CONFIG
from nearkin.encoders.encoder import Encoder
from nearkin.errors import ArtefactError, InvalidInput, SourceError, TrainingError
from nearkin.evaluation.report import Report
from nearkin.losses import LabelLoss
from nearkin.progress import Progress
from nearkin.training.callbacks import EpochSummary
from nearkin.training.defaults import with_defaults
from nearkin.training.finish import finish
from nearkin.training.fit import fit, quiet_lightning
from nearkin.training.frozen import with_features
from nearkin.training.lightning_module import EmbeddingModule
from nearkin.training.objective import Objective, build_objective
from nearkin.training.prepare import Prepared, prepare
from nearkin.training.projection_init import start_from_features
from nearkin.training.run_folder import (
    BEST,
    LAST,
    METRICS,
    MODEL,
    REPORT,
    SETTINGS,
    check_checkpoint,
    check_new_run,
    locked,
    no_empty_folder,
    read_all_metrics,
    read_metrics,
    read_source,
    row_figures,
    start_figures,
    write_pictures,
    write_source,
)
from nearkin.training.settings import TrainSettings, overridden, read_settings
from nearkin.training.speed import timed_settings
from nearkin.training.start import begin

# Settings of a resumed run that may be changed: how long it trains, and on what machine.
RESUMABLE = ("epochs", "minutes", "patience", "threads", "device")
# A note of the report of such a run.
INTERRUPTED = "The training was interrupted; `--resume` goes on with it."


def train(
    source: str | Path | Items | None = None,
    *,
    out: str | Path = "runs/train",
    resume: bool = False,
    loss: str | LabelLoss | None = None,
    on_epoch: Callable[[EpochSummary], None] | None = None,
    on_message: Callable[[str], None] | None = None,
    progress: Progress | None = None,
    progress_bar: bool = False,
    **settings: Any,
) -> Encoder:
    """Train an encoder on a folder of pictures, a table or a dataset.

    Args:
        source: anything that `read_items` reads; a run that is resumed knows where its pictures are.
        out: the run folder, made if it is missing.
        resume: continue the run in `out` with its own settings, exactly as if it had not stopped. More `epochs` or
            `minutes` train for longer; `patience`, `threads` and `device` may be given as well.
        loss: name of a loss on labels, import path of one, or any callable `(embeddings, labels) -> scalar`.
        on_epoch: called with the summary of each epoch.
        on_message: called with a line of progress: what is trained on, how long it will take.
        progress: called with `(done, total)` while pictures are decoded.
        progress_bar: show a bar of the running epoch with loss and recall on the terminal.
        settings: any field of `TrainSettings`: backbone, dim, epochs, minutes, captions, seed, ...

    Returns:
        The encoder of the best epoch, in evaluation mode; it is saved in `out/model` as well. Ctrl-C ends the training
        early with a usable model.

    Raises:
        SourceError: the source cannot be read, or there is nothing to learn from.
        UnknownName: no such setting, backbone, loss, ...; the message suggests near names.
        InvalidInput: a setting is out of range, `out` holds another run or lies among the pictures, or another
            training is at work in it.
        ArtefactError: there is no run to resume, or its checkpoint is damaged.
        TrainingError: the loss is not finite, or the disk is full. If an epoch was finished before, its weights are in
            `out/checkpoints/best.pt`, and its model in `out/model` if there was room.

    Example:
        >>> import nearkin
        >>> encoder = nearkin.train("photos/", out="runs/x", loss="triplet", epochs=5)  # doctest: +SKIP
    """
    out = Path(out)
    named_loss = loss if loss is None or isinstance(loss, str) else _name_of(loss)
    with no_empty_folder(out):
        if resume:
            checked = resumed_settings(out, {**settings, **({"loss": named_loss} if named_loss else {})})
            source = read_source(out) if source is None else source
        else:
            if source is None:
                raise InvalidInput("no pictures are named: expected a folder, a table or a dataset to train on")
            checked = TrainSettings.checked(loss=named_loss, **settings)
            check_new_run(out, source)
        if checked.device == "cuda" and not torch.cuda.is_available():
            raise InvalidInput("device is 'cuda', but torch finds no GPU here: leave it out, or say 'cpu'")
        if checked.threads is not None:
            torch.set_num_threads(checked.threads)
        if resume and (out / LAST).exists():
            check_checkpoint(out / LAST)
        with locked(out), torch.random.fork_rng(), quiet_lightning():
            items = read_items(
                source, label=checked.label, captions=checked.caption_columns, path_column=checked.path_column
            )
            if not resume:
                checked = with_defaults(checked, items, on_message)
                _check_epochs(checked)
            torch.manual_seed(checked.seed)
            prepared = prepare(items, checked, progress=progress)
            # A run that goes on has its weights in its checkpoint.
            begins = not (resume and (out / LAST).exists())
            if begins and checked.weights is not None and not prepared.encoder.image.has_trained_projection:
                start_from_features(prepared.encoder, prepared.train, seed=checked.seed)
            objective = build_objective(prepared.train, checked, loss)
            _check_learnable(prepared, objective, is_named=named_loss is None or isinstance(loss, str))
            if not resume and not checked.freeze:
                checked = timed_settings(prepared.encoder, prepared.train, checked)
                if checked.threads is not None:
                    torch.set_num_threads(checked.threads)
            write_pictures(prepared, out, check=resume)
            write_source(source, out)
            checked.write(out / SETTINGS)
            if on_message is not None:
                on_message(_announcement(prepared, checked))
            if begins and checked.weights is not None and (checked.interpolate or checked.projection_first):
                begin(prepared, objective, checked, out)
                if on_message is not None and (judged := _before(out)):
                    on_message(judged)
            start = start_figures(out / METRICS) if checked.interpolate else {}
            data = prepared.train, prepared.val
            if checked.freeze:
                # Lightning would find out that nothing is left to train only after all features are computed.
                if resume and len(read_metrics(out / METRICS)) == checked.epochs and _is_finished(out):
                    return _as_trained_before(out, on_message)
                data = with_features(prepared, mirrored=checked.augmentation == "photo", on_message=on_message)
            module = EmbeddingModule(prepared.encoder, objective, checked, *data, start)
            return _trained(module, prepared, out, resume, on_epoch, on_message, progress_bar)


def _trained(
    module: EmbeddingModule,
    prepared: Prepared,
    out: Path,
    resume: bool,
    on_epoch: Callable[[EpochSummary], None] | None,
    on_message: Callable[[str], None] | None,
    progress_bar: bool,
) -> Encoder:
    """Train, then evaluate and save the best epoch, also if the training could not go on."""
    notes: list[str] = []
    fault = None
    try:
        found = fit(module, out, resume=resume, on_epoch=on_epoch, on_message=on_message, progress_bar=progress_bar)
        if not found.epochs and _is_finished(out):
            return _as_trained_before(out, on_message)
        notes = [*([INTERRUPTED] if found.interrupted else []), *found.notes(module.settings)]
    except (TrainingError, OSError) as error:
        reason = str(error) if isinstance(error, TrainingError) else _cannot_write(out, error)
        if not (out / BEST).exists():
            raise TrainingError(f"{reason}; no epoch was finished, so there is no model") from error
        notes, fault = [f"The training broke off: {reason}."], error
    try:
        encoder = finish(module, prepared, out, notes)
    except OSError as error:
        way_out = f"'{out / BEST}' holds the weights of the best epoch: make room, then --resume"
        raise TrainingError(f"{_cannot_write(out, error)}; {way_out}") from error
    if fault is not None:
        raise TrainingError(f"{notes[0]} '{out / MODEL}' is the model of the best epoch before") from fault
    return encoder


def resumed_settings(out: Path, given: dict[str, Any]) -> TrainSettings:
    """The settings of the run in a folder, with those that may be changed.

    Raises:
        ArtefactError: there is no run.
        InvalidInput: a setting that cannot be changed, or fewer epochs than are trained.
    """
    if not (out / SETTINGS).exists():
        raise ArtefactError(f"'{out}' holds no run to resume: train without --resume first")
    stored = TrainSettings.checked(**read_settings(out / SETTINGS))
    changed = [n for n, value in given.items() if n not in RESUMABLE and getattr(stored, n, None) != value]
    if changed:
        raise InvalidInput(
            f"'{out}' is resumed by its own settings.yaml; {', '.join(changed)} cannot be changed: leave them out"
        )
    now = TrainSettings.checked(**overridden(stored.model_dump(), given))
    trained = len(read_metrics(out / METRICS))
    if "epochs" in given and now.epochs is not None and now.epochs < trained:
        raise InvalidInput(f"epochs is {now.epochs}, but {trained} are trained already: expected more, or leave it out")
    return now


def _check_epochs(settings: TrainSettings) -> None:
    if settings.epochs == 0 and (settings.weights is None or not settings.projection_first):
        raise InvalidInput(
            "setting epochs is 0: only a training that starts from weights, and fits its projection first, can do "
            "without epochs; expected 1 or more"
        )


def _check_learnable(prepared: Prepared, objective: Objective, *, is_named: bool) -> None:
    """Refuses a loss over pairs where no class has a pair.

    Raises:
        SourceError: each class has one picture, and the loss has no weights for classes.
    """
    data = prepared.train
    if (
        not is_named
        or data.label_ids is None
        or data.tokenizer is not None
        or any(True for _ in objective.parameters())
    ):
        return
    if np.bincount(data.label_ids).max() < 2:
        raise SourceError(
            f"{data.items.source}: each class has one picture to train on, and this loss compares pictures of one "
            "class: add pictures, or take a loss that classifies (--loss softmax)"
        )


def _as_trained_before(out: Path, on_message: Callable[[str], None] | None) -> Encoder:
    if on_message is not None:
        on_message(f"{len(read_metrics(out / METRICS)):,} epochs were trained before: --epochs N trains longer")
    return Encoder.from_pretrained(out / MODEL)


def _is_finished(out: Path) -> bool:
    """Whether the run's model and report are there, and were not made of an interrupted training."""
    if not (out / MODEL / CONFIG).exists() or not (out / REPORT).exists():
        return False
    return INTERRUPTED not in Report.read(out / REPORT).notes


def _cannot_write(out: Path, error: OSError) -> str:
    return f"cannot write into '{error.filename or out}': {error.strerror or error}"


def _announcement(prepared: Prepared, settings: TrainSettings) -> str:
    """What is trained on what, in a line."""
    train, held_out = prepared.train, len(prepared.val.items)
    classes = f" of {train.classes // train.turns:,} classes" if train.label_ids is not None else ""
    validation = f"{held_out:,} held out" if held_out else "none held out, so nothing will be measured"
    return f"training {settings.backbone} for {settings.budget} on {len(train.items):,} pictures{classes}, {validation}"


def _before(out: Path) -> str:
    """What was judged before the first epoch, in a line."""
    parts = []
    for row in read_all_metrics(out / METRICS):
        figures = row_figures(row)
        shown = [f"{name} {100 * figures[name]:.1f} %" for name in ("recall@1", "map@r") if name in figures]
        parts.append(f"{_STAGES[row['stage']]} {', '.join(shown)}")
    return f"epoch 0: {'; '.join(parts)}" if parts else ""


_STAGES = {"start": "the start", "projection": "with a fitted projection"}


def _name_of(loss: Callable[..., Any]) -> str:
    owner = loss if hasattr(loss, "__qualname__") else type(loss)
    return f"{owner.__module__}.{owner.__qualname__}"
