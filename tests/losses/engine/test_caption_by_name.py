"""Losses on pairs of a picture and a text, by name."""

import pytest
import torch

from nearkin.errors import InvalidInput, UnknownName
from nearkin.losses import CAPTION_LOSSES, InfoNCELoss, build_caption_loss, vse_loss
from tests.losses.captions.test_info_nce import draw


@pytest.mark.parametrize("name", CAPTION_LOSSES)
def test_every_named_loss_gives_a_scalar_with_a_gradient(name: str) -> None:
    both = draw(4).float().requires_grad_()
    value = build_caption_loss(name)(*both.chunk(2), torch.tensor([0, 0, 1, 2]), torch.arange(4))
    assert value.shape == ()
    value.backward()
    assert both.grad.abs().sum() > 0


def test_options_reach_the_loss() -> None:
    images, texts = draw(4).chunk(2)
    assert build_caption_loss("vse", {"margin": 0.7})(images, texts) == vse_loss(images, texts, margin=0.7)
    built = build_caption_loss("info_nce", {"temperature": 0.5})
    assert isinstance(built, InfoNCELoss)
    assert built.temperature == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("infonce", {}, UnknownName, "unknown caption loss 'infonce': did you mean info-nce.*"),
        ("vse", {"margn": 1}, UnknownName, "option of caption loss 'vse', 'margn': .*margin"),
        ("vse", {"images": 1}, UnknownName, "'images'"),
        ("vse", {"margin": -1.0}, InvalidInput, "margin is -1.0"),
        ("siglip", {"temperature": 0.0}, InvalidInput, "temperature is 0.0"),
    ],
)
def test_what_cannot_be_built_is_refused(name: str, options: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        build_caption_loss(name, options)
