"""SphereFace-R against a loop over classes, and the gradient that it detaches."""

from functools import partial
from inspect import unwrap

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nearkin.errors import InvalidInput
from nearkin.losses import SphereFaceRLoss, normalised_softmax_loss, sphereface_r_loss
from tests.losses import class_cases as cases

LOSS = partial(sphereface_r_loss, scale=7.0, margin=1.4)
EXACT = partial(LOSS, detach=False)


def loop(embeddings: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
    return cases.loop_over_classes(
        embeddings, labels, weight, torch.cos, lambda angle: (angle / 1.4).cos(), scale=lambda x: 7.0
    )


def detached_loop(embeddings: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
    """The same values, but cos(theta / m) - cos(theta) counts as a constant in the gradient."""
    return cases.loop_over_classes(
        embeddings,
        labels,
        weight,
        torch.cos,
        lambda angle: angle.cos() + ((angle / 1.4).cos() - angle.cos()).detach(),
        scale=lambda x: 7.0,
    )


def test_equals_the_loop() -> None:
    cases.assert_equals_loop(EXACT, loop)


def test_detached_gradient_equals_that_of_the_loop() -> None:
    batch = cases.draw(9)
    cases.assert_same(cases.both_gradients(LOSS, *batch), cases.both_gradients(detached_loop, *batch), 1e-10)
    assert not torch.equal(cases.both_gradients(LOSS, *batch)[1], cases.both_gradients(EXACT, *batch)[1])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_order_rotation_and_lengths_do_not_matter_and_no_margin_is_normalised_softmax(seed: int) -> None:
    cases.assert_order_and_rotation_do_not_matter(LOSS, seed)
    cases.assert_lengths_do_not_matter(LOSS, seed)
    batch = cases.draw(8, seed)
    wanted = normalised_softmax_loss(*batch, scale=7.0)
    torch.testing.assert_close(sphereface_r_loss(*batch, scale=7.0, margin=1.0), wanted)


@pytest.mark.parametrize("loss", [LOSS, EXACT], ids=["detached", "exact"])
def test_ends_of_the_range(loss: cases.ClassLoss) -> None:
    cases.assert_stands_the_ends(loss)
    cases.assert_stands_scores_of_10_000(partial(loss, scale=1e4))
    cases.assert_half_precision_is_computed_in_full(loss)
    cases.assert_an_empty_batch_costs_nothing(loss)


def test_module_and_refusals() -> None:
    module = SphereFaceRLoss(cases.CLASSES, cases.DIM, scale=7.0, margin=1.4, detach=False)
    embeddings, labels, _ = cases.draw(5)
    weight = module.class_weights.weight
    torch.testing.assert_close(module(embeddings.float(), labels), LOSS(embeddings.float(), labels, weight))
    cases.assert_learns(module)
    cases.assert_refuses_bad_batches(unwrap(sphereface_r_loss))
    for margin in (0.9, float("nan"), True):
        with pytest.raises(InvalidInput, match=r"margin is .* expected a number from 1"):
            unwrap(sphereface_r_loss)(embeddings, labels, weight, margin=margin)
