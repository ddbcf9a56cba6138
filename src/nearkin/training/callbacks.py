"""What happens beside the training steps: checkpoints, the record of epochs, the end of the time, Ctrl-C."""

import io
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.plugins.io import TorchCheckpointIO

from nearkin.files import written_whole
from nearkin.progress import duration
from nearkin.training.lightning_module import EmbeddingModule, score
from nearkin.training.run_folder import BEST, LAST, METRICS, metrics_row, read_all_metrics, write_metrics

# Seconds of training until there is an estimate of all of it.
FIRST_ESTIMATE = 2.0


@dataclass(frozen=True)
class EpochSummary:
    """What one epoch came to.

    Args:
        epoch: number, from 1.
        seconds: since training began, those before a resume included.
        loss: mean over the epoch's batches.
        figures: validation figures by name, without their intervals; none if the epoch was not validated.
        best: whether this is the best epoch so far.
        remaining: seconds of training that are still to come, estimated.
    """

    epoch: int
    seconds: float
    loss: float
    figures: dict[str, float]
    best: bool
    remaining: float = 0.0


class Stop(L.Callback):
    """Ends the training when its minutes are over, or after the running batch on Ctrl-C (a second one ends at once)."""

    def __init__(self) -> None:
        self.interrupted = False
        self._previous: Any = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, EmbeddingModule)
        if pl_module.settings.minutes is not None and pl_module.done >= 1:
            trainer.should_stop = True
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._on_interrupt)

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        self.interrupted = True
        signal.signal(signal.SIGINT, self._previous)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        assert isinstance(pl_module, EmbeddingModule)
        out_of_time = pl_module.settings.minutes is not None and pl_module.done >= 1
        if self.interrupted or out_of_time:
            trainer.should_stop = True

    def restore(self) -> None:
        """Give Ctrl-C back to whoever had it before."""
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)


class ValidateEvery(L.Callback):
    """Validates the first epoch, every n-th, and the last, whatever ends the training."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        done = trainer.current_epoch + 1
        due = done in (1, trainer.max_epochs) or done % self.epochs == 0 or trainer.should_stop
        # Lightning asks for it after each batch, and validates if it divides the epoch's number.
        trainer.check_val_every_n_epoch = 1 if due else done + 1


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint whole or not at all, beside its final path and nowhere else."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        save_whole(checkpoint, Path(path))


def save_whole(state: Any, path: Path) -> None:
    """`torch.save`, but a kill or a full disk in the middle leaves the old file whole.

    Raises:
        OSError: it cannot be written.
    """
    # In memory first: torch itself hides why it cannot write.
    buffer = io.BytesIO()
    torch.save(state, buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as file:
        file.write(buffer.getbuffer())


class Estimate(L.Callback):
    """Says once how long the whole training will take, after its first seconds."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.said = False
        self._started = 0.0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._started = time.monotonic()

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        assert isinstance(pl_module, EmbeddingModule)
        if self.said or pl_module.settings.minutes is not None or time.monotonic() - self._started < FIRST_ESTIMATE:
            return
        self.said = True
        self.say(f"about {duration(pl_module.remaining)} for {pl_module.settings.budget}, plus their validation")


class EpochBar(RichProgressBar):
    """The bar of the running epoch; epochs are counted from 1, as everywhere."""

    def _get_train_description(self, current_epoch: int) -> str:
        last = self.trainer.max_epochs
        of = f"/{last}" if last is not None and last > 0 else ""
        return f"epoch {current_epoch + 1}{of}".ljust(len(self.validation_description))


class Checkpoints(L.Callback):
    """`best.pt`, the encoder's weights of the best validation, and `last.ckpt`, from which training resumes.

    Ends the training after `patience` validations in a row without a new best.

    What Ctrl-C cut short is no epoch: it gives no `last.ckpt`, and `best.pt` only if there is none. Going on from the
    epoch before is what makes a resume exact.
    """

    def __init__(self, out: Path, stop: Stop, patience: int | None = None) -> None:
        self.out = out
        self.stop = stop
        self.patience = patience
        self.best = -2.0
        self.is_best = False
        # Validations since the best one.
        self.waited = 0

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.waited = state_dict["best"], state_dict.get("waited", 0)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._stop_if_waited(trainer)

    def _stop_if_waited(self, trainer: L.Trainer) -> None:
        if self.patience is not None and self.waited >= self.patience:
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, EmbeddingModule)
        whole = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        now = score(pl_module.figures, pl_module.start) if pl_module.figures else -2.0
        better = now > self.best or not pl_module.validates
        self.is_best = better and (whole or not self.stop.interrupted or not (self.out / BEST).exists())
        self.waited = 0 if self.is_best else self.waited + bool(pl_module.figures)
        self._stop_if_waited(trainer)
        if self.is_best:
            self.best = now
            save_whole(pl_module.evaluated.state_dict(), self.out / BEST)
        if whole:
            trainer.save_checkpoint(self.out / LAST)


class Record(L.Callback):
    """A row of `metrics.csv` for each epoch, and a call with its summary."""

    def __init__(self, out: Path, checkpoints: Checkpoints, on_epoch: Callable[[EpochSummary], None] | None) -> None:
        self.path = out / METRICS
        self.checkpoints = checkpoints
        self.on_epoch = on_epoch
        # Epochs of this call.
        self.epochs = 0

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, EmbeddingModule)
        summary = EpochSummary(
            epoch=trainer.current_epoch + 1,
            seconds=pl_module.seconds,
            loss=float(trainer.callback_metrics["loss_epoch"]),
            figures=pl_module.figures,
            best=self.checkpoints.is_best,
            remaining=0.0 if trainer.should_stop else pl_module.remaining,
        )
        self.epochs += 1
        # After a resume, rows of the epochs that are trained again give way.
        kept = [row for row in read_all_metrics(self.path) if int(row["epoch"]) < summary.epoch]
        stage = "network" if pl_module.start else None
        row = metrics_row(summary.epoch, summary.seconds, summary.loss, summary.figures, stage=stage)
        write_metrics(self.path, [*kept, row])
        if self.on_epoch is not None:
            self.on_epoch(summary)
