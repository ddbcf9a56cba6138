"""SphereFace against a loop over classes, its psi against the trigonometric form, its annealing."""

import math
from functools import partial
from inspect import unwrap

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning import losses as theirs
from torch import Tensor

from nearkin.errors import InvalidInput
from nearkin.losses import SphereFaceLoss, normalised_softmax_loss, sphereface_loss
from tests.losses import class_cases as cases

LOSS = partial(sphereface_loss, scale=5.0, margin=4)


def own(angle: Tensor, margin: int, annealing: float) -> Tensor:
    """psi(theta) = (-1)^k cos(m theta) - 2k in [k pi/m, (k+1) pi/m], mixed with cos(theta) by lambda."""
    k = next(k for k in range(margin) if angle <= (k + 1) * math.pi / margin or k == margin - 1)
    psi = (-1) ** k * (margin * angle).cos() - 2 * k
    return (annealing * angle.cos() + psi) / (1 + annealing)


def loop(embeddings: Tensor, labels: Tensor, weight: Tensor, margin: int = 4, annealing: float = 0.0) -> Tensor:
    return cases.loop_over_classes(
        embeddings, labels, weight, lambda angle: own(angle, margin, annealing), scale=lambda x: 5.0 * x.norm()
    )


@pytest.mark.parametrize(("margin", "annealing"), [(1, 0.0), (2, 0.0), (3, 5.0), (4, 0.0)])
def test_equals_the_loop(margin: int, annealing: float) -> None:
    options = {"margin": margin, "annealing": annealing}
    cases.assert_equals_loop(partial(LOSS, **options), partial(loop, **options))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_order_and_rotation_do_not_matter_and_no_margin_is_normalised_softmax(seed: int) -> None:
    cases.assert_order_and_rotation_do_not_matter(LOSS, seed)
    embeddings, labels, weight = cases.draw(8, seed)
    longer = weight * torch.arange(1, cases.CLASSES + 1)[:, None]
    torch.testing.assert_close(LOSS(embeddings, labels, longer), LOSS(embeddings, labels, weight))
    units = torch.nn.functional.normalize(embeddings)
    for options in ({"margin": 1}, {"margin": 4, "annealing": 1e6}):
        torch.testing.assert_close(
            LOSS(units, labels, weight, **options),
            normalised_softmax_loss(units, labels, weight, scale=5.0),
            rtol=1e-4,
            atol=1e-4,
        )


def test_psi_falls_from_1_to_1_less_2m() -> None:
    angles = torch.linspace(0, math.pi, 50, dtype=torch.float64)
    embeddings = torch.stack([angles.cos(), angles.sin()], 1)
    weight, label = torch.tensor([[1.0, 0.0], [0.0, 0.0]], dtype=torch.float64), torch.tensor([0])
    losses = torch.stack([sphereface_loss(x[None], label, weight, margin=4) for x in embeddings])
    # Of two classes L = log(1 + e^-psi), and the other has the cosine 0.
    psi = -losses.expm1().log()
    assert (psi.diff() < 0).all()
    torch.testing.assert_close(psi[[0, -1]], torch.tensor([1.0, -7.0], dtype=torch.float64))


def test_ends_of_the_range() -> None:
    cases.assert_stands_the_ends(LOSS)
    cases.assert_stands_scores_of_10_000(partial(LOSS, scale=1e4))
    cases.assert_exact_a_hair_from_the_weight(LOSS, loop)
    cases.assert_half_precision_is_computed_in_full(LOSS)
    cases.assert_an_empty_batch_costs_nothing(LOSS)


@pytest.mark.filterwarnings("ignore:__array_wrap__")  # theirs, of NumPy 2
def test_agrees_with_pytorch_metric_learning() -> None:
    embeddings, labels, weight = cases.draw(9)
    other = theirs.SphereFaceLoss(cases.CLASSES, cases.DIM, margin=4, scale=5)
    other.W.data = weight.T.contiguous()
    torch.testing.assert_close(LOSS(embeddings, labels, weight), other(embeddings, labels))


def test_annealing_follows_the_training() -> None:
    module = SphereFaceLoss(cases.CLASSES, cases.DIM, lambda_max=1000.0, lambda_min=5.0, gamma=100.0)
    assert module.annealing == 5
    for share, annealing in ((0.0, 1000.0), (0.5, 1000 / 51), (1.0, 1000 / 101)):
        module.set_progress(share)
        assert module.annealing == pytest.approx(annealing)
    # 6 % into the training, by the authors' rate.
    module = SphereFaceLoss(cases.CLASSES, cases.DIM)
    module.set_progress(0.058)
    assert module.annealing > 5
    module.set_progress(0.06)
    assert module.annealing == 5


def test_module_and_refusals() -> None:
    module = SphereFaceLoss(cases.CLASSES, cases.DIM, scale=5.0, margin=3)
    module.set_progress(0.03)
    embeddings, labels, _ = cases.draw(5)
    wanted = LOSS(embeddings.float(), labels, module.class_weights.weight, margin=3, annealing=1000 / (1 + 3360 * 0.03))
    torch.testing.assert_close(module(embeddings.float(), labels), wanted)
    cases.assert_learns(module)
    cases.assert_refuses_bad_batches(unwrap(sphereface_loss))
    for margin in (0, 1.5, True):
        with pytest.raises(InvalidInput, match=r"margin is .* expected a whole number of at least 1"):
            unwrap(sphereface_loss)(*cases.draw(5), margin=margin)
    with pytest.raises(InvalidInput, match=r"annealing is -1.0, expected a number from 0"):
        sphereface_loss(*cases.draw(5), annealing=-1.0)
    with pytest.raises(InvalidInput, match=r"lambda_min is -1.0, expected a number from 0"):
        SphereFaceLoss(cases.CLASSES, cases.DIM, lambda_min=-1.0)
