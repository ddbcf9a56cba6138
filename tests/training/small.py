"""What several tests of training need: settings of a run that takes a second, and a run that is cut and resumed."""

from pathlib import Path
from typing import Any

import pytest
import torch

from nearkin.training.callbacks import EpochSummary
from nearkin.training.train import train

SMALL: dict[str, Any] = {
    "backbone": "conv4",
    "dim": 16,
    "batch_size": 16,
    "per_class": 4,
    "threads": 1,
    "precision": "float32",
}


class Killed(Exception):
    """Ends a run as a kill would: nothing is tidied up."""


def cut_and_resumed(source: Path, folder: Path, *, after: int = 1, **settings: Any) -> tuple[dict, dict]:
    """State at the end of a run, and of the same run killed after some epochs and resumed."""
    options = {**SMALL, **settings}
    train(source, out=folder / "whole", **options)

    def die(summary: EpochSummary) -> None:
        if summary.epoch == after:
            raise Killed

    with pytest.raises(Killed):
        train(source, out=folder / "cut", on_epoch=die, **options)
    train(source, out=folder / "cut", resume=True)
    whole, cut = (
        torch.load(folder / name / "checkpoints" / "last.ckpt", weights_only=False) for name in ("whole", "cut")
    )
    assert whole["global_step"] == cut["global_step"]
    return whole["state_dict"], cut["state_dict"]
