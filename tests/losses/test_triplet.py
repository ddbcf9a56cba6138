"""The triplet loss against loops over all triplets, and what must not change it."""

from inspect import unwrap

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from torch import Tensor

from nearkin.errors import InvalidInput, UnknownName
from nearkin.losses import triplet_loss
from nearkin.losses.triplet import FEW_POSITIVES, count_by_passes, count_by_ranks
from tests.losses.cases import CASES, REDUCTIONS, assert_same, reduced, value_and_gradient
from tests.losses.pair_loss_checks import PairLossChecks, others


def loop(
    x: Tensor,
    labels: Tensor,
    y: Tensor,
    ref_labels: Tensor,
    within: bool,
    margin: float | str = 0.2,
    reduction: str = "mean_nonzero",
) -> Tensor:
    """L = max(0, |a-p|^2 - |a-n|^2 + M), or log(1 + exp(.)) without M, triplet by triplet."""
    terms = []
    for a in range(len(x)):
        squared = [(x[a] - row).square().sum() for row in y]
        positives, negatives = others(a, labels, ref_labels, within)
        for p in positives:
            for n in negatives:
                gap = squared[p] - squared[n]
                terms.append((1 + gap.exp()).log() if margin == "soft" else (gap + margin).relu())
    return reduced(terms, reduction) if terms else x.sum() * 0


class TestTriplet(PairLossChecks):
    loss = staticmethod(triplet_loss)
    twin = staticmethod(loop)
    options = (
        *({"margin": 2.0, "reduction": reduction} for reduction in REDUCTIONS),
        {"margin": 0.2},
        # In the loop, 1 + exp(.) rounds to 1 where a triplet is far apart: its loss is not quite 0.
        {"margin": "soft", "reduction": "mean_all"},
        {"margin": 1.0, "reduction": "sum"},
    )
    unit = False
    same_in_any_place = True
    bad_options = (
        ({"margin": 0.0}, "margin is 0.0, expected a number above 0"),
        ({"margin": float("nan")}, "margin is nan"),
        ({"margin": True}, "margin is True"),
        ({"margin": "wide"}, "margin is 'wide', expected a number above 0 or 'soft'"),
        ({"margin": None}, "margin is None"),
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_many_positives_are_ranked(reduction: str) -> None:
    random = torch.Generator().manual_seed(0)
    labels = (torch.arange(FEW_POSITIVES + 30) < 28).long()[torch.randperm(FEW_POSITIVES + 30, generator=random)]
    embeddings = torch.randn(len(labels), 3, dtype=torch.float64, generator=random)

    def by_anchor(x: Tensor) -> Tensor:
        losses = []
        for a in range(len(labels)):
            squared = (x[a] - x).square().sum(1)
            positive = labels == labels[a]
            positive[a] = False
            losses.append(torch.relu(squared[positive][:, None] - squared[labels != labels[a]] + 0.5).flatten())
        return reduced(losses, reduction)

    got = value_and_gradient(lambda x: triplet_loss(x, labels, margin=0.5, reduction=reduction), embeddings)
    assert_same(got, value_and_gradient(by_anchor, embeddings), 1e-10)


@settings(deadline=None)
@given(st.data())
def test_both_ways_of_counting_count(data: st.DataObject) -> None:
    rows, p, n = (data.draw(st.integers(0 if size else 1, 6)) for size in range(3))
    # Few different numbers, so that many are equal.
    number = st.integers(0, 4).map(float)
    hurdles = torch.tensor(
        [[data.draw(number | st.just(torch.inf)) for _ in range(p)] for _ in range(rows)], dtype=torch.float32
    ).reshape(rows, p)
    scores = torch.tensor(
        [[data.draw(number | st.just(-torch.inf)) for _ in range(n)] for _ in range(rows)], dtype=torch.float32
    ).reshape(rows, n)
    above = scores[:, None, :] > hurdles[:, :, None]
    for count in (count_by_passes, count_by_ranks):
        by_hurdle, by_score = count(hurdles, scores)
        assert torch.equal(by_hurdle, above.sum(2).float())
        assert torch.equal(by_score, above.sum(1).float())


@pytest.mark.parametrize("per_class", [2, 4, 16])
def test_equals_pytorch_metric_learning(per_class: int) -> None:
    embeddings = torch.nn.functional.normalize(torch.randn(64, 16, generator=torch.Generator().manual_seed(0)))
    labels = torch.arange(64) // per_class
    theirs = TripletMarginLoss(margin=0.2, distance=LpDistance(normalize_embeddings=False, p=2, power=2))
    got = value_and_gradient(lambda x: triplet_loss(x, labels, margin=0.2), embeddings)
    assert_same(got, value_and_gradient(lambda x: theirs(x, labels), embeddings), 1e-5)


def test_stops_at_the_first_derivative() -> None:
    embeddings, labels = CASES["balanced"]
    x = embeddings.clone().requires_grad_()
    with pytest.raises(InvalidInput, match="leave out create_graph"):
        torch.autograd.grad(triplet_loss(x, labels), x, create_graph=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"margin": 0.0}, "margin is 0.0, expected a number above 0"),
        ({"margin": float("nan")}, "margin is nan"),
        ({"margin": "wide"}, "margin is 'wide'"),
        ({"labels": torch.arange(3)}, "labels: 3 given for 4 embeddings"),
        ({"labels": torch.zeros(4)}, "labels: expected whole numbers \\[n\\], got torch.float32"),
        ({"labels": torch.zeros(4, 1, dtype=torch.int64)}, "got torch.int64 of shape \\(4, 1\\)"),
        ({"embeddings": torch.zeros(4)}, "embeddings: expected floating-point numbers \\[n, dim\\]"),
        ({"embeddings": torch.zeros(4, 2, dtype=torch.int64)}, "got torch.int64 of shape \\(4, 2\\)"),
        (
            {"embeddings": torch.tensor([[0.0, 1.0], [0.0, torch.nan], [1.0, 0.0], [-torch.inf, 1.0]])},
            "2 of 4 rows .* first is row 1",
        ),
        ({"ref_embeddings": torch.zeros(2, 2)}, "needs both"),
        ({"ref_labels": torch.arange(2)}, "needs both"),
        ({"ref_embeddings": torch.zeros(2, 3), "ref_labels": torch.arange(2)}, "have 3 numbers, embeddings 2"),
        ({"ref_embeddings": torch.zeros(2, 2), "ref_labels": torch.arange(3)}, "ref_labels: 3 given for 2"),
    ],
)
def test_bad_input_is_refused(change: dict, message: str) -> None:
    given = {"embeddings": torch.zeros(4, 2), "labels": torch.arange(4), "margin": 0.2, **change}
    # Users have no checker of annotations; the tests' own would refuse these first.
    with pytest.raises(InvalidInput, match=message):
        unwrap(triplet_loss)(**given)


def test_an_unknown_reduction_is_refused() -> None:
    with pytest.raises(UnknownName, match="unknown reduction 'mean': did you mean"):
        unwrap(triplet_loss)(torch.zeros(2, 2), torch.arange(2), reduction="mean")
