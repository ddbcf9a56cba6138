"""The average of weights: by its formula, buffers included, and what a run judges and keeps."""

from pathlib import Path

import torch
from torch import nn

from nearkin.encoders.encoder import Encoder
from nearkin.training.run_folder import read_metrics
from nearkin.training.train import train
from nearkin.training.weight_average import follow
from tests.training.small import SMALL


def test_average_by_its_definition() -> None:
    """After a few steps the average is the sum of all weights seen, each by its share; counters are the newest."""
    model, average = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    expected = {name: tensor.clone() for name, tensor in average.state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    for step in range(6):
        model(torch.randn(8, 3, generator=generator))
        with torch.no_grad():
            model.weight.add_(torch.randn(3, generator=generator))
        decay = min(0.3, (1 + step) / (10 + step))
        for name, tensor in model.state_dict().items():
            expected[name] = decay * expected[name] + (1 - decay) * tensor
        follow(average, model, decay=0.3, step=step)
    for name in ("weight", "bias", "running_mean", "running_var"):
        torch.testing.assert_close(average.state_dict()[name], expected[name])
    assert average.num_batches_tracked == 6


def test_the_average_is_judged_and_kept(shapes: Path, tmp_path: Path) -> None:
    encoder = train(shapes / "tree", out=tmp_path / "x", ema=0.9, epochs=2, **SMALL)
    state = torch.load(tmp_path / "x" / "checkpoints" / "last.ckpt", weights_only=False)["state_dict"]
    best = torch.load(tmp_path / "x" / "checkpoints" / "best.pt")
    recalls = [float(row["recall@1"]) for row in read_metrics(tmp_path / "x" / "metrics.csv")]
    if recalls[1] > recalls[0]:
        for name, tensor in best.items():
            torch.testing.assert_close(tensor, state[f"average.{name}"])
    assert not torch.equal(state["average.image.projection.weight"], state["encoder.image.projection.weight"])
    assert Encoder.from_pretrained(tmp_path / "x").fingerprint == encoder.fingerprint


def test_training_itself_is_the_same_with_an_average(shapes: Path, tmp_path: Path) -> None:
    states = []
    for name, ema in (("with", 0.9), ("without", None)):
        train(shapes / "tree", out=tmp_path / name, ema=ema, epochs=1, **SMALL)
        states.append(torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=False)["state_dict"])
    for name, tensor in states[1].items():
        torch.testing.assert_close(states[0][name], tensor, rtol=0, atol=0)
