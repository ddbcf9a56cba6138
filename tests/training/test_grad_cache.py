"""Chunks: loss and gradients of the whole batch, dropout and batch norms included; one chunk's memory at a time."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nearkin.losses import info_nce_loss, triplet_loss
from nearkin.training.grad_cache import in_chunks
from tests.training.small import cut_and_resumed


def network(*between: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), *between, nn.ReLU(), nn.Flatten(), nn.Linear(144, 6)).double()


def gradients(net: nn.Module, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(net.parameters())))


@pytest.fixture
def pictures() -> Tensor:
    return torch.randn(24, 1, 8, 8, generator=torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize("size", [1, 5, 8, 24, 100])
def test_triplet_gradient_is_that_of_the_whole_batch(pictures: Tensor, size: int) -> None:
    net, labels = network(), torch.arange(24) % 6
    direct = triplet_loss(net(pictures), labels)
    chunked = triplet_loss(in_chunks(lambda _, rows: net(rows), pictures, size=size, network=net), labels)
    torch.testing.assert_close(chunked, direct)
    torch.testing.assert_close(gradients(net, chunked), gradients(net, direct), rtol=1e-9, atol=1e-12)


def test_two_towers(pictures: Tensor) -> None:
    images, words = network(), nn.EmbeddingBag(50, 6).double()
    tokens = torch.randint(50, (24, 7), generator=torch.Generator().manual_seed(2))
    both = nn.ModuleList([images, words])
    direct = info_nce_loss(images(pictures), words(tokens))
    chunked = info_nce_loss(
        in_chunks(lambda _, rows: images(rows), pictures, size=7, network=images),
        in_chunks(lambda _, rows: words(rows), tokens, size=7, network=words),
    )
    torch.testing.assert_close(gradients(both, chunked), gradients(both, direct), rtol=1e-9, atol=1e-12)


def test_dropout_drops_the_same_both_times(pictures: Tensor) -> None:
    """The gradient is that of the loss that was computed: chunk by chunk without checkpoints, from the same seed."""
    net, labels = network(nn.Dropout(0.5)), torch.arange(24) % 6
    torch.manual_seed(7)
    direct = triplet_loss(torch.cat([net(rows) for rows in pictures.split(8)]), labels)
    torch.manual_seed(7)
    chunked = triplet_loss(in_chunks(lambda _, rows: net(rows), pictures, size=8, network=net), labels)
    torch.testing.assert_close(chunked, direct)
    torch.testing.assert_close(gradients(net, chunked), gradients(net, direct), rtol=1e-9, atol=1e-12)


def test_batch_norm_counts_each_chunk_once(pictures: Tensor) -> None:
    net = network(nn.BatchNorm2d(4))
    twin = copy.deepcopy(net)
    for rows in pictures.split(8):
        twin(rows)
    in_chunks(lambda _, rows: net(rows), pictures, size=8, network=net).square().sum().backward()
    torch.testing.assert_close(dict(net.state_dict()), dict(twin.state_dict()), rtol=0, atol=0)
    assert net[1].momentum == 0.1
    assert net[1].num_batches_tracked == 3


def test_batch_norm_in_evaluation_mode_is_exact(pictures: Tensor) -> None:
    net, labels = network(nn.BatchNorm2d(4)).eval(), torch.arange(24) % 6
    direct = triplet_loss(net(pictures), labels)
    chunked = triplet_loss(in_chunks(lambda _, rows: net(rows), pictures, size=5, network=net), labels)
    torch.testing.assert_close(gradients(net, chunked), gradients(net, direct), rtol=1e-9, atol=1e-12)


def test_a_frozen_network_is_run_once(pictures: Tensor) -> None:
    net, calls = network().requires_grad_(False), []

    def embed(chunk: int, rows: Tensor) -> Tensor:
        calls.append(chunk)
        return net(rows)

    assert not in_chunks(embed, pictures, size=8, network=net).requires_grad
    assert calls == [0, 1, 2]


def test_one_chunk_after_the_other_is_run_again_and_let_go(pictures: Tensor) -> None:
    """Forward all; then each chunk forward once more, and its gradient, before the next chunk's turn."""
    net, events = network(), []

    def embed(chunk: int, rows: Tensor) -> Tensor:
        events.append(f"forward {chunk}")
        embedded = net(rows)
        embedded.register_hook(lambda _: events.append(f"backward {chunk}"))
        return embedded

    in_chunks(embed, pictures, size=8, network=net).square().sum().backward()
    assert events[:3] == ["forward 0", "forward 1", "forward 2"]
    again = [event for event in events[3:] if event.startswith("forward")]
    assert again == ["forward 2", "forward 1", "forward 0"]
    for chunk in (2, 1, 0):
        assert f"backward {chunk}" in events[: events.index(f"forward {chunk}", 3) + 2]


def test_activations_are_not_kept_between_forward_and_backward(pictures: Tensor) -> None:
    """What autograd keeps for the backward pass of the chunks is their rows."""
    net = network()
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        in_chunks(lambda _, rows: net(rows), pictures, size=4, network=net)
        chunked = sum(tensor.numel() for tensor in kept)
        kept.clear()
        net(pictures)
    assert chunked <= pictures.numel() < sum(tensor.numel() for tensor in kept)


def test_pictures_and_captions_resumed_in_chunks_exactly(shapes: Path, tmp_path: Path) -> None:
    options = {"chunk_size": 6, "epochs": 2, "captions": True, "loss": "triplet"}
    whole, cut = cut_and_resumed(shapes / "captions.csv", tmp_path, **options)
    torch.testing.assert_close(cut, whole, rtol=0, atol=0)
