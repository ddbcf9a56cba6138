"""Batches on which every loss over pairs must equal its slow loop."""

from collections.abc import Callable

import torch
from torch import Tensor


def _random(*labels: int, seed: int = 0, dim: int = 5) -> tuple[Tensor, Tensor]:
    embeddings = torch.randn(len(labels), dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    # Values of float32, so that both precisions are given the same batch.
    return embeddings.float().double(), torch.tensor(labels, dtype=torch.int64)


def _duplicates() -> tuple[Tensor, Tensor]:
    """Equal rows of one class, equal rows of two classes."""
    embeddings, labels = _random(0, 0, 1, 1, 2, 2)
    embeddings[1] = embeddings[0]
    embeddings[2] = embeddings[0]
    return embeddings, labels


def _lattice() -> tuple[Tensor, Tensor]:
    """Whole numbers, so that many triplets lie exactly at a margin of 1, 2 or 4."""
    embeddings = torch.tensor([[0, 0], [1, 0], [1, 1], [2, 0], [0, 2], [2, 1], [0, 1], [3, 0]], dtype=torch.float64)
    return embeddings, torch.tensor([0, 0, 0, 1, 1, 1, 2, 2])


def _near_each_other() -> tuple[Tensor, Tensor]:
    """All rows in a ball of radius 1e-4, far from the origin: |x|^2 - 2 x.y + |y|^2 cancels."""
    embeddings, labels = _random(0, 1, 0, 1, 2)
    return (10 + 1e-4 * embeddings).float().double(), labels


CASES = {
    "balanced": _random(0, 1, 2, 0, 1, 2, 0, 1, 2),
    "ragged": _random(4, 4, 0, 4, -7, 4, 4, 0, 4, 2**40, 4, 0, seed=1),
    "duplicates": _duplicates(),
    "all equal": (torch.ones(5, 3, dtype=torch.float64), torch.tensor([0, 0, 1, 1, 2])),
    "near each other": _near_each_other(),
    "ties at the margin": _lattice(),
    "one class": _random(3, 3, 3, 3),
    "no positives": _random(0, 1, 2, 3, 4),
    "two rows": _random(0, 1),
    "two rows of one class": _random(1, 1),
    "one row": _random(0),
    "no row": _random(),
}

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}

REDUCTIONS = ("mean_nonzero", "mean_all", "sum")


def reduced(losses: list[Tensor], reduction: str) -> Tensor:
    """The mean of the terms above 0, the mean of all, or the sum; 0 of nothing."""
    terms = torch.cat([loss.flatten() for loss in losses]) if losses else torch.zeros(1)
    if reduction == "mean_nonzero":
        terms = terms[terms > 0] if (terms > 0).any() else terms
    return terms.sum() if reduction == "sum" else terms.mean()


def value_of(scalar: Tensor) -> float:
    """For comparisons, of which no gradient is wanted."""
    return float(scalar.detach())


def value_and_gradient(loss: Callable[[Tensor], Tensor], embeddings: Tensor) -> tuple[Tensor, Tensor]:
    """The loss of the embeddings, and its gradient; zeros where the loss does not depend on them."""
    embeddings = embeddings.detach().clone().requires_grad_()
    value = loss(embeddings)
    if value.requires_grad:
        value.backward()
    gradient = torch.zeros_like(embeddings) if embeddings.grad is None else embeddings.grad
    return value.detach(), gradient


def assert_same(got: tuple[Tensor, ...], wanted: tuple[Tensor, ...], tolerance: float) -> None:
    """Value and gradient agree, to the tolerance or to that share of the wanted numbers."""
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one.double(), other.double(), rtol=tolerance, atol=tolerance)
