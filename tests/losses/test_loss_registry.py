"""Losses by name and by import path."""

import pytest
import torch
from pytorch_metric_learning.losses import ArcFaceLoss, CircleLoss

from nearkin.errors import InvalidInput, UnknownName
from nearkin.losses import LOSSES, SoftmaxLoss, build_loss, contrastive_loss, triplet_loss

EMBEDDINGS, LABELS = (
    torch.nn.functional.normalize(torch.randn(8, 4, generator=torch.manual_seed(0))),
    torch.arange(8) // 2,
)


@pytest.mark.parametrize("name", LOSSES)
def test_every_named_loss_gives_a_scalar_with_a_gradient(name: str) -> None:
    loss = build_loss(name, classes=4, dim=4)
    embeddings = EMBEDDINGS.clone().requires_grad_()
    value = loss(embeddings, LABELS)
    assert value.shape == ()
    value.backward()
    assert embeddings.grad.abs().sum() > 0


def test_options_reach_the_loss() -> None:
    options = {"margin": 0.7, "reduction": "sum"}
    for name, function in (("triplet", triplet_loss), ("contrastive", contrastive_loss)):
        built = build_loss(name, classes=4, dim=4, options=options)
        assert built(EMBEDDINGS, LABELS) == function(EMBEDDINGS, LABELS, **options)


def test_weights_have_the_wanted_sizes() -> None:
    loss = build_loss("softmax", classes=5, dim=4)
    assert isinstance(loss, SoftmaxLoss)
    assert loss.weight.shape == (5, 4)


def test_import_paths() -> None:
    path = "pytorch_metric_learning.losses."
    circle = build_loss(path + "CircleLoss", classes=4, dim=4, options={"gamma": 20})
    assert circle(EMBEDDINGS, LABELS) == CircleLoss(gamma=20)(EMBEDDINGS, LABELS)
    arcface = build_loss(path + "ArcFaceLoss", classes=4, dim=4)
    assert isinstance(arcface.loss, ArcFaceLoss)
    assert arcface.loss.W.shape == (4, 4)
    function = build_loss("nearkin.losses.triplet.triplet_loss", classes=4, dim=4, options={"margin": 0.7})
    assert function(EMBEDDINGS, LABELS) == triplet_loss(EMBEDDINGS, LABELS, margin=0.7)


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        (
            "tripplet",
            {},
            UnknownName,
            "unknown loss 'tripplet': did you mean triplet.*; any other goes by its import path",
        ),
        ("triplet", {"margn": 1}, UnknownName, "option of loss 'triplet', 'margn': .*known: margin, reduction"),
        ("triplet", {"labels": 1}, UnknownName, "'labels': known: margin, reduction"),
        ("softmax", {"margin": 1}, UnknownName, "option of loss 'softmax', 'margin': known: learning_rate_multiple"),
        ("triplet", {"margin": -1.0}, InvalidInput, "margin is -1.0"),
        ("no_such_package.Loss", {}, InvalidInput, "cannot be imported: No module named 'no_such_package'"),
        ("pytorch_metric_learning.losses.CircelLoss", {}, UnknownName, "did you mean .*CircleLoss"),
        (".", {}, InvalidInput, "loss '.' cannot be imported"),
        (".losses.Loss", {}, InvalidInput, "loss '.losses.Loss' cannot be imported"),
        ("pytorch_metric_learning.losses.CircleLoss", {"gama": 1}, InvalidInput, "cannot be built: .*gama"),
    ],
)
def test_what_cannot_be_built_is_refused(name: str, options: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        build_loss(name, classes=4, dim=4, options=options)
