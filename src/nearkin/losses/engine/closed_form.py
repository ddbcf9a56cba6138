"""A value that comes with its gradient: losses whose derivative is written down, not traced."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from nearkin.errors import InvalidInput
from nearkin.losses.engine.batch import full_precision

# whether the gradient by each input is needed -> the value, and the gradients, None where not needed
Formula = Callable[[Sequence[bool]], tuple[Tensor, Sequence[Tensor | None]]]


def closed_form(formula: Formula, *inputs: Tensor) -> Tensor:
    """The value of a formula, differentiable once by its inputs.

    Args:
        formula: called in full precision, with no trace kept of what it does.
        inputs: what its gradients are by, in their order.

    Example:
        >>> x = torch.tensor([3.0], requires_grad=True)
        >>> closed_form(lambda _: (x.square().sum(), [2 * x]), x).backward()
        >>> x.grad
        tensor([6.])
    """
    if not torch.is_grad_enabled():
        inputs = tuple(x.detach() for x in inputs)
    return _ClosedForm.apply(formula, *inputs)


class _ClosedForm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, formula: Formula, *inputs: Tensor) -> Tensor:
        with full_precision(inputs[0].device):
            value, gradients = formula(ctx.needs_input_grad[1:])
        ctx.save_for_backward(*gradients)
        return value

    @staticmethod
    def backward(ctx: Any, by_value: Tensor) -> tuple[Tensor | None, ...]:
        # Set by create_graph. Going on would lose the second derivative without a word.
        if torch.is_grad_enabled():
            raise InvalidInput("the gradient of this loss has no derivative of its own: leave out create_graph=True")
        return None, *(None if gradient is None else gradient * by_value for gradient in ctx.saved_tensors)
