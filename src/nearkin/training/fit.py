"""The training itself: Lightning with our callbacks, until the epochs or minutes are over, or Ctrl-C."""

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch

from nearkin.progress import duration
from nearkin.training.callbacks import (
    Checkpoints,
    EpochBar,
    EpochSummary,
    Estimate,
    Record,
    Stop,
    ValidateEvery,
    WholeCheckpoints,
)
from nearkin.training.lightning_module import EmbeddingModule
from nearkin.training.run_folder import LAST
from nearkin.training.settings import TrainSettings
from nearkin.wording import counted

# A training thread that has a processor for less than this share of the time shares it with other programs.
BUSY = 0.8
# Seconds from which that share says anything.
_LEAST_SECONDS = 5.0


@dataclass(frozen=True)
class Fit:
    """How a training went.

    Args:
        epochs: trained in this call; the last one may be cut short.
        interrupted: whether Ctrl-C ended it.
        seconds: of wall time, in this call.
        processor_share: share of that time in which the training had a processor; None on a GPU, which is waited for.
    """

    epochs: int
    interrupted: bool
    seconds: float
    processor_share: float | None

    def notes(self, settings: TrainSettings) -> list[str]:
        """What the reader must know of it: what ran by minutes, and whether the machine was busy."""
        notes = []
        if settings.minutes is not None and self.epochs:
            notes.append(f"{counted(self.epochs, 'epoch')} in {duration(self.seconds)}.")
        share = self.processor_share
        if share is not None and share < BUSY and self.seconds >= _LEAST_SECONDS:
            less = "; by --epochs it would have trained as much as ever" if settings.minutes is not None else ""
            notes.append(
                f"The machine was busy: the training had a processor for {100 * share:.0f} % of its time "
                f"(processor time against wall time){less}."
            )
        return notes


def fit(
    module: EmbeddingModule,
    out: Path,
    *,
    resume: bool,
    on_epoch: Callable[[EpochSummary], None] | None,
    on_message: Callable[[str], None] | None,
    progress_bar: bool,
) -> Fit:
    """Train, from `last.ckpt` if it is resumed and there is one.

    Raises:
        TrainingError: NaN.
        KeyboardInterrupt: a second Ctrl-C.
        OSError: a checkpoint cannot be written.
    """
    settings = module.settings
    if settings.epochs == 0:
        return Fit(0, False, 0.0, None)
    stop = Stop()
    checkpoints = Checkpoints(out, stop, settings.patience)
    record = Record(out, checkpoints, on_epoch)
    more: list[L.Callback] = [Estimate(on_message)] if on_message is not None else []
    more += [EpochBar(leave=False, console_kwargs={"stderr": True})] if progress_bar else []
    trainer = L.Trainer(
        accelerator=settings.device,
        devices=1,
        precision=_precision(settings),
        max_epochs=-1 if settings.minutes is not None else settings.epochs,
        limit_val_batches=None if module.validates else 0,
        callbacks=[stop, ValidateEvery(settings.validate_every), checkpoints, record, *more],
        plugins=[WholeCheckpoints()],
        default_root_dir=out,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=progress_bar,
    )
    last = out / LAST if resume and (out / LAST).exists() else None
    started, processor = time.monotonic(), time.thread_time()
    try:
        trainer.fit(module, ckpt_path=last)
    except SystemExit:
        # So Lightning ends on Ctrl-C.
        raise KeyboardInterrupt from None
    finally:
        stop.restore()
    seconds = time.monotonic() - started
    share = (time.thread_time() - processor) / seconds if trainer.strategy.root_device.type == "cpu" else None
    return Fit(record.epochs, stop.interrupted, seconds, share)


def _precision(settings: TrainSettings) -> Any:
    """Lightning's name of the precision.

    Runs say which, since it is timed before; those of nearkin 0.2.0 may say "auto", and go by the processor's flags.
    """
    if settings.precision == "float32":
        return "32-true"
    if settings.precision == "bfloat16":
        return "bf16-mixed"
    if settings.device != "cpu" and torch.cuda.is_available():
        has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # A private function: where a release of torch lacks it, training is in 32 bits.
        has_bfloat16 = getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()
    return "bf16-mixed" if has_bfloat16 else "32-true"


@contextmanager
def quiet_lightning() -> Iterator[None]:
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
