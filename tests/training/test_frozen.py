"""A training on a frozen network: its features are computed once, and only what stands on it moves."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import nearkin
from nearkin.errors import InvalidInput
from nearkin.training.batches import Epoch, TrainingData
from nearkin.training.cross_batch_memory import EmbeddingMemory
from nearkin.training.frozen import Standardised
from nearkin.training.objective import Objective
from nearkin.training.prepare import prepare
from nearkin.training.settings import TrainSettings
from nearkin.training.train import train
from tests.training.small import SMALL, cut_and_resumed

FROZEN: dict[str, Any] = {**SMALL, "size": 32, "epochs": 3, "captions": True, "batch_size": 32}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, shapes: Path) -> str:
    folder = tmp_path_factory.mktemp("weights")
    encoder = nearkin.train(shapes / "tree", out=folder / "run", **{**SMALL, "size": 32, "epochs": 3})
    torch.save(encoder.image.backbone.state_dict(), folder / "conv4.pth")
    return str(folder / "conv4.pth")


def test_the_network_stays_and_the_projection_learns(shapes: Path, tmp_path: Path, weights: str) -> None:
    said: list[str] = []
    options = {**FROZEN, "text_tower": "gru", "epochs": 30}
    encoder = train(shapes / "captions.csv", out=tmp_path / "x", weights=weights, on_message=said.append, **options)
    for name, tensor in torch.load(weights).items():
        torch.testing.assert_close(encoder.image.backbone.state_dict()[name], tensor, rtol=0, atol=0)
    assert any("the network is frozen" in line for line in said)
    assert "freeze: true" in (tmp_path / "x" / "settings.yaml").read_text()
    # What the epochs were judged by, computed from features, is what the saved model makes of the pictures.
    held_out = nearkin.read_items(tmp_path / "x" / "validation.csv")
    report = nearkin.evaluate(nearkin.Encoder.from_pretrained(tmp_path / "x"), held_out, split="all")
    figures = report.figures["cross_modal"]
    kept = nearkin.evaluation.Report.read(tmp_path / "x" / "report.json").figures["cross_modal"]
    overall = [name for name in figures if "[" not in name]
    assert [kept[name].value for name in overall] == [figures[name].value for name in overall]
    chance = report.baselines["chance"]["cross_modal"]["text_to_image/recall@1"].value
    assert kept["text_to_image/recall@1"].value > chance + 0.15


def test_resumed_exactly(shapes: Path, tmp_path: Path, weights: str) -> None:
    options = {**FROZEN, "weights": weights, "text_tower": "gru", "epochs": 2}
    whole, cut = cut_and_resumed(shapes / "captions.csv", tmp_path, **options)
    for name, tensor in whole.items():
        torch.testing.assert_close(cut[name], tensor, rtol=0, atol=0)


def test_nothing_left_to_train(shapes: Path, tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = train(shapes / "captions.csv", out=tmp_path / "x", weights=weights, **{**FROZEN, "epochs": 1})
    monkeypatch.setattr("nearkin.training.train.with_features", None)
    assert train(out=tmp_path / "x", resume=True).fingerprint == encoder.fingerprint


def test_with_labels_and_an_average(shapes: Path, tmp_path: Path, weights: str) -> None:
    options = {**SMALL, "size": 32, "epochs": 2, "weights": weights, "freeze": True, "ema": 0.5}
    encoder = train(shapes / "tree", out=tmp_path / "x", **options)
    for name, tensor in torch.load(weights).items():
        torch.testing.assert_close(encoder.image.backbone.state_dict()[name], tensor, rtol=0, atol=0)


def test_refused(shapes: Path, tmp_path: Path, weights: str) -> None:
    with pytest.raises(InvalidInput, match="freeze needs weights"):
        train(shapes / "tree", out=tmp_path / "x", freeze=True, **SMALL)
    with pytest.raises(InvalidInput, match="rotate_classes needs a network that is trained"):
        train(shapes / "tree", out=tmp_path / "x", freeze=True, weights=weights, rotate_classes=True, **SMALL)
    assert not (tmp_path / "x").exists()


def test_standardised_and_folded_are_the_same_map() -> None:
    features = np.random.default_rng(0).normal(3, 5, (50, 7)).astype(np.float32)
    standardised, projection = Standardised.of(features), nn.Linear(7, 4)
    before = projection(torch.from_numpy(features))
    head = standardised.unfolded(projection)
    torch.testing.assert_close(head(standardised(torch.from_numpy(features))), before, rtol=1e-4, atol=1e-4)
    standardised.fold(head, projection)
    torch.testing.assert_close(projection(torch.from_numpy(features)), before, rtol=1e-4, atol=1e-4)


def test_a_feature_that_never_changes_divides_by_nothing() -> None:
    standardised = Standardised.of(np.full((5, 3), 2.0, np.float32))
    assert standardised(torch.full((1, 3), 2.0)).tolist() == [[0.0, 0.0, 0.0]]


def captioned(shapes: Path, **settings: Any) -> TrainingData:
    items = nearkin.read_items(shapes / "captions.csv")
    return prepare(items, TrainSettings.checked(**{**FROZEN, **settings})).train


def test_several_captions_of_a_picture(shapes: Path) -> None:
    data = captioned(shapes)
    for batch in Epoch(data, batch_size=8, per_class=2, seed=0, captions=3):
        assert batch.tokens is not None
        assert batch.image_ids is not None
        assert batch.text_ids is not None
        assert len(batch.tokens) == len(batch.image_ids) == len(batch.text_ids) == 3 * len(batch)
        first, second, third = batch.image_ids.reshape(3, -1)
        assert first.equal(second)
        assert first.equal(third)
        assert len(first.unique()) == len(first)


def test_ids_of_texts_are_the_texts_own(shapes: Path) -> None:
    """The same in every batch: a memory of earlier batches goes by them."""
    data = captioned(shapes)
    rows = np.arange(3)
    one, other = data.batch(rows, ["a", "b", "a"]), data.batch(rows, ["b", "c", "d"])
    assert one.text_ids is not None
    assert other.text_ids is not None
    assert one.text_ids[0] == one.text_ids[2] != one.text_ids[1] == other.text_ids[0]


class Recorded(nn.Module):
    """A caption loss that keeps what it is given."""

    def forward(self, images: Any, texts: Any, image_ids: Any = None, text_ids: Any = None) -> torch.Tensor:
        self.given = images, texts, image_ids, text_ids
        return (images * texts).sum()


def test_the_memory_of_captions() -> None:
    loss, memory = Recorded(), (EmbeddingMemory(4, 2), EmbeddingMemory(4, 2))
    objective = Objective(None, loss, caption_memory=memory, memory_from=0.5)
    images, texts = torch.eye(2), torch.arange(8.0).reshape(4, 2)
    ids = (torch.tensor([10, 11, 10, 11]), torch.tensor([1, 2, 3, 4]))
    objective(images, None, texts, ids)
    assert len(loss.given[0]) == 4
    assert loss.given[2].tolist() == [10, 11, 10, 11]
    objective.set_progress(0.6)
    images.requires_grad_()
    objective(images, None, texts, ids).backward()
    # Two captions of two pictures, then the four pairs of before, which have no gradient.
    assert [len(part) for part in loss.given] == [8, 8, 8, 8]
    assert loss.given[3].tolist() == [1, 2, 3, 4, 1, 2, 3, 4]
    assert images.grad is not None
    assert images.grad.equal(texts[:2] + texts[2:])


def test_pictures_of_one_label_share_their_captions() -> None:
    loss = Recorded()
    objective = Objective(None, loss, same_label=True)
    objective(torch.eye(2), torch.tensor([7, 7]), torch.eye(2), (torch.tensor([0, 1]), torch.tensor([5, 6])))
    assert loss.given[2].tolist() == [7, 7]


@pytest.mark.parametrize(
    "settings",
    [
        {"captions_per_picture": 2, "caption_loss_options": {"positives": "all"}},
        {"caption_memory": 16, "word_dropout": 0.3},
        {"caption_memory": 16, "caption_loss": "vse"},
        {"loss": "triplet", "same_label": True},
    ],
    ids=str,
)
def test_trains_with(shapes: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    train(shapes / "captions.csv", out=tmp_path / "x", **{**FROZEN, "epochs": 1, **settings})


def test_captions_are_judged_beside_bags_of_words(shapes: Path, tmp_path: Path, weights: str) -> None:
    options = {**FROZEN, "text_tower": "gru", "epochs": 1, "learning_rate": 1e-6}
    train(shapes / "captions.csv", out=tmp_path / "x", weights=weights, **options)
    report = nearkin.evaluation.Report.read(tmp_path / "x" / "report.json")
    assert list(report.baselines) == ["bag of words", "chance"]
    metric = "text_to_image/recall@1"
    bags, chance = (report.baselines[name]["cross_modal"][metric].value for name in ("bag of words", "chance"))
    # Words of shapes and colours are learned in closed form where the tower had no time to learn anything.
    assert bags > chance + 0.2
    assert any(note.startswith("Words find fewer pictures than a bag of words does") for note in report.notes)
