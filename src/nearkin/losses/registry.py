"""Losses by name: what `--loss NAME` builds."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from nearkin.errors import InvalidInput, UnknownName
from nearkin.losses.batch_hard import batch_hard_triplet_loss
from nearkin.losses.circle import circle_loss
from nearkin.losses.contrastive import contrastive_loss
from nearkin.losses.lifted_structure import lifted_structure_loss
from nearkin.losses.multi_similarity import multi_similarity_loss
from nearkin.losses.nt_xent import nt_xent_loss
from nearkin.losses.semi_hard import semi_hard_triplet_loss
from nearkin.losses.smooth_ap import smooth_ap_loss
from nearkin.losses.softmax import SoftmaxLoss
from nearkin.losses.supcon import supcon_loss
from nearkin.losses.triplet import triplet_loss

LabelLoss = Callable[[Tensor, Tensor], Tensor]

# A function of embeddings and labels, or a class that is built with the numbers of classes and dimensions.
LOSSES: dict[str, Callable[..., Any]] = {
    "batch_hard_triplet": batch_hard_triplet_loss,
    "circle": circle_loss,
    "contrastive": contrastive_loss,
    "lifted_structure": lifted_structure_loss,
    "multi_similarity": multi_similarity_loss,
    "nt_xent": nt_xent_loss,
    "semi_hard_triplet": semi_hard_triplet_loss,
    "smooth_ap": smooth_ap_loss,
    "softmax": SoftmaxLoss,
    "supcon": supcon_loss,
    "triplet": triplet_loss,
}

# Parameters that are no options: the batch, and the sizes of the weights under the names they go by.
_BATCH = ("embeddings", "labels", "ref_embeddings", "ref_labels")
_CLASSES = ("classes", "num_classes")
_DIM = ("dim", "embedding_size")


def build_loss(name: str, *, classes: int, dim: int, options: Mapping[str, Any] | None = None) -> LabelLoss:
    """A loss `(embeddings, labels) -> scalar` by its name, or by the import path of a function or class.

    Args:
        name: one of `LOSSES`, or a path such as "pytorch_metric_learning.losses.CircleLoss".
        classes: number of training classes, for losses with weights for each.
        dim: numbers of an embedding.
        options: keywords of the loss, such as margin.

    Returns:
        A `torch.nn.Module` where the loss has weights, else any callable.

    Raises:
        UnknownName: no such loss; the message suggests near names.
        InvalidInput: an unknown option, a value that the loss refuses, or a path that cannot be imported.

    Example:
        >>> loss = build_loss("triplet", classes=10, dim=2, options={"margin": 0.5})
        >>> loss(torch.eye(2), torch.tensor([0, 1]))
        tensor(0.)
    """
    if "." not in name and name not in LOSSES:
        raise UnknownName("loss", name, LOSSES, "any other goes by its import path, such as package.module.Loss")
    make: Any = LOSSES.get(name) or _imported(name)
    options = dict(options or {})
    parameters = inspect.signature(make).parameters
    _check_options(name, options, parameters)
    has_weights = inspect.isclass(make)
    if not has_weights:
        loss: LabelLoss = partial(make, **options)
        if name in LOSSES:
            # An empty batch costs nothing, and shows now what an option's value would break at the first step.
            loss(torch.zeros(0, dim), torch.zeros(0, dtype=torch.long))
        return loss
    sizes = dict.fromkeys(_CLASSES, classes) | dict.fromkeys(_DIM, dim)
    try:
        return make(**{size: value for size, value in sizes.items() if size in parameters}, **options)
    except TypeError as error:
        raise InvalidInput(f"loss '{name}' cannot be built: {error}") from error


def _imported(path: str) -> Callable[..., Any]:
    module_name, _, attribute = path.rpartition(".")
    try:
        module = import_module(module_name)
    except (ImportError, TypeError, ValueError) as error:
        raise InvalidInput(f"loss '{path}' cannot be imported: {error}") from error
    if not callable(getattr(module, attribute, None)):
        raise UnknownName(f"loss in {module_name}", attribute, [name for name in dir(module) if name[0].isalpha()])
    return getattr(module, attribute)


def _check_options(name: str, options: Mapping[str, Any], parameters: Mapping[str, inspect.Parameter]) -> None:
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    known = [parameter for parameter in parameters if parameter not in (*_BATCH, *_CLASSES, *_DIM)]
    if options and not known:
        raise InvalidInput(f"loss '{name}' has no options, got {', '.join(options)}")
    for option in options:
        if option not in known:
            raise UnknownName(f"option of loss '{name}',", option, known)
