"""Smooth-AP against loops over ranks, and against average precision itself."""

import torch
from sklearn.metrics import average_precision_score
from torch import Tensor

from nearkin.losses import smooth_ap_loss
from tests.losses.pair_loss_checks import PairLossChecks, mean_of, others


def loop(x: Tensor, labels: Tensor, y: Tensor, ref_labels: Tensor, within: bool, temperature: float = 0.04) -> Tensor:
    """1 - 1/|P| sum_p (rank among positives / rank among all), with sigmoids for comparisons."""
    terms = []
    for a in range(len(x)):
        positives, negatives = others(a, labels, ref_labels, within)
        precision = x.new_zeros(())
        for p in positives:
            outdone = [((x[a] @ y[r] - x[a] @ y[p]) / temperature).sigmoid() for r in positives + negatives if r != p]
            among = 1 + sum(outdone[: len(positives) - 1], start=x.new_zeros(()))
            precision = precision + among / (1 + sum(outdone, start=x.new_zeros(())))
        if positives and negatives:
            terms.append(1 - precision / len(positives))
    return mean_of(terms, x)


class TestSmoothAP(PairLossChecks):
    loss = staticmethod(smooth_ap_loss)
    twin = staticmethod(loop)
    options = ({"temperature": 0.05}, {"temperature": 0.3})
    tolerance = {torch.float32: 1e-4, torch.float64: 1e-9}  # noqa: RUF012
    bad_options = (({"temperature": 0.0}, "temperature is 0.0"),)


def test_a_low_temperature_gives_average_precision() -> None:
    embeddings = torch.nn.functional.normalize(torch.randn(24, 4, generator=torch.Generator().manual_seed(0)).double())
    labels = torch.arange(24) % 5
    precisions = []
    for a in range(24):
        rest = torch.arange(24) != a
        precisions.append(average_precision_score(labels[rest] == labels[a], (embeddings @ embeddings[a])[rest]))
    wanted = 1 - sum(precisions) / 24
    torch.testing.assert_close(float(smooth_ap_loss(embeddings, labels, temperature=1e-7)), wanted)
