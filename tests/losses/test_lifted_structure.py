"""The generalised lifted structure loss against a loop over anchors."""

import pytest
import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import GeneralizedLiftedStructureLoss
from torch import Tensor

from nearkin.losses import lifted_structure_loss
from tests.losses.cases import assert_same, value_and_gradient
from tests.losses.pair_loss_checks import PairLossChecks, mean_of, others


def distance(one: Tensor, other: Tensor) -> Tensor:
    """With no gradient at distance 0."""
    return (one - other).sum() * 0 if torch.equal(one, other) else (one - other).square().sum().sqrt()


def loop(x: Tensor, labels: Tensor, y: Tensor, ref_labels: Tensor, within: bool, margin: float = 1.0) -> Tensor:
    """max(0, log sum_p e^d + log sum_n e^(M - d)), anchor by anchor."""
    terms = []
    for a in range(len(x)):
        positives, negatives = others(a, labels, ref_labels, within)
        if positives and negatives:
            near = sum(distance(x[a], y[p]).exp() for p in positives)
            far = sum((margin - distance(x[a], y[n])).exp() for n in negatives)
            terms.append((near.log() + far.log()).relu())
    return mean_of(terms, x)


class TestLiftedStructure(PairLossChecks):
    loss = staticmethod(lifted_structure_loss)
    twin = staticmethod(loop)
    options = ({"margin": 0.1}, {"margin": 1.5})
    unit = False
    same_in_any_place = True
    bad_options = (({"margin": 0.0}, "margin is 0.0"), ({"margin": True}, "margin is True"))


@pytest.mark.parametrize("per_class", [2, 4])
def test_equals_pytorch_metric_learning(per_class: int) -> None:
    embeddings = torch.nn.functional.normalize(torch.randn(32, 8, generator=torch.Generator().manual_seed(0)))
    labels = torch.arange(32) // per_class
    theirs = GeneralizedLiftedStructureLoss(distance=LpDistance(normalize_embeddings=False))
    got = value_and_gradient(lambda x: lifted_structure_loss(x, labels), embeddings)
    assert_same(got, value_and_gradient(lambda x: theirs(x, labels), embeddings), 1e-5)


@pytest.mark.parametrize("gap", [3.0, 50.0])
def test_classes_far_apart_cost_nothing(gap: float) -> None:
    embeddings = torch.tensor([[0.0], [0.1], [gap], [gap + 0.2]])
    value, gradient = value_and_gradient(lambda x: lifted_structure_loss(x, torch.tensor([0, 0, 1, 1])), embeddings)
    assert value == 0
    assert not gradient.any()
