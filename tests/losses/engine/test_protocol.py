"""What training asks of any loss: functions, modules, sums and imported ones answer alike."""

from functools import partial

import pytest
import torch
from pytorch_metric_learning import losses as theirs

from nearkin.losses import (
    ArcFaceLoss,
    CenterLoss,
    SoftmaxLoss,
    WeightedSum,
    build_loss,
    contrastive_loss,
    set_progress,
    step_sampled,
    takes_references,
    triplet_loss,
    weight_groups,
)

SIZES = {"classes": 5, "dim": 4}


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (triplet_loss, True),
        (partial(triplet_loss, margin=0.3), True),
        (lambda embeddings, labels: embeddings.sum(), False),
        (ArcFaceLoss(**SIZES), False),
        (build_loss("arcface+triplet", **SIZES), True),
        (build_loss("arcface+center", **SIZES), False),
        (build_loss("pytorch_metric_learning.losses.CircleLoss", **SIZES), True),
        (build_loss("pytorch_metric_learning.losses.ArcFaceLoss", **SIZES), False),
    ],
)
def test_who_takes_references(loss: object, expected: bool) -> None:
    assert takes_references(loss) == expected


def test_weights_are_grouped_by_their_rate() -> None:
    loss = build_loss("softmax+arcface+cosface+0.1*center", **SIZES, options={"arcface.learning_rate_multiple": 20.0})
    softmax, arcface, cosface, _ = loss.modules_of_terms
    groups = {multiple: {id(weight) for weight in weights} for multiple, weights in weight_groups(loss)}
    assert groups == {
        1.0: {id(softmax.weight), id(softmax.bias)},
        20.0: {id(arcface.class_weights.weight)},
        10.0: {id(cosface.class_weights.weight)},
    }
    imported = build_loss("pytorch_metric_learning.losses.ProxyAnchorLoss", **SIZES)
    assert [multiple for multiple, _ in weight_groups(imported)] == [1.0]
    assert weight_groups(triplet_loss) == weight_groups(CenterLoss(**SIZES)) == []


def test_progress_and_steps_reach_the_terms_and_pass_by_others() -> None:
    loss = build_loss("sphereface+triplet", **SIZES)
    set_progress(loss, 0.0)
    assert loss.modules_of_terms[0].annealing == 1000
    for other in (triplet_loss, lambda embeddings, labels: embeddings.sum(), SoftmaxLoss(**SIZES)):
        set_progress(other, 0.5)
        step_sampled(other, 0.1)


def test_a_sum_weighs_its_terms_and_hands_on_references() -> None:
    random = torch.Generator().manual_seed(0)
    embeddings, refs = torch.randn(6, 4, generator=random), torch.randn(8, 4, generator=random)
    labels, ref_labels = torch.arange(6) // 2, torch.arange(8) // 2
    module = CenterLoss(4, 4).eval()
    loss = WeightedSum([(2.0, triplet_loss), (0.5, contrastive_loss), (0.1, module)])
    wanted = 2 * triplet_loss(embeddings, labels) + 0.5 * contrastive_loss(embeddings, labels)
    torch.testing.assert_close(loss(embeddings, labels), wanted + 0.1 * module(embeddings, labels))
    references = {"ref_embeddings": refs, "ref_labels": ref_labels}
    wanted = 2 * triplet_loss(embeddings, labels, **references) + 0.5 * contrastive_loss(
        embeddings, labels, **references
    )
    torch.testing.assert_close(loss(embeddings, labels, **references), wanted + 0.1 * module(embeddings, labels))


def test_imported_losses_are_given_references_as_theirs() -> None:
    random = torch.Generator().manual_seed(0)
    embeddings, refs = torch.randn(6, 4, generator=random), torch.randn(8, 4, generator=random)
    labels, ref_labels = torch.arange(6) // 2, torch.arange(8) // 2
    loss = build_loss("pytorch_metric_learning.losses.ContrastiveLoss", **SIZES)
    wanted = theirs.ContrastiveLoss()(embeddings, labels, ref_emb=refs, ref_labels=ref_labels)
    assert loss(embeddings, labels, ref_embeddings=refs, ref_labels=ref_labels) == wanted
