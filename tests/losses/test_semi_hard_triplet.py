"""Semi-hard triplets against loops over positive pairs."""

import torch
from torch import Tensor

from nearkin.losses import semi_hard_triplet_loss
from nearkin.losses.semi_hard_triplet import nearest_beyond_by_passes, nearest_beyond_by_ranks
from tests.losses.cases import reduced, value_and_gradient, value_of
from tests.losses.pair_loss_checks import PairLossChecks, others


def loop(
    x: Tensor,
    labels: Tensor,
    y: Tensor,
    ref_labels: Tensor,
    within: bool,
    margin: float | str = 0.2,
    reduction: str = "mean_all",
) -> Tensor:
    """For each pair (a, p) the nearest negative beyond p, or else the furthest."""
    terms = []
    for a in range(len(x)):
        positives, negatives = others(a, labels, ref_labels, within)
        far = [(x[a] - y[n]).square().sum() for n in negatives]
        for p in positives if negatives else ():
            near = (x[a] - y[p]).square().sum()
            beyond = [distance for distance in far if distance > near]
            chosen = min(beyond, key=value_of) if beyond else max(far, key=value_of)
            gap = near - chosen
            terms.append((1 + gap.exp()).log() if margin == "soft" else (margin + gap).relu())
    return reduced(terms, reduction) if terms else x.sum() * 0


class TestSemiHard(PairLossChecks):
    loss = staticmethod(semi_hard_triplet_loss)
    twin = staticmethod(loop)
    options = (
        {"margin": 0.2},
        {"margin": 2.0, "reduction": "sum"},
        {"margin": 0.5, "reduction": "mean_nonzero"},
        {"margin": "soft"},
    )
    unit = False
    values_only = ("all equal", "ties at the margin")
    bad_options = (
        ({"margin": -0.1}, "margin is -0.1"),
        ({"margin": "semi"}, "margin is 'semi'"),
        ({"reduction": "mean"}, "unknown reduction 'mean'"),
    )

    def batch(self, case: str) -> tuple[Tensor, Tensor]:
        # A negative on top of a positive is neither nearer nor further: rounding decides. It has a test of its own.
        return super().batch("balanced" if case == "duplicates" else case)


def test_equal_rows_give_finite_numbers() -> None:
    rows = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).repeat(3, 1)
    value, gradient = value_and_gradient(lambda x: semi_hard_triplet_loss(x, torch.arange(12) // 2), rows)
    assert value >= 0
    assert value.isfinite()
    assert gradient.isfinite().all()


def test_both_ways_of_choosing_choose_the_same() -> None:
    random = torch.Generator().manual_seed(0)
    far = torch.rand(20, 50, generator=random)
    far[:, 30:] = -torch.inf
    near = torch.rand(20, 5, generator=random)
    near[:, 0], near[:, 1] = far[:, 3], -1.0
    for column in range(5):
        by_passes = nearest_beyond_by_passes(near, far, 30)
        by_ranks = nearest_beyond_by_ranks(near, far, 30)
        for row in range(20):
            beyond = [score for score in far[row, :30].tolist() if score < near[row, column]]
            wanted = max(beyond) if beyond else min(far[row, :30].tolist())
            for score, chosen in (by_passes, by_ranks):
                assert score[row, column] == wanted == far[row, chosen[row, column]]
