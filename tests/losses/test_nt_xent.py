"""NT-Xent against a loop over pairs."""

import pytest
import torch
from pytorch_metric_learning.distances import DotProductSimilarity
from pytorch_metric_learning.losses import NTXentLoss
from torch import Tensor

from nearkin.losses import nt_xent_loss, supcon_loss
from tests.losses.cases import assert_same, value_and_gradient
from tests.losses.pair_loss_checks import PairLossChecks, mean_of, others


def loop(x: Tensor, labels: Tensor, y: Tensor, ref_labels: Tensor, within: bool, temperature: float = 0.07) -> Tensor:
    """-log(e_ap / (e_ap + sum_n e_an)) with e = exp(x.y / T), pair by pair."""
    terms = []
    for a in range(len(x)):
        positives, negatives = others(a, labels, ref_labels, within)
        rivals = sum((x[a] @ y[n] / temperature).exp() for n in negatives)
        for p in positives:
            own = (x[a] @ y[p] / temperature).exp()
            terms.append(-(own / (own + rivals)).log())
    return mean_of(terms, x)


class TestNTXent(PairLossChecks):
    loss = staticmethod(nt_xent_loss)
    twin = staticmethod(loop)
    options = ({"temperature": 1.0}, {"temperature": 0.2})
    bad_options = (
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"temperature": float("nan")}, "temperature is nan"),
    )


@pytest.mark.parametrize("per_class", [2, 4])
def test_equals_pytorch_metric_learning(per_class: int) -> None:
    embeddings = torch.nn.functional.normalize(torch.randn(32, 8, generator=torch.Generator().manual_seed(0)))
    labels = torch.arange(32) // per_class
    theirs = NTXentLoss(temperature=0.1, distance=DotProductSimilarity(normalize_embeddings=False))
    got = value_and_gradient(lambda x: nt_xent_loss(x, labels, temperature=0.1), embeddings)
    assert_same(got, value_and_gradient(lambda x: theirs(x, labels), embeddings), 1e-5)


def test_two_of_each_class_are_supcon() -> None:
    embeddings = torch.nn.functional.normalize(torch.randn(16, 8, generator=torch.Generator().manual_seed(1)))
    labels = torch.arange(16) // 2
    torch.testing.assert_close(
        nt_xent_loss(embeddings, labels, temperature=0.1), supcon_loss(embeddings, labels, temperature=0.1)
    )
