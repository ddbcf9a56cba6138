"""A training that starts from weights: the start is judged, its projection fitted, and the best of all is kept."""

from pathlib import Path
from typing import Any

import pytest
import torch

import nearkin
from nearkin.errors import InvalidInput
from nearkin.evaluation.report import Report
from nearkin.training.choose import NOTHING, ONLY_PROJECTION
from nearkin.training.run_folder import START, read_all_metrics, read_metrics
from nearkin.training.train import train
from tests.training.small import SMALL, cut_and_resumed

FINE: dict[str, Any] = {**SMALL, "size": 32, "epochs": 2}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, shapes: Path) -> str:
    """Weights of a small network that knows the shapes a little."""
    folder = tmp_path_factory.mktemp("weights")
    encoder = nearkin.train(shapes / "tree", out=folder / "run", **FINE)
    torch.save(encoder.image.backbone.state_dict(), folder / "conv4.pth")
    return str(folder / "conv4.pth")


def test_the_start_is_judged_and_a_baseline(shapes: Path, tmp_path: Path, weights: str) -> None:
    said: list[str] = []
    encoder = train(shapes / "tree", out=tmp_path / "run", weights=weights, on_message=said.append, **FINE)
    rows = read_all_metrics(tmp_path / "run" / "metrics.csv")
    assert [(row["epoch"], row["stage"]) for row in rows] == [
        ("0", "start"),
        ("0", "projection"),
        ("1", "network"),
        ("2", "network"),
    ]
    assert all(row["recall@1"] for row in rows)
    assert [row["loss"] != "" for row in rows] == [False, False, True, True]
    assert len(read_metrics(tmp_path / "run" / "metrics.csv")) == 2
    report = Report.read(tmp_path / "run" / "report.json")
    assert list(report.baselines) == ["frozen start", "raw pixels", "chance"]
    assert report.counts["epochs"] == 2
    assert any(line.startswith("epoch 0: the start recall@1") for line in said)
    assert encoder.fingerprint == nearkin.Encoder.from_pretrained(tmp_path / "run").fingerprint


def test_found_no_fewer_than_the_start(shapes: Path, tmp_path: Path, weights: str) -> None:
    """Whatever an unsuitable rate does to the network, the model is no worse than the start."""
    train(shapes / "tree", out=tmp_path / "run", weights=weights, learning_rate=0.3, ema=None, **FINE)
    report = Report.read(tmp_path / "run" / "report.json")
    start = float(read_all_metrics(tmp_path / "run" / "metrics.csv")[0]["recall@1"])
    assert report.figures["retrieval"]["recall@1"].value >= start - 1e-6
    assert {NOTHING, ONLY_PROJECTION} & set(report.notes)


def test_the_start_is_kept_bit_by_bit(shapes: Path, tmp_path: Path, weights: str) -> None:
    options = FINE | {"epochs": 1, "projection_first": False}
    encoder = train(shapes / "tree", out=tmp_path / "run", weights=weights, learning_rate=0.3, **options)
    assert NOTHING in Report.read(tmp_path / "run" / "report.json").notes
    start = torch.load(tmp_path / "run" / START, weights_only=True)["start"]
    assert all(torch.equal(tensor, start[name]) for name, tensor in encoder.state_dict().items())
    known = torch.load(weights, weights_only=True)
    assert all(torch.equal(tensor, known[name]) for name, tensor in encoder.image.backbone.state_dict().items())


def test_resumed_is_exactly_as_if_it_had_not_stopped(shapes: Path, tmp_path: Path, weights: str) -> None:
    options = {"weights": weights, "size": 32, "epochs": 3, "loss": "normalised-softmax"}
    whole, cut = cut_and_resumed(shapes / "tree", tmp_path, **options)
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    models = [nearkin.Encoder.from_pretrained(tmp_path / name).fingerprint for name in ("whole", "cut")]
    assert models[0] == models[1]
    rows = [read_all_metrics(tmp_path / name / "metrics.csv") for name in ("whole", "cut")]
    assert [[row["stage"], row["recall@1"]] for row in rows[0]] == [[row["stage"], row["recall@1"]] for row in rows[1]]


def test_without_held_out_pictures_nothing_is_judged(shapes: Path, tmp_path: Path, weights: str) -> None:
    options = FINE | {"epochs": 1, "val_fraction": 0}
    train(shapes / "tree", out=tmp_path / "run", weights=weights, **options)
    assert [row["epoch"] for row in read_all_metrics(tmp_path / "run" / "metrics.csv")] == ["1"]


def test_captions_start_from_weights_too(shapes: Path, tmp_path: Path, weights: str) -> None:
    options = FINE | {"weights": weights, "captions": True, "epochs": 1}
    encoder = train(shapes / "captions.csv", out=tmp_path / "run", **options)
    assert encoder.has_text
    assert len(read_metrics(tmp_path / "run" / "metrics.csv")) == 1


def test_without_epochs_the_projection_alone_is_fitted(shapes: Path, tmp_path: Path, weights: str) -> None:
    encoder = train(shapes / "tree", out=tmp_path / "run", weights=weights, **{**FINE, "epochs": 0})
    known = torch.load(weights, weights_only=True)
    assert all(torch.equal(tensor, known[name]) for name, tensor in encoder.image.backbone.state_dict().items())
    report = Report.read(tmp_path / "run" / "report.json")
    assert report.counts["epochs"] == 0
    assert {NOTHING, ONLY_PROJECTION} & set(report.notes)
    train(out=tmp_path / "run", resume=True, epochs=1)
    assert len(read_metrics(tmp_path / "run" / "metrics.csv")) == 1
    with pytest.raises(InvalidInput, match="setting epochs is 0: only a training that starts from weights"):
        train(shapes / "tree", out=tmp_path / "scratch", **{**FINE, "epochs": 0})
