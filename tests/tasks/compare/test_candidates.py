"""Names and settings of candidates, and refusals before anything is trained."""

import pytest

from nearkin.errors import InvalidInput, UnknownName
from nearkin.tasks.compare.candidates import list_candidates, parse_loss, split_at_commas


def test_every_loss_with_every_backbone() -> None:
    found = list_candidates(["triplet", "softmax"], ["conv4", "resnet18"], {"epochs": 3})
    assert [(one.backbone, one.loss, one.settings.epochs) for one in found] == [
        ("conv4", "triplet", 3),
        ("conv4", "softmax", 3),
        ("resnet18", "triplet", 3),
        ("resnet18", "softmax", 3),
    ]
    assert all(one.settings.backbone == one.backbone and one.settings.loss == one.loss for one in found)


def test_own_settings_win() -> None:
    """The loss's over the backbone's over the common ones; a name is free if it says what it stands for."""
    losses = {
        "wide": {"loss": "triplet(margin=0.5)", "learning_rate": 0.01},
        "narrow": {"loss": "triplet", "loss_options": {"margin": 0.05}},
    }
    backbones = {"small": {"backbone": "conv4", "learning_rate": 0.02, "dim": 7}}
    wide, narrow = list_candidates(losses, backbones, {"learning_rate": 0.03, "dim": 5, "epochs": 2})
    assert (wide.settings.loss, wide.settings.loss_options) == ("triplet", {"margin": 0.5})
    assert (narrow.settings.loss, narrow.settings.loss_options) == ("triplet", {"margin": 0.05})
    assert (wide.settings.learning_rate, narrow.settings.learning_rate) == (0.01, 0.02)
    assert (wide.settings.backbone, wide.settings.dim, wide.settings.epochs) == ("conv4", 7, 2)
    assert wide.folder.as_posix() == "small/wide"


def test_folders_are_safe_names() -> None:
    [one] = list_candidates(["triplet+0.5*softmax"], ["conv4"], {})
    assert one.folder.as_posix() == "conv4/triplet+0.5-softmax"


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("triplet", "triplet", {}),
        (" arcface ( margin = 0.3 , easy_margin=true ) ", "arcface", {"margin": 0.3, "easy_margin": True}),
        ("a.b.Loss(kinds=[x, y])", "a.b.Loss", {"kinds": ["x", "y"]}),
        ("arcface+0.01*center()", "arcface+0.01*center", {}),
    ],
)
def test_parse_loss(text: str, name: str, options: dict[str, object]) -> None:
    assert parse_loss(text) == (name, options)


def test_split_at_commas() -> None:
    assert split_at_commas("a(x=1,y=[2,3]),, b ,c") == ["a(x=1,y=[2,3])", "b", "c"]


@pytest.mark.parametrize(
    ("losses", "settings", "error", "message"),
    [
        (["arcfase"], {}, UnknownName, "unknown loss 'arcfase'"),
        (["triplet(margn=1)"], {}, UnknownName, "did you mean margin"),
        (["triplet(margin=-1.0)"], {}, InvalidInput, "margin is -1"),
        (["triplet(margin)"], {}, InvalidInput, "option 'margin' has no value"),
        (["triplet(margin=1"], {}, InvalidInput, "expected a name"),
        (["triplet", "softmax", "triplet"], {}, InvalidInput, "named twice: conv4/triplet"),
        ([], {}, InvalidInput, "expected one or more names in a list"),
        ("triplet", {}, InvalidInput, "expected one or more names in a list"),
        ({"triplet": 3}, {}, InvalidInput, "loss 'triplet': expected settings by name"),
        ({"triplet": {"epoch": 3}}, {}, UnknownName, "unknown setting 'epoch'"),
        ({"triplet": {"seed": 3}}, {}, InvalidInput, "'seed' cannot be set: say how many seeds"),
        (["triplet"], {"epochs": 0}, InvalidInput, "setting epochs is 0: a comparison trains"),
        (["triplet"], {"loss": "softmax"}, InvalidInput, "'loss' cannot be set in a comparison: name losses"),
        (["triplet"], {"val_fraction": 0.5}, InvalidInput, "say how many folds"),
    ],
)
def test_refusals(losses: object, settings: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        list_candidates(losses, ["conv4"], settings)  # type: ignore[arg-type]
