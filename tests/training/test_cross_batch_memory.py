"""Memory: the newest embeddings, whatever the batches; what a batch is compared with; refusals."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nearkin.errors import InvalidInput
from nearkin.losses import SoftmaxLoss, WeightedSum, contrastive_loss, triplet_loss
from nearkin.training.cross_batch_memory import EmbeddingMemory, check_takes_memory, loss_against
from nearkin.training.objective import Objective
from nearkin.training.train import train
from tests.training.small import SMALL


@settings(deadline=None)
@given(size=st.integers(1, 12), batches=st.lists(st.integers(0, 9), max_size=8))
def test_holds_the_newest(size: int, batches: list[int]) -> None:
    memory = EmbeddingMemory(size, 1)
    numbers = torch.arange(sum(batches))
    for batch in numbers.split(batches):
        memory.push(batch[:, None].float(), 100 + batch)
    assert sorted(memory.embeddings.flatten().tolist()) == numbers[-size:].tolist()
    assert (memory.labels == 100 + memory.embeddings.flatten()).all()


def test_a_batch_is_compared_with_itself_and_with_earlier_ones_only() -> None:
    """By the slow way: the losses over batch and batch, and over batch and all that came before it."""
    generator = torch.Generator().manual_seed(0)
    memory = EmbeddingMemory(20, 4)
    objective = Objective(contrastive_loss, memory=memory, memory_weight=0.5)
    seen = []
    for _ in range(3):
        rows, labels = torch.randn(8, 4, generator=generator), torch.arange(8) % 3
        expected = contrastive_loss(rows, labels)
        if seen:
            past, past_labels = (torch.cat(parts)[-20:] for parts in zip(*seen, strict=True))
            expected = expected + 0.5 * contrastive_loss(rows, labels, ref_embeddings=past, ref_labels=past_labels)
        torch.testing.assert_close(objective(rows, labels, None, None), expected)
        seen.append((rows, labels))


def test_the_memory_waits_for_its_share_but_is_filled() -> None:
    memory = EmbeddingMemory(20, 4)
    objective = Objective(contrastive_loss, memory=memory, memory_from=0.5)
    rows, labels = torch.eye(4), torch.tensor([0, 0, 1, 1])
    objective(rows, labels, None, None)
    early = objective(rows, labels, None, None)
    objective.set_progress(0.5)
    late = objective(rows, labels, None, None)
    assert early == contrastive_loss(rows, labels)
    assert late > early
    assert len(memory.labels) == 12


def test_no_gradient_flows_into_the_memory() -> None:
    memory = EmbeddingMemory(4, 2)
    rows = torch.eye(2, requires_grad=True)
    memory.push(rows, torch.tensor([0, 1]))
    assert not memory.embeddings.requires_grad
    loss_against(triplet_loss, 2 * rows, torch.tensor([1, 0]), memory).backward()
    assert rows.grad is not None
    assert rows.grad.abs().sum() > 0


def test_of_a_sum_only_terms_that_take_references_see_the_memory() -> None:
    softmax = SoftmaxLoss(classes=2, dim=2)
    memory = EmbeddingMemory(4, 2)
    memory.push(torch.eye(2), torch.tensor([0, 1]))
    rows, labels = torch.eye(2).flip(0), torch.tensor([0, 1])
    both = WeightedSum([(0.5, triplet_loss), (1.0, softmax)])
    expected = 0.5 * triplet_loss(rows, labels, ref_embeddings=memory.embeddings, ref_labels=memory.labels)
    assert expected > 0
    assert loss_against(both, rows, labels, memory) == expected
    check_takes_memory(both, "triplet+softmax")
    with pytest.raises(
        InvalidInput, match=r"loss 'softmax' cannot use a memory of embeddings.* choose one of .*triplet"
    ):
        check_takes_memory(softmax, "softmax")


def test_refusals_of_a_run(shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="loss 'softmax' cannot use a memory"):
        train(shapes / "tree", out=tmp_path / "x", loss="softmax", memory=64, **SMALL)
    with pytest.raises(InvalidInput, match="memory needs a loss on labels"):
        train(shapes / "captions.csv", out=tmp_path / "x", captions=True, memory=64, **SMALL)
