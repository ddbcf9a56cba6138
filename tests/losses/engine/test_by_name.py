"""Losses by name, by import path, and in sums."""

from typing import Any

import pytest
import torch
from pytorch_metric_learning import distances as their_distances
from pytorch_metric_learning import miners as their_miners
from pytorch_metric_learning.losses import ArcFaceLoss, CircleLoss, ContrastiveLoss

from nearkin.errors import InvalidInput, UnknownName
from nearkin.losses import LOSSES, CenterLoss, SoftmaxLoss, build_loss, contrastive_loss, triplet_loss

EMBEDDINGS, LABELS = (
    torch.nn.functional.normalize(torch.randn(8, 4, generator=torch.manual_seed(0))),
    torch.arange(8) // 2,
)
THEIRS = "pytorch_metric_learning.losses."
MINER = "pytorch_metric_learning.miners.MultiSimilarityMiner"


def build(name: str, **options: Any) -> Any:
    return build_loss(name, classes=4, dim=4, options=options)


@pytest.mark.parametrize("name", LOSSES)
def test_every_named_loss_gives_a_scalar_with_a_gradient(name: str) -> None:
    loss = build(name)
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


def test_weights_have_the_wanted_sizes_and_come_from_the_generator() -> None:
    for name in ("softmax", "arcface"):
        weights = [
            next(build_loss(name, classes=5, dim=4, generator=torch.Generator().manual_seed(seed)).parameters())
            for seed in (3, 3, 4)
        ]
        assert weights[0].shape == (5, 4)
        assert torch.equal(weights[0], weights[1])
        assert not torch.equal(weights[0], weights[2])


def test_import_paths() -> None:
    assert build(THEIRS + "CircleLoss", gamma=20)(EMBEDDINGS, LABELS) == CircleLoss(gamma=20)(EMBEDDINGS, LABELS)
    arcface = build(THEIRS + "ArcFaceLoss")
    assert isinstance(arcface.loss, ArcFaceLoss)
    assert arcface.loss.W.shape == (4, 4)
    function = build("nearkin.losses.triplet.triplet_loss", margin=0.7)
    assert function(EMBEDDINGS, LABELS) == triplet_loss(EMBEDDINGS, LABELS, margin=0.7)


def test_miners_and_other_parts_are_built_by_their_path() -> None:
    loss = build(
        THEIRS + "ContrastiveLoss",
        neg_margin=0.5,
        pos_margin=0.9,
        miner={"name": MINER, "epsilon": -0.3},
        distance={"name": "pytorch_metric_learning.distances.CosineSimilarity"},
    )
    assert loss.miner.epsilon == -0.3
    theirs = ContrastiveLoss(neg_margin=0.5, pos_margin=0.9, distance=their_distances.CosineSimilarity())
    mined = their_miners.MultiSimilarityMiner(epsilon=-0.3)(EMBEDDINGS, LABELS)
    assert loss(EMBEDDINGS, LABELS) == theirs(EMBEDDINGS, LABELS, mined)
    assert loss(EMBEDDINGS, LABELS) != theirs(EMBEDDINGS, LABELS)
    # In Python the object itself does as well.
    given = build(THEIRS + "ContrastiveLoss", miner=their_miners.MultiSimilarityMiner(epsilon=-0.3))
    assert given.miner.epsilon == -0.3


def test_sums() -> None:
    loss = build("softmax + 0.5*triplet+2e-2 * center", margin=0.7, alpha=0.25)
    assert [weight for weight, _ in loss.terms] == [1.0, 0.5, 0.02]
    softmax, center = loss.modules_of_terms
    assert isinstance(softmax, SoftmaxLoss)
    assert isinstance(center, CenterLoss)
    assert center.alpha == 0.25
    wanted = softmax(EMBEDDINGS, LABELS) + 0.5 * triplet_loss(EMBEDDINGS, LABELS, margin=0.7)
    wanted = wanted + 0.02 * CenterLoss(4, 4)(EMBEDDINGS, LABELS)
    torch.testing.assert_close(loss(EMBEDDINGS, LABELS), wanted)
    assert build("1e+2*triplet").terms[0][0] == 100


def test_options_of_a_term() -> None:
    loss = build("arcface+0.1*cosface", **{"arcface.margin": 0.2, "cosface.margin": 0.1, "easy_margin": True})
    arcface, cosface = loss.modules_of_terms
    assert (arcface.margin, cosface.margin, arcface.easy_margin) == (0.2, 0.1, True)
    loss = build(f"triplet+{THEIRS}CircleLoss", **{"CircleLoss.gamma": 20, "margin": 0.4})
    wanted = triplet_loss(EMBEDDINGS, LABELS, margin=0.4) + CircleLoss(gamma=20)(EMBEDDINGS, LABELS)
    torch.testing.assert_close(loss(EMBEDDINGS, LABELS), wanted)
    assert build("proxy_anchor", **{"proxy_anchor.margin": 0.2}).margin == 0.2
    loss = build(f"triplet+{THEIRS}CircleLoss", **{f"{THEIRS}CircleLoss.miner": {"name": MINER}})
    assert loss.modules_of_terms[0].miner.epsilon == 0.1


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        (
            "tripplet",
            {},
            UnknownName,
            r"unknown loss 'tripplet': did you mean triplet.*[?] your own goes by its import path",
        ),
        ("triplet", {"margn": 1}, UnknownName, r"option of loss 'triplet', 'margn': .*known: .*margin, reduction"),
        ("triplet", {"labels": 1}, UnknownName, r"'labels': .*known: .*margin, reduction"),
        ("softmax", {"margin": 1}, UnknownName, "option of loss 'softmax', 'margin': known: learning_rate_multiple"),
        ("triplet", {"margin": -1.0}, InvalidInput, r"margin is -1\.0"),
        ("arcface", {"margin": 4.0}, InvalidInput, r"margin is 4\.0, expected a number from 0 to 3\.14"),
        ("cosface", {"scale": 0.0}, InvalidInput, r"scale is 0\.0"),
        ("center", {"alpha": 2.0}, InvalidInput, r"alpha is 2\.0"),
        ("no_such_package.Loss", {}, InvalidInput, "cannot be imported: No module named 'no_such_package'"),
        (THEIRS + "CircelLoss", {}, UnknownName, r"did you mean .*CircleLoss"),
        (".", {}, InvalidInput, r"loss '\.' cannot be imported"),
        (".losses.Loss", {}, InvalidInput, r"loss '\.losses\.Loss' cannot be imported"),
        (THEIRS + "CircleLoss", {"gama": 1}, InvalidInput, r"cannot be built: .*gama"),
        ("arcface+", {}, InvalidInput, r"term 2 of loss 'arcface\+' has no name: expected a sum such as"),
        ("arcface+x*center", {}, InvalidInput, r"term 2 of loss .* has the weight 'x', expected a number above 0"),
        ("-1*arcface", {}, InvalidInput, "has the weight '-1', expected a number above 0"),
        ("triplet+arcfase", {}, UnknownName, "unknown loss 'arcfase': did you mean arcface"),
        ("triplet+2*triplet", {}, InvalidInput, r"names triplet twice: add up the weights"),
        (
            "arcface+cosface",
            {"margin": 0.1},
            InvalidInput,
            r"option 'margin' could be that of several losses: say arcface\.margin or cosface\.margin",
        ),
        (
            "arcface+center",
            {"cosface.margin": 1},
            UnknownName,
            r"loss in option 'cosface\.margin', 'cosface': .*known: arcface, center",
        ),
        ("arcface+center", {"center.margin": 1}, UnknownName, "option of loss 'center', 'margin': known: alpha"),
        (
            "arcface+center",
            {"margn": 1},
            UnknownName,
            r"option of loss 'arcface \+ center', 'margn': did you mean margin",
        ),
        ("triplet", {"miner": {"name": MINER}}, UnknownName, "option of loss 'triplet', 'miner'"),
        (THEIRS + "CircleLoss", {"miner": {"name": MINER, "x": 1}}, InvalidInput, f"miner '{MINER}' cannot be built"),
        (THEIRS + "CircleLoss", {"miner": {"name": "x.Miner"}}, InvalidInput, r"miner 'x\.Miner' cannot be imported"),
        (
            "torch.nn.functional.cross_entropy",
            {"miner": {"name": MINER}},
            InvalidInput,
            r"takes no miner: it has no argument indices_tuple",
        ),
        ("torch.dot", {}, InvalidInput, r"loss 'torch\.dot' does not tell what arguments it takes"),
        ("torch.nn.TripletMarginLoss", {}, InvalidInput, "with embeddings and labels alone: missing .*'negative'"),
        ("nearkin.losses.cosface.cosface_loss", {}, InvalidInput, "with embeddings and labels alone: .*'weight'"),
    ],
)
def test_what_cannot_be_built_is_refused(name: str, options: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        build_loss(name, classes=4, dim=4, options=options)


def test_one_class_is_refused() -> None:
    with pytest.raises(InvalidInput, match="tells classes apart: got 1 of them, expected at least 2"):
        build_loss("triplet", classes=1, dim=4)
