"""The contrastive loss against a loop over all pairs, and what must not change it."""

import torch
from torch import Tensor

from nearkin.losses import contrastive_loss
from tests.losses.cases import REDUCTIONS, assert_same, reduced, value_and_gradient
from tests.losses.pair_loss_checks import PairLossChecks


def pair_loss(one: Tensor, other: Tensor, same: bool, margin: float) -> Tensor:
    """L = 1/2 (z d^2 + (1-z) max(0, M-d)^2), with no gradient at d = 0."""
    if torch.equal(one, other):
        return torch.tensor(0.0 if same else margin**2 / 2, dtype=one.dtype)
    distance = (one - other).square().sum().sqrt()
    return (distance.square() if same else torch.relu(margin - distance).square()) / 2


def loop(
    x: Tensor,
    labels: Tensor,
    y: Tensor,
    ref_labels: Tensor,
    within: bool,
    margin: float = 1.0,
    reduction: str = "mean_all",
) -> Tensor:
    """Pair by pair, i < j within a batch."""
    pairs = [(i, j) for j in range(len(y)) for i in range(len(x)) if i < j or not within]
    terms = [pair_loss(x[i], y[j], bool(labels[i] == ref_labels[j]), margin) for i, j in pairs]
    return reduced(terms, reduction) if terms else x.sum() * 0


class TestContrastive(PairLossChecks):
    loss = staticmethod(contrastive_loss)
    twin = staticmethod(loop)
    options = (
        {"margin": 0.5},
        *({"margin": 2.0, "reduction": reduction} for reduction in REDUCTIONS),
        {"margin": 1.0},
    )
    unit = False
    same_in_any_place = True
    bad_options = (
        *(
            ({"margin": margin}, "expected a number above 0")
            for margin in (0.0, -1.0, float("inf"), float("nan"), True)
        ),
        ({"reduction": "none"}, "unknown reduction 'none'"),
    )


def test_equals_dense_formula_in_large_batches() -> None:
    random = torch.Generator().manual_seed(0)
    labels = torch.randint(50, (700,), generator=random)
    embeddings = torch.randn(700, 3, dtype=torch.float64, generator=random)

    def dense(x: Tensor) -> Tensor:
        squared = torch.nn.functional.pdist(x).square()
        i, j = torch.triu_indices(700, 700, offset=1)
        return torch.where(labels[i] == labels[j], squared, torch.relu(1 - squared.sqrt()).square()).mean() / 2

    got = value_and_gradient(lambda x: contrastive_loss(x, labels, margin=1.0), embeddings)
    assert_same(got, value_and_gradient(dense, embeddings), 1e-10)


def test_negatives_a_hair_apart_are_pushed_along_their_difference() -> None:
    embeddings = torch.tensor([[1.0, 0.0], [1.0, 1e-6]])
    _, gradient = value_and_gradient(lambda x: contrastive_loss(x, torch.tensor([0, 1]), margin=0.5), embeddings)
    torch.testing.assert_close(gradient, torch.tensor([[0.0, 0.5], [0.0, -0.5]]), rtol=1e-5, atol=1e-5)


def test_equal_rows_of_two_classes_are_at_distance_0_and_stay_there() -> None:
    # Of |x|^2 - 2 x.x + |x|^2 a rounding is left, which must not pass for a distance.
    rows = torch.randn(40, 257, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(80)
    value, gradient = value_and_gradient(
        lambda x: contrastive_loss(torch.cat([x, x]), labels, margin=0.5, reduction="sum"), rows
    )
    assert value == 40 * 0.5**2 / 2
    assert not gradient.any()
