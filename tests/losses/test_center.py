"""Center loss against a loop, and how centers move."""

from inspect import unwrap

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nearkin.errors import InvalidInput
from nearkin.losses import CenterLoss, center_loss, move_centers_, softmax_loss
from tests.losses import class_cases as cases


def loop(embeddings: Tensor, labels: Tensor, centers: Tensor) -> Tensor:
    """1/2 |x - c_y|^2."""
    terms = [(x - centers[label]).square().sum() / 2 for x, label in zip(embeddings, labels, strict=True)]
    return sum(terms) / len(terms)


def moved(embeddings: Tensor, labels: Tensor, centers: Tensor, alpha: float) -> Tensor:
    """Eq. 4, center by center."""
    rows = []
    for number, center in enumerate(centers):
        members = [x for x, label in zip(embeddings, labels, strict=True) if label == number]
        delta = sum((center - x for x in members), torch.zeros_like(center)) / (1 + len(members))
        rows.append(center - alpha * delta)
    return torch.stack(rows)


def test_equals_the_loop() -> None:
    cases.assert_equals_loop(center_loss, loop)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_order_and_rotation_do_not_matter(seed: int) -> None:
    cases.assert_order_and_rotation_do_not_matter(center_loss, seed)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_centers_move_as_in_the_paper(alpha: float) -> None:
    embeddings, labels, centers = cases.draw(9)
    after = centers.clone()
    move_centers_(embeddings, labels, after, alpha=alpha)
    torch.testing.assert_close(after, moved(embeddings, labels, centers, alpha))


def test_the_module_moves_its_centers_while_it_trains() -> None:
    embeddings, labels, _ = cases.draw(9)
    module = CenterLoss(cases.CLASSES, cases.DIM, alpha=0.3)
    assert not list(module.parameters())
    assert set(module.state_dict()) == {"centers"}
    centers = module.centers.double()
    for _ in range(2):
        torch.testing.assert_close(module(embeddings, labels), center_loss(embeddings, labels, centers))
        centers = moved(embeddings, labels, centers, 0.3).float().double()
        torch.testing.assert_close(module.centers.double(), centers, rtol=1e-5, atol=1e-5)
    module.eval()
    module(embeddings, labels)
    torch.testing.assert_close(module.centers.double(), centers, rtol=1e-5, atol=1e-5)


def test_joint_with_softmax_the_gradient_is_that_of_before_the_move() -> None:
    embeddings, labels, weight = cases.draw(9)
    module = CenterLoss(cases.CLASSES, cases.DIM).double()
    module.centers.copy_(weight.flip(0))
    before = module.centers.clone()

    def joint(x: Tensor) -> Tensor:
        return softmax_loss(x, labels, weight) + 0.1 * module(x, labels)

    def wanted(x: Tensor) -> Tensor:
        return softmax_loss(x, labels, weight) + 0.1 * center_loss(x, labels, before)

    cases.assert_same(cases.value_and_gradient(joint, embeddings), cases.value_and_gradient(wanted, embeddings), 1e-10)


def test_ends_of_the_range() -> None:
    cases.assert_half_precision_is_computed_in_full(center_loss)
    cases.assert_an_empty_batch_costs_nothing(center_loss)
    _, labels, centers = cases.draw(3)
    value, gradient = cases.value_and_gradient(lambda x: center_loss(x, labels, centers), centers[labels])
    assert value == 0
    assert not gradient.any()


def test_refusals() -> None:
    with pytest.raises(InvalidInput, match="expected class numbers 0 to 5, got 0 to 6"):
        unwrap(center_loss)(torch.zeros(2, 3), torch.tensor([0, 6]), torch.zeros(6, 3))
    with pytest.raises(InvalidInput, match=r"alpha is 1.5, expected a number from 0 to 1"):
        move_centers_(torch.zeros(2, 3), torch.tensor([0, 1]), torch.zeros(6, 3), alpha=1.5)
    with pytest.raises(InvalidInput, match="classes is 1, expected a whole number of at least 2"):
        CenterLoss(1, 3)
