"""Batch-hard triplets against a loop over anchors."""

import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner
from torch import Tensor

from nearkin.losses import batch_hard_triplet_loss
from tests.losses.cases import assert_same, reduced, value_and_gradient, value_of
from tests.losses.pair_loss_checks import PairLossChecks, others
from tests.losses.test_lifted_structure import distance


def loop(
    x: Tensor,
    labels: Tensor,
    y: Tensor,
    ref_labels: Tensor,
    within: bool,
    margin: float | str = "soft",
    reduction: str = "mean_all",
) -> Tensor:
    """The furthest positive and the nearest negative, anchor by anchor."""
    terms = []
    for a in range(len(x)):
        positives, negatives = others(a, labels, ref_labels, within)
        if positives and negatives:
            furthest = max((distance(x[a], y[p]) for p in positives), key=value_of)
            nearest = min((distance(x[a], y[n]) for n in negatives), key=value_of)
            gap = furthest - nearest
            terms.append((1 + gap.exp()).log() if margin == "soft" else (margin + gap).relu())
    return reduced(terms, reduction) if terms else x.sum() * 0


class TestBatchHard(PairLossChecks):
    loss = staticmethod(batch_hard_triplet_loss)
    twin = staticmethod(loop)
    options = (
        {"margin": 0.2},
        {"margin": 2.0, "reduction": "sum"},
        {"margin": 0.5, "reduction": "mean_nonzero"},
        {"margin": "soft"},
    )
    unit = False
    same_in_any_place = True
    values_only = ("duplicates", "all equal", "ties at the margin")
    bad_options = (
        ({"margin": 0.0}, "margin is 0.0"),
        ({"margin": "hard"}, "margin is 'hard', expected a number above 0 or 'soft'"),
        ({"reduction": "mean"}, "unknown reduction 'mean'"),
    )


def test_equals_pytorch_metric_learning() -> None:
    embeddings = torch.nn.functional.normalize(torch.randn(64, 8, generator=torch.Generator().manual_seed(0)))
    labels = torch.arange(64) // 4
    metric = LpDistance(normalize_embeddings=False)
    theirs, miner = TripletMarginLoss(margin=0.3, distance=metric), BatchHardMiner(distance=metric)
    got = value_and_gradient(
        lambda x: batch_hard_triplet_loss(x, labels, margin=0.3, reduction="mean_nonzero"), embeddings
    )
    assert_same(got, value_and_gradient(lambda x: theirs(x, labels, miner(x, labels)), embeddings), 1e-5)


def test_of_equal_rows_the_nearest_is_found_and_no_direction_leads_apart() -> None:
    embeddings = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    value, gradient = value_and_gradient(
        lambda x: batch_hard_triplet_loss(x, torch.tensor([0, 0, 1]), margin=0.5), embeddings
    )
    torch.testing.assert_close(value, torch.tensor(0.5 + 2**0.5 / 2))
    assert gradient.isfinite().all()


def test_negatives_a_hair_apart_are_told_apart() -> None:
    # In float32 both squares come to about 1e-7 of the longest row's.
    near, far = torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 0.0])
    embeddings = torch.stack([near, far, near + torch.tensor([0.0, 2e-4]), near + torch.tensor([0.0, 1e-4])])
    value, gradient = value_and_gradient(
        lambda x: batch_hard_triplet_loss(x, torch.tensor([0, 0, 1, 2]), margin=0.5, reduction="sum"), embeddings
    )
    assert value > 0
    assert gradient[3, 1] != 0
    assert gradient[2, 1] == 0
