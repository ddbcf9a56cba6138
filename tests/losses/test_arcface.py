"""ArcFace and its sub-centers against loops over classes."""

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
from nearkin.losses import ArcFaceLoss, arcface_loss, normalised_softmax_loss
from tests.losses import class_cases as cases

LOSS = partial(arcface_loss, scale=7.0, margin=0.5)


def own(angle: Tensor, margin: float = 0.5, *, easy: bool = False) -> Tensor:
    """cos(theta + m); beyond pi cos(theta) - m sin m; with an easy margin cos(theta) from a right angle on."""
    if easy:
        return (angle + margin).cos() if angle.cos() > 0 else angle.cos()
    return (angle + margin).cos() if angle + margin < math.pi else angle.cos() - margin * math.sin(margin)


def loop(embeddings: Tensor, labels: Tensor, weight: Tensor, **options: float) -> Tensor:
    return cases.loop_over_classes(embeddings, labels, weight, lambda angle: own(angle, **options), scale=lambda x: 7.0)


def loop_over_sub_centers(embeddings: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
    """Of each class the sub-center with the highest cosine counts."""
    terms = []
    for x, label in zip(embeddings, labels.tolist(), strict=True):
        cosines = [max(cases.cosine(x, w) for w in centers) for centers in weight]
        others = [7 * cosine for j, cosine in enumerate(cosines) if j != label]
        terms.append(cases.cross_entropy(7 * own(cosines[label].acos()), others))
    return sum(terms) / len(terms)


@pytest.mark.parametrize(("margin", "easy"), [(0.5, False), (1.5, False), (3.0, False), (0.5, True)])
def test_equals_the_loop(margin: float, easy: bool) -> None:
    cases.assert_equals_loop(
        partial(arcface_loss, scale=7.0, margin=margin, easy_margin=easy), partial(loop, margin=margin, easy=easy)
    )


@pytest.mark.parametrize("sub_centers", [1, 3])
def test_sub_centers_equal_their_loop(sub_centers: int) -> None:
    cases.assert_equals_loop(LOSS, loop_over_sub_centers, sub_centers=sub_centers)


def test_one_sub_center_is_arcface() -> None:
    embeddings, labels, weight = cases.draw(9)
    torch.testing.assert_close(LOSS(embeddings, labels, weight[:, None]), LOSS(embeddings, labels, weight))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_order_rotation_and_lengths_do_not_matter_and_no_margin_is_normalised_softmax(seed: int) -> None:
    cases.assert_order_and_rotation_do_not_matter(LOSS, seed)
    cases.assert_lengths_do_not_matter(LOSS, seed)
    batch = cases.draw(8, seed)
    torch.testing.assert_close(arcface_loss(*batch, scale=7.0, margin=0.0), normalised_softmax_loss(*batch, scale=7.0))


def test_the_logit_of_the_own_class_falls_with_the_angle_all_the_way() -> None:
    angles = torch.linspace(0, math.pi, 50, dtype=torch.float64)
    embeddings = torch.stack([angles.cos(), angles.sin()], 1)
    weight = torch.tensor([[1.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    label = torch.tensor([0])
    losses = torch.stack([arcface_loss(x[None], label, weight, scale=5.0, margin=0.5) for x in embeddings])
    assert (losses.diff() > 0).all()


def test_ends_of_the_range() -> None:
    cases.assert_stands_the_ends(LOSS)
    cases.assert_stands_the_ends(partial(arcface_loss, scale=64.0, margin=0.5))
    cases.assert_stands_scores_of_10_000(partial(LOSS, scale=1e4))
    cases.assert_exact_a_hair_from_the_weight(LOSS, loop)
    cases.assert_half_precision_is_computed_in_full(LOSS)
    cases.assert_an_empty_batch_costs_nothing(LOSS)


def test_agrees_with_pytorch_metric_learning() -> None:
    embeddings, labels, weight = cases.draw(9)
    # Theirs takes degrees.
    sizes = {"num_classes": cases.CLASSES, "embedding_size": cases.DIM}
    other = theirs.ArcFaceLoss(**sizes, margin=math.degrees(0.5), scale=7)
    other.W.data = weight.T.contiguous()
    torch.testing.assert_close(LOSS(embeddings, labels, weight), other(embeddings, labels))
    embeddings, labels, weight = cases.draw(9, sub_centers=3)
    other = theirs.SubCenterArcFaceLoss(**sizes, margin=math.degrees(0.5), scale=7, sub_centers=3)
    other.W.data = weight.flatten(0, 1).T.contiguous()
    torch.testing.assert_close(LOSS(embeddings, labels, weight), other(embeddings, labels))


def test_module_and_refusals() -> None:
    embeddings, labels, _ = cases.draw(5)
    for sub_centers in (1, 2):
        module = ArcFaceLoss(cases.CLASSES, cases.DIM, scale=7.0, margin=0.5, easy_margin=True, sub_centers=sub_centers)
        weight = module.class_weights.weight
        assert weight.shape == ((cases.CLASSES, cases.DIM) if sub_centers == 1 else (cases.CLASSES, 2, cases.DIM))
        wanted = LOSS(embeddings.float(), labels, weight, easy_margin=True)
        torch.testing.assert_close(module(embeddings.float(), labels), wanted)
        cases.assert_learns(module)
    cases.assert_refuses_bad_batches(unwrap(arcface_loss))
    for margin in (-0.1, 3.2, float("nan"), True):
        with pytest.raises(InvalidInput, match=r"margin is .* expected a number from 0 to 3.14"):
            unwrap(arcface_loss)(embeddings, labels, weight, margin=margin)
    with pytest.raises(InvalidInput, match="rows of a class is 0, expected a whole number of at least 1"):
        ArcFaceLoss(cases.CLASSES, cases.DIM, sub_centers=0)
