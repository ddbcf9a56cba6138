"""Circle loss against a loop over anchors."""

import pytest
import torch
from pytorch_metric_learning.losses import CircleLoss
from torch import Tensor
from torch.nn.functional import normalize

from nearkin.losses import circle_loss
from tests.losses.cases import assert_same, value_and_gradient
from tests.losses.pair_loss_checks import PairLossChecks, mean_of, others


def loop(
    x: Tensor, labels: Tensor, y: Tensor, ref_labels: Tensor, within: bool, m: float = 0.4, gamma: float = 8.0
) -> Tensor:
    """log(1 + sum_n e^(gamma a_n (s_n - m)) sum_p e^(-gamma a_p (s_p - (1 - m)))), anchor by anchor."""
    terms = []
    for a in range(len(x)):
        positives, negatives = others(a, labels, ref_labels, within)
        near = far = x.new_zeros(())
        for p in positives:
            s = x[a] @ y[p]
            near = near + (-gamma * torch.relu(1 + m - s.detach()) * (s - (1 - m))).exp()
        for n in negatives:
            s = x[a] @ y[n]
            far = far + (gamma * torch.relu(s.detach() + m) * (s - m)).exp()
        if positives and negatives:
            terms.append((1 + near * far).log())
    return mean_of(terms, x)


class TestCircle(PairLossChecks):
    loss = staticmethod(circle_loss)
    twin = staticmethod(loop)
    options = ({}, {"m": 0.25, "gamma": 4.0})
    tolerance = {torch.float32: 1e-4, torch.float64: 1e-9}  # noqa: RUF012
    bad_options = (({"m": float("nan")}, "m is nan, expected a finite number"), ({"gamma": 0}, "gamma is 0"))

    def test_gradcheck(self) -> None:
        """Against differences of the loss whose weights are held: the gradient is that of the paper."""
        embeddings, labels = self.batch("ragged")
        options = self.options[-1]
        gradient = value_and_gradient(self.ours(labels, options), embeddings)[1]
        scores = embeddings @ embeddings.T
        m, gamma = options["m"], options["gamma"]
        near_weight, far_weight = torch.relu(1 + m - scores), torch.relu(scores + m)

        def held(x: Tensor) -> Tensor:
            s, terms = x @ x.T, []
            for a in range(len(x)):
                positives, negatives = others(a, labels, labels, True)
                near = (-gamma * near_weight[a] * (s[a] - (1 - m)))[positives].exp().sum()
                far = (gamma * far_weight[a] * (s[a] - m))[negatives].exp().sum()
                if positives and negatives:
                    terms.append((1 + near * far).log())
            return torch.stack(terms).mean()

        step = 1e-6 * torch.randn(embeddings.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        difference = (held(embeddings + step) - held(embeddings - step)) / 2
        torch.testing.assert_close(difference, (gradient * step).sum(), rtol=1e-6, atol=1e-14)


@pytest.mark.parametrize("per_class", [2, 4])
def test_equals_pytorch_metric_learning(per_class: int) -> None:
    embeddings = torch.randn(32, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(32) // per_class
    # Theirs divides by the lengths itself.
    got = value_and_gradient(lambda x: circle_loss(normalize(x), labels, gamma=80.0), embeddings)
    assert_same(got, value_and_gradient(lambda x: CircleLoss()(x, labels), embeddings), 1e-6)


def test_pairs_beyond_their_optimum_weigh_nothing() -> None:
    # The positive's score is 4, the negatives' -2: both beyond 1 + m and -m.
    embeddings = torch.tensor([[2.0, 0.0], [2.0, 0.0], [-1.0, 0.0]])
    labels = torch.tensor([0, 0, 1])
    value, gradient = value_and_gradient(lambda x: circle_loss(x, labels, m=0.25), embeddings)
    torch.testing.assert_close(value, torch.tensor(2.0).log())
    assert not gradient.any()
