"""Normalised softmax against a loop over classes."""

from functools import partial
from inspect import unwrap

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.losses import NormalizedSoftmaxLoss
from torch.nn.functional import normalize

from nearkin.errors import InvalidInput
from nearkin.losses import NormalisedSoftmaxLoss, normalised_softmax_loss
from tests.losses import class_cases as cases

LOSS = partial(normalised_softmax_loss, scale=7.0)


def loop(embeddings: torch.Tensor, labels: torch.Tensor, weight: torch.Tensor, scale: float = 7.0) -> torch.Tensor:
    return cases.loop_over_classes(embeddings, labels, weight, torch.cos, scale=lambda x: scale)


def test_equals_the_loop() -> None:
    cases.assert_equals_loop(LOSS, loop)


def test_equals_a_dense_formula_in_large_batches() -> None:
    random = torch.Generator().manual_seed(0)
    embeddings, weight = (torch.randn(rows, 3, generator=random).double() for rows in (700, 1000))
    labels = torch.randint(1000, (700,), generator=random)

    def dense(x: torch.Tensor, labels: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(7 * normalize(x) @ normalize(w).T, labels)

    got, wanted = (cases.both_gradients(loss, embeddings, labels, weight) for loss in (LOSS, dense))
    cases.assert_same(got, wanted, 1e-10)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_order_rotation_and_lengths_do_not_matter(seed: int) -> None:
    cases.assert_order_and_rotation_do_not_matter(LOSS, seed)
    cases.assert_lengths_do_not_matter(LOSS, seed)


def test_ends_of_the_range() -> None:
    cases.assert_stands_the_ends(LOSS)
    cases.assert_stands_the_ends(partial(normalised_softmax_loss, scale=64.0))
    cases.assert_stands_scores_of_10_000(partial(normalised_softmax_loss, scale=1e4))
    cases.assert_exact_a_hair_from_the_weight(LOSS, loop)
    cases.assert_half_precision_is_computed_in_full(LOSS)
    cases.assert_an_empty_batch_costs_nothing(LOSS)


def test_a_zero_row_is_as_near_to_one_class_as_to_another() -> None:
    _, labels, weight = cases.draw(3)
    value = LOSS(torch.zeros(3, cases.DIM), labels, weight.float())
    torch.testing.assert_close(value, torch.tensor(float(cases.CLASSES)).log())


def test_agrees_with_pytorch_metric_learning() -> None:
    embeddings, labels, weight = cases.draw(9)
    theirs = NormalizedSoftmaxLoss(cases.CLASSES, cases.DIM, temperature=1 / 7)
    theirs.W.data = weight.T.contiguous()
    torch.testing.assert_close(LOSS(embeddings, labels, weight), theirs(embeddings, labels))


def test_module_and_refusals() -> None:
    module = NormalisedSoftmaxLoss(cases.CLASSES, cases.DIM, scale=7.0, generator=torch.Generator().manual_seed(0))
    embeddings, labels, _ = cases.draw(5)
    weight = module.class_weights.weight
    torch.testing.assert_close(module(embeddings.float(), labels), LOSS(embeddings.float(), labels, weight))
    cases.assert_learns(module)
    cases.assert_refuses_bad_batches(unwrap(normalised_softmax_loss))
    for scale in (0.0, -1.0, float("nan"), float("inf"), True):
        with pytest.raises(InvalidInput, match=r"scale is .* expected a number above 0"):
            unwrap(normalised_softmax_loss)(embeddings, labels, weight, scale=scale)
