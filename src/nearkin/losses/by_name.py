"""Losses by name: what `--loss arcface+0.01*center` builds."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nearkin.errors import InvalidInput, UnknownName
from nearkin.losses.arcface import ArcFaceLoss
from nearkin.losses.batch_hard import batch_hard_triplet_loss
from nearkin.losses.center import CenterLoss
from nearkin.losses.circle import circle_loss
from nearkin.losses.contrastive import contrastive_loss
from nearkin.losses.cosface import CosFaceLoss
from nearkin.losses.engine.imported import as_label_loss, built, call, imported, signature
from nearkin.losses.engine.weighted_sum import WeightedSum
from nearkin.losses.lifted_structure import lifted_structure_loss
from nearkin.losses.multi_similarity import multi_similarity_loss
from nearkin.losses.normalised_softmax import NormalisedSoftmaxLoss
from nearkin.losses.nt_xent import nt_xent_loss
from nearkin.losses.proxy_anchor import ProxyAnchorLoss
from nearkin.losses.proxy_nca import ProxyNCALoss
from nearkin.losses.semi_hard import semi_hard_triplet_loss
from nearkin.losses.smooth_ap import smooth_ap_loss
from nearkin.losses.softmax import SoftmaxLoss
from nearkin.losses.sphereface import SphereFaceLoss
from nearkin.losses.sphereface_r import SphereFaceRLoss
from nearkin.losses.supcon import supcon_loss
from nearkin.losses.triplet import triplet_loss

LabelLoss = Callable[..., Tensor]

# A function of embeddings and labels, or a class that is built with the numbers of classes and dimensions.
LOSSES: dict[str, Callable[..., Any]] = {
    "arcface": ArcFaceLoss,
    "batch-hard-triplet": batch_hard_triplet_loss,
    "center": CenterLoss,
    "circle": circle_loss,
    "contrastive": contrastive_loss,
    "cosface": CosFaceLoss,
    "lifted-structure": lifted_structure_loss,
    "multi-similarity": multi_similarity_loss,
    "normalised-softmax": NormalisedSoftmaxLoss,
    "nt-xent": nt_xent_loss,
    "proxy-anchor": ProxyAnchorLoss,
    "proxy-nca": ProxyNCALoss,
    "semi-hard-triplet": semi_hard_triplet_loss,
    "smooth-ap": smooth_ap_loss,
    "softmax": SoftmaxLoss,
    "sphereface": SphereFaceLoss,
    "sphereface-r": SphereFaceRLoss,
    "supcon": supcon_loss,
    "triplet": triplet_loss,
}

# Parameters that are no options: the batch, and the sizes of the weights under the names they go by.
_BATCH = ("embeddings", "labels", "ref_embeddings", "ref_labels")
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
        dim: numbers of an embedding.
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
    if classes < 2:
        raise InvalidInput(f"a loss on labels tells classes apart: got {classes} of them, wanted at least 2")
    terms = _terms(name)
    for option, value in (options or {}).items():
        term, short = _term_of(option, terms)
        term.options[short] = value
    losses = [(term.weight, _build(term, classes, dim, generator)) for term in terms]
    return losses[0][1] if len(terms) == 1 and terms[0].weight == 1 else WeightedSum(losses)


@dataclass(frozen=True)
class _Term:
    weight: float
    name: str
    make: Callable[..., Any]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def short(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def is_ours(self) -> bool:
        return self.name in LOSSES

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        return signature(self.make, f"loss '{self.name}'").parameters

    @property
    def known(self) -> list[str]:
        """Its options by name."""
        no_options = (*_BATCH, *_CLASSES, *_DIM, *(("generator",) if self.is_ours else ()))
        named = [
            name
            for name, parameter in self.parameters.items()
            if name not in no_options and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        ]
        return named if self.is_ours else [*named, _MINER]

    @property
    def takes_any(self) -> bool:
        return any(parameter.kind is parameter.VAR_KEYWORD for parameter in self.parameters.values())


def _terms(text: str) -> list[_Term]:
    """The terms of a sum; a plus sign within a number, as in 1e+2, parts none."""
    terms: list[_Term] = []
    for number, part in enumerate(re.split(r"(?<!\d[eE])\+", text), 1):
        weight, star, name = (piece.strip() for piece in part.rpartition("*"))
        where = f"term {number} of loss '{text}'"
        if not name:
            raise InvalidInput(f"{where} has no name: wanted a sum such as arcface+0.01*center")
        try:
            value = float(weight) if star else 1.0
        except ValueError:
            value = 0.0
        if not 0 < value < float("inf"):
            raise InvalidInput(f"{where} has the weight '{weight}', wanted a number above 0")
        name = name if "." in name else name.replace("_", "-")
        if "." not in name and name not in LOSSES:
            raise UnknownName("loss", name, LOSSES, "any other goes by its import path, such as package.module.Loss")
        terms.append(_Term(value, name, LOSSES.get(name) or imported(name)))
        if terms[-1].short in (term.short for term in terms[:-1]):
            raise InvalidInput(f"loss '{text}' names {terms[-1].short} twice: add up the weights")
    return terms


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
        return _build_foreign(term, sizes)
    is_class = inspect.isclass(term.make)
    loss = term.make(**sizes, **term.options) if is_class else partial(term.make, **term.options)
    # An empty batch costs nothing, and shows now what an option's value would break at the first step.
    with torch.no_grad():
        loss(torch.zeros(0, dim), torch.zeros(0, dtype=torch.long))
    return loss


def _build_foreign(term: _Term, sizes: Mapping[str, Any]) -> LabelLoss:
    options = {name: built(value, name) for name, value in term.options.items()}
    miner = options.pop(_MINER, None)
    if inspect.isclass(term.make):
        loss = call(term.make, {**sizes, **options}, f"loss '{term.name}'")
    else:
        loss = partial(term.make, **options)
    return as_label_loss(loss, miner, f"loss '{term.name}'")
