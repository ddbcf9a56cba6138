"""Losses by name: what `--loss arcface+0.01*center` and `--caption-loss siglip` build."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nearkin.arrays import check_count
from nearkin.errors import InvalidInput, UnknownName
from nearkin.losses import CAPTION_LOSSES, LOSSES
from nearkin.losses.engine.imported import as_label_loss, built, call, imported, signature
from nearkin.losses.engine.names import short_name, weighted_names
from nearkin.losses.engine.weighted_sum import WeightedSum

LabelLoss = Callable[..., Tensor]
CaptionLoss = Callable[..., Tensor]

# Parameters that are no options: the batch, and the sizes of the weights under the names they go by.
_BATCH = ("embeddings", "labels", "ref_embeddings", "ref_labels", "images", "texts", "image_ids", "text_ids")
_CLASSES = ("classes", "num_classes")
_DIM = ("dim", "embedding_size")
_MINER = "miner"


def build_loss(
    name: str,
    *,
    classes: int,
    dim: int,
    options: Mapping[str, Any] | None = None,
    generator: torch.Generator | None = None,
) -> LabelLoss:
    """A loss `(embeddings, labels) -> scalar` by its name, by an import path, or a weighted sum of such.

    `nearkin.losses.engine.protocol` says what else a training may ask of it.

    Args:
        name: one of `LOSSES`; a path such as "pytorch_metric_learning.losses.CircleLoss"; or a sum such as
            "arcface+0.01*center".
        classes: number of training classes, at least 2.
        dim: embedding dimension.
        options: keywords such as `margin`; in a sum, `arcface.margin` where more than one term has such an option. A
            term from elsewhere goes by the last part of its path: `CircleLoss.gamma`. Of its options, those that are
            objects are built of a mapping with the import path as `name`, {"name": "package.Class", "keyword": 1},
            its `miner` as well.
        generator: draws the weights of nearkin's own losses; torch's global one if None.

    Returns:
        A `torch.nn.Module` where the loss has weights or is a sum, else any callable.

    Raises:
        UnknownName: no such loss or option; the message suggests near names.
        InvalidInput: one class only, a sum that cannot be read, an option's value that the loss refuses, or a path
            that cannot be imported.

    Example:
        >>> loss = build_loss("triplet+0.1*softmax", classes=2, dim=2, options={"margin": 0.5})
        >>> loss(torch.eye(2), torch.tensor([0, 1])).shape
        torch.Size([])
    """
    classes, dim = check_count(classes, "classes", least=0), check_count(dim, "dim")
    if classes < 2:
        raise InvalidInput(f"a loss on labels tells classes apart: got {classes} of them, expected at least 2")
    terms = _terms(name)
    for option, value in (options or {}).items():
        term, short = _term_of(option, terms)
        term.options[short] = value
    losses = [(term.weight, _build(term, classes, dim, generator)) for term in terms]
    return losses[0][1] if len(terms) == 1 and terms[0].weight == 1 else WeightedSum(losses)


def build_caption_loss(name: str, options: Mapping[str, Any] | None = None) -> CaptionLoss:
    """A loss `(images, texts, image_ids, text_ids) -> scalar` by its name.

    Args:
        name: one of `CAPTION_LOSSES`.
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
    make = CAPTION_LOSSES[name]
    options, known = dict(options or {}), options_of(make)
    for option in options:
        if option not in known:
            raise UnknownName(f"option of caption loss '{name}',", option, known)
    return _build_ours(make, {}, options, torch.zeros(0, 1), torch.zeros(0, 1))


def options_of(make: Callable[..., Any]) -> dict[str, Any]:
    """Options of one of nearkin's own losses, by name, with their defaults.

    Example:
        >>> options_of(LOSSES["triplet"])
        {'margin': 0.2, 'reduction': 'mean_nonzero'}
    """
    parameters = inspect.signature(make).parameters.items()
    return {name: one.default for name, one in parameters if _is_option(name, one) and name != "generator"}


def _is_option(name: str, parameter: inspect.Parameter) -> bool:
    is_batch_or_size = name in (*_BATCH, *_CLASSES, *_DIM)
    return not is_batch_or_size and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)


@dataclass(frozen=True)
class _Term:
    weight: float
    name: str
    make: Callable[..., Any]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def short(self) -> str:
        return short_name(self.name)

    @property
    def is_ours(self) -> bool:
        return "." not in self.name

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        return signature(self.make, f"loss '{self.name}'").parameters

    @property
    def known(self) -> list[str]:
        """Its options by name."""
        if self.is_ours:
            return list(options_of(self.make))
        return [*(name for name, one in self.parameters.items() if _is_option(name, one)), _MINER]

    @property
    def takes_any(self) -> bool:
        return any(parameter.kind is parameter.VAR_KEYWORD for parameter in self.parameters.values())


def _terms(text: str) -> list[_Term]:
    return [
        _Term(weight, name, imported(name) if "." in name else LOSSES[name]) for weight, name in weighted_names(text)
    ]


def _term_of(option: str, terms: list[_Term]) -> tuple[_Term, str]:
    """The term that an option is for, and the option's name there."""
    prefix, dot, short = option.rpartition(".")
    if dot:
        named = [term for term in terms if prefix in (term.name, term.short, term.name.replace("-", "_"))]
        if not named:
            raise UnknownName(f"loss in option '{option}',", prefix, [term.short for term in terms])
        if short not in named[0].known and not named[0].takes_any:
            _refuse(named, short)
        return named[0], short
    having = [term for term in terms if option in term.known] or [term for term in terms if term.takes_any]
    if not having:
        _refuse(terms, option)
    if len(having) > 1:
        choices = " or ".join(f"{term.short}.{option}" for term in having)
        raise InvalidInput(f"option '{option}' could be that of several losses: say {choices}")
    return having[0], option


def _refuse(terms: list[_Term], option: str) -> None:
    names = " + ".join(term.name for term in terms)
    known = {name for term in terms for name in term.known}
    if not known:
        raise InvalidInput(f"loss '{names}' has no options, got {option}")
    raise UnknownName(f"option of loss '{names}',", option, known)


def _build(term: _Term, classes: int, dim: int, generator: torch.Generator | None) -> LabelLoss:
    given: dict[str, Any] = {**dict.fromkeys(_CLASSES, classes), **dict.fromkeys(_DIM, dim)}
    if term.is_ours:
        given["generator"] = generator
    sizes = {name: value for name, value in given.items() if name in term.parameters}
    if not term.is_ours:
        return _build_imported(term, sizes)
    return _build_ours(term.make, sizes, term.options, torch.zeros(0, dim), torch.zeros(0, dtype=torch.long))


def _build_ours(
    make: Callable[..., Any], sizes: Mapping[str, Any], options: Mapping[str, Any], *empty_batch: Tensor
) -> Any:
    loss: Any = make(**sizes, **options) if inspect.isclass(make) else partial(make, **options)
    # An empty batch costs nothing, and shows now what an option's value would break at the first step.
    with torch.no_grad():
        loss(*empty_batch)
    return loss


def _build_imported(term: _Term, sizes: Mapping[str, Any]) -> LabelLoss:
    options = {name: built(value, name) for name, value in term.options.items()}
    miner = options.pop(_MINER, None)
    if inspect.isclass(term.make):
        loss = call(term.make, {**sizes, **options}, f"loss '{term.name}'")
    else:
        loss = partial(term.make, **options)
    return as_label_loss(loss, miner, f"loss '{term.name}'")
