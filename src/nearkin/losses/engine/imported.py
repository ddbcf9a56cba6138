"""Losses from elsewhere, by import path: pytorch-metric-learning's with their miners, or any other callable."""

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from torch import Tensor, nn

from nearkin.errors import InvalidInput, UnknownName


class MinedLoss(nn.Module):
    """A loss of pytorch-metric-learning, called as ours are, with a miner that chooses its pairs if one is given.

    Args:
        loss: called as `(embeddings, labels, indices_tuple, ref_emb, ref_labels)`.
        miner: called as `(embeddings, labels, ref_emb, ref_labels)`; all pairs if None.

    Example:
        >>> import torch
        >>> from pytorch_metric_learning import losses, miners
        >>> loss = MinedLoss(losses.ContrastiveLoss(), miners.MultiSimilarityMiner())
        >>> loss(torch.eye(2), torch.tensor([0, 1]))
        tensor(0.)
    """

    def __init__(self, loss: Callable[..., Tensor], miner: Callable[..., Any] | None = None) -> None:
        super().__init__()
        self.loss, self.miner = loss, miner

    @property
    def takes_references(self) -> bool:
        # Theirs with weights for each class refuse references.
        return not (isinstance(self.loss, nn.Module) and any(True for _ in self.loss.parameters()))

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        ref_embeddings: Tensor | None = None,
        ref_labels: Tensor | None = None,
    ) -> Tensor:
        mined = None if self.miner is None else self.miner(embeddings, labels, ref_embeddings, ref_labels)
        return self.loss(embeddings, labels, mined, ref_embeddings, ref_labels)


def imported(path: str, kind: str = "loss") -> Callable[..., Any]:
    """The function or class at an import path.

    Args:
        path: such as "package.module.Name".
        kind: what it is to be, for messages.

    Raises:
        InvalidInput: there is no such module.
        UnknownName: the module has no callable of this name; the message suggests near names.

    Example:
        >>> imported("torch.nn.Identity")
        <class 'torch.nn.modules.linear.Identity'>
    """
    module_name, _, attribute = path.rpartition(".")
    try:
        module = import_module(module_name)
    except (ImportError, TypeError, ValueError) as error:
        raise InvalidInput(f"{kind} '{path}' cannot be imported: {error}") from error
    if not callable(getattr(module, attribute, None)):
        raise UnknownName(f"{kind} in {module_name}", attribute, [name for name in dir(module) if name[0].isalpha()])
    return getattr(module, attribute)


def built(value: Any, option: str) -> Any:
    """The value of an option; a mapping that holds a `name` becomes the object at that import path.

    Args:
        value: such as {"name": "pytorch_metric_learning.miners.MultiSimilarityMiner", "epsilon": 0.1}: the path of a
            class, and its keywords.
        option: its name, for messages.

    Raises:
        InvalidInput: it cannot be imported, or not be built of these keywords.
        UnknownName: no such class.
    """
    if not isinstance(value, Mapping) or "name" not in value:
        return value
    keywords = {key: built(part, f"{option}.{key}") for key, part in value.items() if key != "name"}
    return call(imported(str(value["name"]), option), keywords, f"{option} '{value['name']}'")


def call(make: Callable[..., Any], keywords: Mapping[str, Any], what: str) -> Any:
    """What a class of another library makes of its keywords.

    Raises:
        InvalidInput: it refuses them.
    """
    try:
        return make(**keywords)
    except (TypeError, ValueError, AssertionError) as error:
        raise InvalidInput(f"{what} cannot be built: {error}") from error


def signature(make: Callable[..., Any], what: str) -> inspect.Signature:
    """What a function, class or module is called with.

    Raises:
        InvalidInput: it does not tell, as functions written in C do not.
    """
    try:
        return inspect.signature(make.forward if isinstance(make, nn.Module) else make)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{what} does not tell what arguments it takes: wrap it in a function") from error


def as_label_loss(loss: Callable[..., Any], miner: Callable[..., Any] | None, what: str) -> Callable[..., Tensor]:
    """A loss of another library as `(embeddings, labels) -> scalar`, with its miner.

    Raises:
        InvalidInput: it wants other arguments, or takes no miner.
    """
    called_with = signature(loss, what)
    if {"indices_tuple", "ref_emb", "ref_labels"} <= set(called_with.parameters):
        return MinedLoss(loss, miner)
    if miner is not None:
        raise InvalidInput(f"{what} takes no miner: it has no argument indices_tuple")
    try:
        called_with.bind(None, None)
    except TypeError as error:
        raise InvalidInput(f"{what} cannot be called with embeddings and labels alone: {error}") from error
    return loss
