"""Objective: a loss's own weights, their rates, their place in checkpoints; hard classes; losses on captions."""

from pathlib import Path

import numpy as np
import pytest
import torch

from nearkin.errors import InvalidInput, UnknownName
from nearkin.training import lightning_module as module_file
from nearkin.training.train import train
from tests.training.small import SMALL, cut_and_resumed


def test_weights_of_the_loss_learn_at_their_own_rate_and_stay_out_of_the_artefact(shapes: Path, tmp_path: Path) -> None:
    options = {**SMALL, "loss": "softmax", "epochs": 1}
    encoder = train(shapes / "tree", out=tmp_path / "x", loss_learning_rate=0.5, **options)
    last = torch.load(tmp_path / "x" / "checkpoints" / "last.ckpt", weights_only=False)
    groups = last["optimizer_states"][0]["param_groups"]
    assert [group["multiple"] for group in groups] == [1, 1, pytest.approx(500)]
    assert [group["weight_decay"] for group in groups] == [0.01, 0, 0]
    assert groups[2]["lr"] == pytest.approx(500 * groups[0]["lr"])
    assert any(name.startswith("objective.label_loss") for name in last["state_dict"])
    assert not any("loss" in name for name in encoder.state_dict())
    with pytest.raises(InvalidInput, match="loss 'triplet' has no weights that learn"):
        train(shapes / "tree", out=tmp_path / "y", loss_learning_rate=0.5, **SMALL)


@pytest.mark.parametrize(
    ("options", "states"),
    [
        (
            {"loss": "arcface", "loss_options": {"sample_rate": 0.5}, "loss_learning_rate": 0.01},
            ["objective.label_loss"],
        ),
        (
            {"loss": "triplet+0.1*center", "memory": 64, "ema": 0.9, "sampler": "hard", "chunk_size": 10},
            ["objective.label_loss", "objective.memory.ring", "average.image", "class_means.sums"],
        ),
    ],
    ids=["sampled", "all"],
)
def test_resumed_exactly_with_all_that_it_remembers(
    shapes: Path, tmp_path: Path, options: dict, states: list[str]
) -> None:
    whole, cut = cut_and_resumed(shapes / "tree", tmp_path, epochs=2, **options)
    for state in states:
        assert any(name.startswith(state) and tensor.any() for name, tensor in whole.items()), state
    torch.testing.assert_close(cut, whole, rtol=0, atol=0)


def test_hard_batches_follow_where_the_classes_lie(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the second epoch on, the sampler is given the sums of the epoch before, of what the loss saw."""
    given, sums = [], [torch.zeros(10, 16)]
    epoch = module_file.Epoch

    def spy(*arguments: object, class_means: np.ndarray | None, **more: object) -> object:
        given.append(None if class_means is None else class_means.copy())
        return epoch(*arguments, class_means=class_means, **more)

    def loss(embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        sums[-1].index_add_(0, labels, embeddings.detach())
        return embeddings.var()

    monkeypatch.setattr(module_file, "Epoch", spy)
    options = {**SMALL, "sampler": "hard", "epochs": 3}
    train(
        shapes / "tree", out=tmp_path / "x", loss=loss, on_epoch=lambda _: sums.append(torch.zeros(10, 16)), **options
    )
    assert all(means is None for means in given[:2])
    assert len(given) == 4
    for before, means in zip(sums, given[2:], strict=False):
        np.testing.assert_allclose(means, before.numpy(), atol=1e-5)


@pytest.mark.parametrize("loss", ["siglip", "vse"])
def test_other_losses_on_captions(shapes: Path, tmp_path: Path, loss: str) -> None:
    train(shapes / "captions.csv", out=tmp_path / "x", captions=True, caption_loss=loss, epochs=1, **SMALL)


def test_refusals(shapes: Path, tmp_path: Path) -> None:
    out = tmp_path / "x"
    with pytest.raises(UnknownName, match="unknown caption loss 'siglop'"):
        train(shapes / "captions.csv", out=out, captions=True, caption_loss="siglop", **SMALL)
    with pytest.raises(InvalidInput, match="rotate_classes needs labels without captions"):
        train(shapes / "captions.csv", out=out, captions=True, loss="triplet", rotate_classes=True, **SMALL)
    with pytest.raises(InvalidInput, match="sampler 'hard' needs a loss on labels"):
        train(shapes / "captions.csv", out=out, captions=True, sampler="hard", **SMALL)
    assert not out.exists()
