"""Multi-similarity loss against a loop over anchors."""

import pytest
import torch
from pytorch_metric_learning.distances import DotProductSimilarity
from pytorch_metric_learning.losses import MultiSimilarityLoss
from torch import Tensor

from nearkin.losses import multi_similarity_loss
from tests.losses.cases import assert_same, value_and_gradient
from tests.losses.pair_loss_checks import PairLossChecks, mean_of, others


def loop(
    x: Tensor,
    labels: Tensor,
    y: Tensor,
    ref_labels: Tensor,
    within: bool,
    alpha: float = 2.0,
    beta: float = 5.0,
    base: float = 0.5,
) -> Tensor:
    """1/alpha log(1 + sum_p e^(-alpha (s - base))) + 1/beta log(1 + sum_n e^(beta (s - base))), anchor by anchor."""
    terms = []
    for a in range(len(x)):
        positives, negatives = others(a, labels, ref_labels, within)
        near = sum(((-alpha * (x[a] @ y[p] - base)).exp() for p in positives), start=x.new_ones(()))
        far = sum(((beta * (x[a] @ y[n] - base)).exp() for n in negatives), start=x.new_ones(()))
        terms.append(near.log() / alpha + far.log() / beta)
    return mean_of(terms, x)


class TestMultiSimilarity(PairLossChecks):
    loss = staticmethod(multi_similarity_loss)
    twin = staticmethod(loop)
    options = ({}, {"alpha": 3.0, "beta": 10.0, "base": -0.25})
    bad_options = (
        ({"alpha": 0.0}, "alpha is 0.0"),
        ({"beta": -1.0}, "beta is -1.0"),
        ({"base": float("inf")}, "base is inf, expected a finite number"),
    )


@pytest.mark.parametrize("per_class", [1, 4])
def test_equals_pytorch_metric_learning(per_class: int) -> None:
    embeddings = torch.nn.functional.normalize(torch.randn(32, 8, generator=torch.Generator().manual_seed(0)))
    labels = torch.arange(32) // per_class
    theirs = MultiSimilarityLoss(distance=DotProductSimilarity(normalize_embeddings=False))
    got = value_and_gradient(lambda x: multi_similarity_loss(x, labels, beta=50.0), embeddings)
    assert_same(got, value_and_gradient(lambda x: theirs(x, labels), embeddings), 1e-5)
