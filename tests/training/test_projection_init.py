"""The projection of a pretrained backbone begins as the principal axes of its features."""

from pathlib import Path

import numpy as np
import pytest
import torch

import nearkin
from nearkin.data.sources import read_items
from nearkin.encoders.encoder import as_pictures
from nearkin.training.prepare import Prepared, prepare
from nearkin.training.projection_init import start_from_features
from nearkin.training.settings import TrainSettings


def prepared(shapes: Path, dim: int) -> Prepared:
    settings = TrainSettings.checked(backbone="conv4", backbone_options={"width": 8}, size=32, dim=dim)
    return prepare(read_items(shapes / "tree"), settings)


def features_and_embeddings(run: Prepared) -> tuple[torch.Tensor, torch.Tensor]:
    encoder = run.encoder.eval()
    pictures = encoder.normalise(as_pictures(torch.from_numpy(run.train.cache.batch(run.train.cache_rows))))
    with torch.no_grad():
        return encoder.image.features(pictures), encoder.image(pictures)


def test_distances_are_those_of_the_features(shapes: Path) -> None:
    run = prepared(shapes, dim=32)
    start_from_features(run.encoder, run.train, seed=0)
    features, embeddings = features_and_embeddings(run)
    assert torch.allclose(embeddings.square().sum(1).mean(), torch.tensor(1.0), atol=1e-3)
    ratio = torch.pdist(embeddings) / torch.pdist(features).clamp(min=1e-6)
    assert ratio[torch.pdist(features) > 1e-3].std() < 1e-3 * ratio.max()


def test_fewer_numbers_keep_the_strongest_axes(shapes: Path) -> None:
    run = prepared(shapes, dim=4)
    start_from_features(run.encoder, run.train, seed=0)
    features, embeddings = features_and_embeddings(run)
    strengths = np.linalg.svd((features - features.mean(0)).numpy(), compute_uv=False)
    found = np.linalg.svd(embeddings.numpy(), compute_uv=False)
    np.testing.assert_allclose(found / found[0], strengths[:4] / strengths[0], rtol=1e-3)


def test_more_numbers_than_pictures_stay_finite(shapes: Path) -> None:
    run = prepared(shapes, dim=600)
    start_from_features(run.encoder, run.train, seed=0)
    embeddings = features_and_embeddings(run)[1]
    assert torch.isfinite(embeddings).all()
    assert 0.5 < float(embeddings.square().sum(1).mean()) < 5


@pytest.mark.parametrize(("batch_norm", "moves"), [("frozen", False), ("trained", True), (None, True)])
def test_frozen_batch_norms_keep_their_statistics(
    shapes: Path, tmp_path: Path, batch_norm: str | None, moves: bool
) -> None:
    encoder = nearkin.train(
        shapes / "tree", out=tmp_path / "run", backbone="conv4", size=32, epochs=1, batch_norm=batch_norm
    )
    statistics = [buffer for name, buffer in encoder.image.named_buffers() if name.endswith("running_mean")]
    assert len(statistics) == 4
    assert all(bool(buffer.any()) == moves for buffer in statistics)


def test_weights_from_elsewhere_freeze_batch_norms_and_start_from_their_features(shapes: Path, tmp_path: Path) -> None:
    first = nearkin.train(shapes / "tree", out=tmp_path / "first", backbone="conv4", size=32, epochs=1)
    weights = {name: tensor.clone() for name, tensor in first.image.backbone.state_dict().items()}
    torch.save(weights, tmp_path / "conv4.pth")
    second = nearkin.train(
        shapes / "tree",
        out=tmp_path / "second",
        backbone="conv4",
        size=32,
        epochs=1,
        weights=str(tmp_path / "conv4.pth"),
        learning_rate=1e-9,
    )
    for name, tensor in second.image.backbone.state_dict().items():
        assert torch.allclose(tensor, weights[name], atol=1e-5), name
    report = nearkin.Report.read(tmp_path / "second" / "report.json")
    assert report.figures["retrieval"]["recall@1"].value > 0.5
