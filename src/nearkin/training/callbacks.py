"""What happens beside the training steps: checkpoints, the record of epochs, the end of the time, Ctrl-C."""

import csv
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
import torch

from nearkin.training.lightning_module import EmbeddingModule, score


@dataclass(frozen=True)
class EpochSummary:
    """What one epoch came to.

    Args:
        epoch: number, from 1.
        seconds: since training began, those before a resume included.
        loss: mean over the epoch's batches.
        figures: validation figures by name, without their intervals; none if the epoch was not validated.
        best: whether this is the best epoch so far.
    """

    epoch: int
    seconds: float
    loss: float
    figures: dict[str, float]
    best: bool


class Stop(L.Callback):
    """Ends the training when its minutes are over, or after the running batch on Ctrl-C (a second one ends at once)."""

    def __init__(self) -> None:
        self.interrupted = False
        self._previous: Any = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
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

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
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


class Checkpoints(L.Callback):
    """`best.pt`, the encoder's weights of the best validation, and `last.ckpt`, from which training resumes.

    Ends the training after `patience` validations in a row without a new best.

    What Ctrl-C cut short is no epoch: it gives no `last.ckpt`, and `best.pt` only if there is none. Going on from the
    epoch before is what makes a resume exact.
    """

    def __init__(self, folder: Path, stop: Stop, patience: int | None = None) -> None:
        self.folder = folder
        self.stop = stop
        self.patience = patience
        self.best = -1.0
        self.is_best = False
        # Validations since the best one.
        self.waited = 0

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.waited = state_dict["best"], state_dict.get("waited", 0)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, EmbeddingModule)
        whole = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        now = score(pl_module.figures) if pl_module.figures else -1.0
        self.is_best = now > self.best and (whole or not self.stop.interrupted or self.best < 0)
        self.waited = 0 if self.is_best else self.waited + bool(pl_module.figures)
        if self.patience is not None and self.waited >= self.patience:
            trainer.should_stop = True
        if self.is_best:
            self.best = now
            _write_whole(self.folder / "best.pt", lambda path: torch.save(pl_module.judged.state_dict(), path))
        if whole:
            _write_whole(self.folder / "last.ckpt", trainer.save_checkpoint)


class Record(L.Callback):
    """A row of `metrics.csv` for each epoch, and a call with its summary."""

    def __init__(self, path: Path, checkpoints: Checkpoints, on_epoch: Callable[[EpochSummary], None] | None) -> None:
        self.path = path
        self.checkpoints = checkpoints
        self.on_epoch = on_epoch

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, EmbeddingModule)
        summary = EpochSummary(
            epoch=trainer.current_epoch + 1,
            seconds=pl_module.seconds,
            loss=float(trainer.callback_metrics["loss_epoch"]),
            figures=pl_module.figures,
            best=self.checkpoints.is_best,
        )
        # After a resume, rows of the epochs that are trained again give way.
        kept = [row for row in read_metrics(self.path) if int(row["epoch"]) < summary.epoch]
        row = {"epoch": str(summary.epoch), "seconds": f"{summary.seconds:.1f}", "loss": f"{summary.loss:.6g}"}
        rows = [*kept, row | {name: f"{value:.6g}" for name, value in summary.figures.items()}]
        # An epoch that is not validated leaves its figures empty; the first one is.
        columns = list(rows[0])

        def write(path: Path) -> None:
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, fieldnames=columns)
                writer.writeheader()
                writer.writerows(rows)

        _write_whole(self.path, write)
        if self.on_epoch is not None:
            self.on_epoch(summary)


def read_metrics(path: Path) -> list[dict[str, str]]:
    """The rows of `metrics.csv`; none if there is no such file yet."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write beside, then rename: a kill in the middle leaves the old file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.part")
    write(beside)
    os.replace(beside, path)  # noqa: PTH105 (atomic, also over an existing file)
