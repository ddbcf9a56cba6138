"""ProxyNCA++ against a loop over proxies."""

from functools import partial
from inspect import unwrap

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning import losses as theirs
from torch import Tensor

from nearkin.errors import InvalidInput
from nearkin.losses import ProxyNCALoss, proxy_nca_loss
from tests.losses import class_cases as cases

LOSS = partial(proxy_nca_loss, temperature=0.3)


def loop(embeddings: Tensor, labels: Tensor, proxies: Tensor) -> Tensor:
    """-log(e^{-d_y / T} / sum_j e^{-d_j / T}) with d the squared distance of unit vectors."""
    terms = []
    for x, label in zip(embeddings, labels.tolist(), strict=True):
        distances = [(x / x.norm() - p / p.norm()).square().sum() for p in proxies]
        terms.append(-((-distances[label] / 0.3).exp() / sum((-d / 0.3).exp() for d in distances)).log())
    return sum(terms) / len(terms)


def test_equals_the_loop() -> None:
    cases.assert_equals_loop(LOSS, loop)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_order_rotation_and_lengths_do_not_matter(seed: int) -> None:
    cases.assert_order_and_rotation_do_not_matter(LOSS, seed)
    cases.assert_lengths_do_not_matter(LOSS, seed)


def test_ends_of_the_range() -> None:
    cases.assert_stands_the_ends(LOSS)
    cases.assert_stands_scores_of_10_000(partial(proxy_nca_loss, temperature=1e-4))
    cases.assert_half_precision_is_computed_in_full(LOSS)
    cases.assert_an_empty_batch_costs_nothing(LOSS)


def test_agrees_with_pytorch_metric_learning() -> None:
    embeddings, labels, proxies = cases.draw(9)
    other = theirs.ProxyNCALoss(cases.CLASSES, cases.DIM, softmax_scale=1 / 0.3)
    other.proxies.data = proxies
    torch.testing.assert_close(LOSS(embeddings, labels, proxies), other(embeddings, labels))


def test_module_and_refusals() -> None:
    module = ProxyNCALoss(cases.CLASSES, cases.DIM, temperature=0.3)
    embeddings, labels, _ = cases.draw(5)
    proxies = module.class_weights.weight
    torch.testing.assert_close(module(embeddings.float(), labels), LOSS(embeddings.float(), labels, proxies))
    cases.assert_learns(module)
    cases.assert_refuses_bad_batches(unwrap(proxy_nca_loss))
    with pytest.raises(InvalidInput, match=r"temperature is 0.0, expected a number above 0"):
        unwrap(proxy_nca_loss)(embeddings, labels, proxies, temperature=0.0)
