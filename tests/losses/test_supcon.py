"""SupCon against a loop over anchors."""

import pytest
import torch
from pytorch_metric_learning.distances import DotProductSimilarity
from pytorch_metric_learning.losses import SupConLoss
from torch import Tensor

from nearkin.losses import supcon_loss
from tests.losses.cases import CASES, assert_same, value_and_gradient
from tests.losses.pair_loss_checks import PairLossChecks, mean_of, others


def loop(x: Tensor, labels: Tensor, y: Tensor, ref_labels: Tensor, within: bool, temperature: float = 0.1) -> Tensor:
    """-1/|P| sum_p log(e_ap / sum_r e_ar) with e = exp(x.y / T), anchor by anchor."""
    terms = []
    for a in range(len(x)):
        positives, negatives = others(a, labels, ref_labels, within)
        everything = sum((x[a] @ y[r] / temperature).exp() for r in positives + negatives)
        logs = [((x[a] @ y[p] / temperature).exp() / everything).log() for p in positives]
        if logs:
            terms.append(-sum(logs) / len(logs))
    return mean_of(terms, x)


class TestSupCon(PairLossChecks):
    loss = staticmethod(supcon_loss)
    twin = staticmethod(loop)
    options = ({"temperature": 1.0}, {"temperature": 0.2})
    bad_options = (({"temperature": -1.0}, "temperature is -1.0"), ({"temperature": "warm"}, "temperature is 'warm'"))


@pytest.mark.parametrize("per_class", [2, 4])
def test_equals_pytorch_metric_learning(per_class: int) -> None:
    embeddings = torch.nn.functional.normalize(torch.randn(32, 8, generator=torch.Generator().manual_seed(0)))
    labels = torch.arange(32) // per_class
    theirs = SupConLoss(temperature=0.1, distance=DotProductSimilarity(normalize_embeddings=False))
    got = value_and_gradient(lambda x: supcon_loss(x, labels, temperature=0.1), embeddings)
    assert_same(got, value_and_gradient(lambda x: theirs(x, labels), embeddings), 1e-5)


def test_one_class_only_still_has_positives_that_compete() -> None:
    embeddings, labels = CASES["one class"]
    assert supcon_loss(embeddings, labels) > 0
