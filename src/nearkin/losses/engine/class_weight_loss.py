"""A loss that holds the weight rows of its classes: what arcface, cosface, proxy-nca, ... have in common."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nearkin.losses.engine.class_weights import ClassWeights

_KEYWORD = inspect.Parameter.KEYWORD_ONLY


class ClassWeightLoss(nn.Module):
    """A formula `(embeddings, labels, weight, **options) -> scalar` with the weight it compares embeddings with.

    A subclass names its formula. Its options are the formula's keywords, with the same defaults, and those of its own
    `__init__`; each becomes an attribute of the same name, which the formula is given at every call.

    Args:
        classes: number of classes, at least 2.
        dim: embedding dimension.
        per_class: weight rows of each class.
        sample_rate, learning_rate_multiple, generator: as `ClassWeights` takes them.
        options: keywords of the formula.

    Raises:
        InvalidInput: fewer than 2 classes, or a rate out of range. (Options are checked by the formula.)
        TypeError: no such option.
    """

    formula: ClassVar[Callable[..., Tensor]]
    # Keywords of the formula that the subclass sets itself, so that they are no options.
    set_by_training: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        classes: int,
        dim: int,
        *,
        per_class: int = 1,
        sample_rate: float = 1.0,
        learning_rate_multiple: float = 10.0,
        generator: torch.Generator | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        defaults = {option.name: option.default for option in _keywords(self.formula)}
        for name in options:
            if name not in defaults:
                raise TypeError(f"{type(self).__name__} has no option '{name}'")
        self._options = tuple(defaults)
        for name, value in (defaults | options).items():
            setattr(self, name, value)
        self.class_weights = ClassWeights(
            classes,
            dim,
            per_class=per_class,
            sample_rate=sample_rate,
            learning_rate_multiple=learning_rate_multiple,
            generator=generator,
        )

    def __init_subclass__(cls) -> None:
        """The signature that options and docs are read from: keywords of formula and weights; own defaults win."""
        sources = (cls.formula, ClassWeightLoss.__init__, cls.__init__)
        options = {one.name: one for source in sources for one in _keywords(source)}
        for name in ("per_class", *cls.set_by_training):
            options.pop(name, None)
        sizes = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("classes", "dim")]
        cls.__signature__ = inspect.Signature([*sizes, *options.values()])  # type: ignore[attr-defined]

    def forward(self, embeddings: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"]) -> Float[Tensor, ""]:
        weight, labels = self.class_weights(labels)
        options = {name: getattr(self, name) for name in self._options}
        return type(self).formula(embeddings, labels, weight, **options)


def _keywords(function: Callable[..., Any]) -> Iterator[inspect.Parameter]:
    return (one for one in inspect.signature(function).parameters.values() if one.kind is _KEYWORD)
