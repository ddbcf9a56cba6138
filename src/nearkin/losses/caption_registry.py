"""Losses on pairs of a picture and a text by name: what `--caption-loss NAME` builds."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nearkin.errors import UnknownName
from nearkin.losses.info_nce import InfoNCELoss
from nearkin.losses.siglip import SigLIPLoss
from nearkin.losses.vse import vse_loss

CaptionLoss = Callable[..., Tensor]

# A function of images, texts and the ids of either, or a class that is built with its options: such a one learns them.
CAPTION_LOSSES: dict[str, Callable[..., Any]] = {
    "info-nce": InfoNCELoss,
    "siglip": SigLIPLoss,
    "vse": vse_loss,
}

_BATCH = ("images", "texts", "image_ids", "text_ids")


def build_caption_loss(name: str, options: Mapping[str, Any] | None = None) -> CaptionLoss:
    """A loss `(images, texts, image_ids, text_ids) -> scalar` by its name.

    Args:
        name: one of `CAPTION_LOSSES`; info_nce is info-nce.
        options: keywords of the loss, such as temperature or margin.

    Returns:
        A `torch.nn.Module` where the loss learns its temperature, else a callable.

    Raises:
        UnknownName: no such loss, or no such option; the message suggests near names.
        InvalidInput: a value that the loss refuses.

    Example:
        >>> build_caption_loss("vse", {"margin": 1.5})(torch.eye(2), torch.eye(2))
        tensor(1.)
    """
    name = name.replace("_", "-")
    if name not in CAPTION_LOSSES:
        raise UnknownName("caption loss", name, CAPTION_LOSSES)
    make: Callable[..., Any] = CAPTION_LOSSES[name]
    options = dict(options or {})
    known = [parameter for parameter in inspect.signature(make).parameters if parameter not in _BATCH]
    for option in options:
        if option not in known:
            raise UnknownName(f"option of caption loss '{name}',", option, known)
    is_class = inspect.isclass(make)
    loss: CaptionLoss = make(**options) if is_class else partial(make, **options)
    # An empty batch costs nothing, and shows now what an option's value would break at the first step.
    with torch.no_grad():
        loss(torch.zeros(0, 1), torch.zeros(0, 1))
    return loss
