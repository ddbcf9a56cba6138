"""What training may ask of any loss, beyond calling it.

A loss on labels is any callable `(embeddings, labels) -> scalar`. The functions here ask it for more, and take a plain
function, a module of another library or a sum of several as well; for those that offer nothing they do nothing. A
training step is

    set_progress(loss, share)                     # share of the training that is done, for margins that grow
    value = loss(embeddings, labels)              # if takes_references(loss): ref_embeddings=, ref_labels=
    value.backward()
    optimizer.step()                              # over weight_groups(loss), too
    step_sampled(loss, learning_rate)             # class weights of which the optimizer knows nothing

A module takes part by having

    learning_rate_multiple: float                 # how much faster its own parameters learn than the encoder; or 1
    takes_references: bool                        # else the signature of `forward` says it
    set_progress(share)
    step_sampled(learning_rate)                   # given the encoder's rate, which it multiplies itself
"""

import inspect
from collections.abc import Iterator
from typing import Any

from torch import nn


def takes_references(loss: Any) -> bool:
    """Whether the loss may be called with `ref_embeddings` and `ref_labels`, to compare the batch with those instead.

    Example:
        >>> from nearkin.losses import SoftmaxLoss, triplet_loss
        >>> takes_references(triplet_loss), takes_references(SoftmaxLoss(classes=2, dim=2))
        (True, False)
    """
    told = getattr(loss, "takes_references", None)
    if told is not None:
        return bool(told)
    parameters = inspect.signature(loss.forward if isinstance(loss, nn.Module) else loss).parameters
    return {"ref_embeddings", "ref_labels"} <= set(parameters)


def weight_groups(loss: Any) -> list[tuple[float, list[nn.Parameter]]]:
    """The weights of a loss by how much faster they learn than the encoder.

    They need no weight decay: most losses use the direction of their rows alone.

    Returns:
        Multiples of the encoder's learning rate, each with its parameters; none for a loss without weights.

    Example:
        >>> from nearkin.losses import SoftmaxLoss
        >>> [(multiple, len(weights)) for multiple, weights in weight_groups(SoftmaxLoss(classes=2, dim=2))]
        [(1.0, 2)]
    """
    groups: dict[float, list[nn.Parameter]] = {}
    for module in _parts(loss):
        own = [parameter for parameter in module.parameters(recurse=False) if parameter.requires_grad]
        if own:
            groups.setdefault(float(getattr(module, "learning_rate_multiple", 1)), []).extend(own)
    return list(groups.items())


def set_progress(loss: Any, share: float) -> None:
    """Tell the loss how much of the training is done, 0 to 1; before each step."""
    for module in _parts(loss):
        if hasattr(module, "set_progress"):
            module.set_progress(share)


def step_sampled(loss: Any, learning_rate: float) -> None:
    """Step the class weights that the loss samples and trains itself; after each backward pass.

    Args:
        loss: any loss.
        learning_rate: the encoder's, at this step.
    """
    for module in _parts(loss):
        if hasattr(module, "step_sampled"):
            module.step_sampled(learning_rate)


def _parts(loss: Any) -> Iterator[Any]:
    """The modules that a loss is made of; none for a function."""
    return loss.modules() if isinstance(loss, nn.Module) else iter(())
