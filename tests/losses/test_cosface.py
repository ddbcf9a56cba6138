"""CosFace against a loop over classes."""

from functools import partial
from inspect import unwrap

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning import losses as theirs

from nearkin.errors import InvalidInput
from nearkin.losses import CosFaceLoss, cosface_loss, normalised_softmax_loss
from tests.losses import class_cases as cases

LOSS = partial(cosface_loss, scale=7.0, margin=0.4)


def loop(embeddings: torch.Tensor, labels: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return cases.loop_over_classes(embeddings, labels, weight, lambda angle: angle.cos() - 0.4, scale=lambda x: 7.0)


def test_equals_the_loop() -> None:
    cases.assert_equals_loop(LOSS, loop)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_order_rotation_and_lengths_do_not_matter_and_no_margin_is_normalised_softmax(seed: int) -> None:
    cases.assert_order_and_rotation_do_not_matter(LOSS, seed)
    cases.assert_lengths_do_not_matter(LOSS, seed)
    batch = cases.draw(8, seed)
    torch.testing.assert_close(cosface_loss(*batch, scale=7.0, margin=0.0), normalised_softmax_loss(*batch, scale=7.0))


def test_ends_of_the_range() -> None:
    cases.assert_stands_the_ends(LOSS)
    cases.assert_stands_scores_of_10_000(partial(LOSS, scale=1e4))
    cases.assert_exact_a_hair_from_the_weight(LOSS, loop)
    cases.assert_half_precision_is_computed_in_full(LOSS)
    cases.assert_an_empty_batch_costs_nothing(LOSS)


def test_agrees_with_pytorch_metric_learning() -> None:
    embeddings, labels, weight = cases.draw(9)
    other = theirs.CosFaceLoss(cases.CLASSES, cases.DIM, margin=0.4, scale=7)
    other.W.data = weight.T.contiguous()
    torch.testing.assert_close(LOSS(embeddings, labels, weight), other(embeddings, labels))


def test_module_and_refusals() -> None:
    module = CosFaceLoss(cases.CLASSES, cases.DIM, scale=7.0, margin=0.4)
    embeddings, labels, _ = cases.draw(5)
    weight = module.class_weights.weight
    torch.testing.assert_close(module(embeddings.float(), labels), LOSS(embeddings.float(), labels, weight))
    cases.assert_learns(module)
    cases.assert_refuses_bad_batches(unwrap(cosface_loss))
    for margin in (-0.1, 2.1, float("nan"), True):
        with pytest.raises(InvalidInput, match=r"margin is .* expected a number from 0 to 2"):
            unwrap(cosface_loss)(embeddings, labels, weight, margin=margin)
