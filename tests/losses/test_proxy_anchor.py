"""Proxy-anchor against a loop over proxies."""

from functools import partial
from inspect import unwrap

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning import losses as theirs
from torch import Tensor
from torch.nn.functional import normalize

from nearkin.errors import InvalidInput
from nearkin.losses import ProxyAnchorLoss, proxy_anchor_loss
from tests.losses import class_cases as cases

LOSS = partial(proxy_anchor_loss, alpha=5.0, margin=0.2)


def loop(embeddings: Tensor, labels: Tensor, proxies: Tensor) -> Tensor:
    """Eq. 4, proxy by proxy."""
    positives, negatives = [], []
    for number, p in enumerate(proxies):
        scores = [cases.cosine(x, p) for x in embeddings]
        of_class = [(5 * (0.2 - s)).exp() for s, label in zip(scores, labels, strict=True) if label == number]
        of_others = [(5 * (s + 0.2)).exp() for s, label in zip(scores, labels, strict=True) if label != number]
        if of_class:
            positives.append((1 + sum(of_class)).log())
        negatives.append((1 + sum(of_others)).log() if of_others else torch.zeros(()))
    return sum(positives) / len(positives) + sum(negatives) / len(negatives)


def test_equals_the_loop() -> None:
    cases.assert_equals_loop(LOSS, loop)


def test_equals_a_dense_formula_with_many_proxies() -> None:
    random = torch.Generator().manual_seed(0)
    embeddings, proxies = (torch.randn(rows, 3, generator=random).double() for rows in (700, 1000))
    labels = torch.randint(1000, (700,), generator=random)

    def dense(x: Tensor, labels: Tensor, p: Tensor) -> Tensor:
        scores = normalize(p) @ normalize(x).T
        own = torch.arange(1000)[:, None] == labels
        positive = (own * (-5 * (scores - 0.2)).exp()).sum(1).log1p()
        negative = (~own * (5 * (scores + 0.2)).exp()).sum(1).log1p()
        return positive[own.any(1)].mean() + negative.mean()

    got, wanted = (cases.both_gradients(loss, embeddings, labels, proxies) for loss in (LOSS, dense))
    cases.assert_same(got, wanted, 1e-10)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_order_rotation_and_lengths_do_not_matter(seed: int) -> None:
    cases.assert_order_and_rotation_do_not_matter(LOSS, seed)
    cases.assert_lengths_do_not_matter(LOSS, seed)


def test_ends_of_the_range() -> None:
    cases.assert_stands_the_ends(LOSS)
    cases.assert_stands_scores_of_10_000(partial(proxy_anchor_loss, alpha=1e4))
    cases.assert_half_precision_is_computed_in_full(LOSS)
    embeddings, proxies = torch.zeros(0, cases.DIM), cases.draw(1)[2].float()
    value, gradient = cases.both_gradients(LOSS, embeddings, torch.zeros(0, dtype=torch.int64), proxies)
    assert value == 0
    assert not gradient.any()


def test_agrees_with_pytorch_metric_learning() -> None:
    embeddings, labels, proxies = cases.draw(9)
    other = theirs.ProxyAnchorLoss(cases.CLASSES, cases.DIM, margin=0.2, alpha=5)
    other.proxies.data = proxies
    torch.testing.assert_close(LOSS(embeddings, labels, proxies), other(embeddings, labels))


def test_module_and_refusals() -> None:
    module = ProxyAnchorLoss(cases.CLASSES, cases.DIM, alpha=5.0, margin=0.2)
    embeddings, labels, _ = cases.draw(5)
    proxies = module.class_weights.weight
    torch.testing.assert_close(module(embeddings.float(), labels), LOSS(embeddings.float(), labels, proxies))
    cases.assert_learns(module)
    cases.assert_refuses_bad_batches(unwrap(proxy_anchor_loss))
    with pytest.raises(InvalidInput, match=r"alpha is -1.0, expected a number above 0"):
        unwrap(proxy_anchor_loss)(embeddings, labels, proxies, alpha=-1.0)
    with pytest.raises(InvalidInput, match=r"margin is 1.5, expected a number from 0 to 1"):
        unwrap(proxy_anchor_loss)(embeddings, labels, proxies, margin=1.5)
