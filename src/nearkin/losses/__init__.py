"""Losses, one file each: a formula, and a class only where there are weights.

A file `NAME.py` here is the loss that `--loss NAME` builds, a file `captions/NAME.py` that of `--caption-loss NAME`.
It holds the formula `NAME_loss`, where there are weights a class `...Loss`, and says which of the two is built by
`LOSS = ...`. Nothing else needs to know of it. All can be imported from here; torch is loaded with the first of them.

A loss on labels is any callable `(embeddings, labels) -> scalar`, a loss on captions any `(images, texts) -> scalar`.
`engine.protocol` says what else training may ask of a loss.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from nearkin.registry import Registry

LOSSES: Registry[Callable[..., Any]] = Registry(
    "nearkin.losses", "LOSS", "loss", "your own goes by its import path, such as package.module.Loss"
)
CAPTION_LOSSES: Registry[Callable[..., Any]] = Registry("nearkin.losses.captions", "LOSS", "caption loss")

# What else is public, by the module that defines it.
_ELSEWHERE = {
    **dict.fromkeys(("CaptionLoss", "LabelLoss", "build_caption_loss", "build_loss"), "engine.by_name"),
    **dict.fromkeys(("set_progress", "step_sampled", "takes_references", "weight_groups"), "engine.protocol"),
    "WeightedSum": "engine.weighted_sum",
    "move_centers_": "center",
}

__all__ = [
    "CAPTION_LOSSES",
    "LOSSES",
    *_ELSEWHERE,
    *(f"{name.replace('-', '_')}_loss" for registry in (LOSSES, CAPTION_LOSSES) for name in registry),
]


def __getattr__(name: str) -> Any:
    module = _ELSEWHERE.get(name) or _module_of_loss(name)
    if module is not None:
        found = getattr(import_module(f"{__name__}.{module}"), name, None)
        if found is not None:
            return found
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def _module_of_loss(name: str) -> str | None:
    """The module of `proxy_nca_loss` or `ProxyNCALoss`: proxy_nca."""
    plain = name.lower().replace("_", "").removesuffix("loss")
    for registry, package in ((LOSSES, ""), (CAPTION_LOSSES, "captions.")):
        for one in registry:
            if one.replace("-", "") == plain:
                return package + one.replace("-", "_")
    return None


def __dir__() -> list[str]:
    return sorted(__all__)
