"""Sums over all squared distances of a batch, block by block, with the gradient in closed form.

A loss over pairs or triplets is a function of the matrix of squared distances D. Here D is made for some anchors at a
time; the loss returns its value and its slope dL/dD for that block, and the slope becomes a gradient by one product:
with D_ar = |x_a - y_r|^2, dL/dx_a = 2 sum_r dL/dD_ar (x_a - y_r). So neither D nor any list of pairs or triplets is
ever whole in memory, and nothing is kept for the backward pass but the gradient itself.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from nearkin.errors import InvalidInput
from nearkin.losses.batch import full_precision

# some anchors, some references, their squared distances -> sum of the terms, how many are above 0, dL/dD
Terms = Callable[[slice, slice, Tensor], tuple[Tensor, Tensor, Tensor]]

# Entries of a block of distances. On a CPU it stays in the second-level cache with its companions; a GPU wants
# work enough for each launch of a kernel.
_CPU_BLOCK = 1 << 18
_GPU_BLOCK = 1 << 24


def wide(device: torch.device) -> torch.dtype:
    """float64, or float32 on a device that has no float64 (Apple's GPU)."""
    return torch.float32 if device.type == "mps" else torch.float64


def sum_over_distances(
    anchors: Float[Tensor, "a dim"], references: Float[Tensor, "r dim"], terms: Terms, *, symmetric: bool = False
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The sum of a loss's terms over all squared distances between anchors and references, differentiable once.

    Args:
        anchors: float32 or float64, one row per image.
        references: what they are compared with; may be the anchors themselves.
        terms: called with a slice of the anchors, a slice of the references and the squared distances between them,
            >= 0, exactly 0 between equal rows; may overwrite these. Returns the sum of its terms, how many are above
            0, and the derivative of that sum by each of the squared distances.
        symmetric: the references are the anchors, and distance (i, j) stands for (j, i) too. A block then begins at
            its diagonal: `terms` is to count what lies above it, `triu(1)`.

    Returns:
        The sum of all terms, and how many are above 0; float64 scalars.
    """
    if not torch.is_grad_enabled():
        anchors, references = anchors.detach(), references.detach()
    total, nonzero = _SumOverDistances.apply(anchors, references, terms, symmetric)
    return total, nonzero


class _SumOverDistances(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, anchors: Tensor, references: Tensor, terms: Terms, symmetric: bool) -> tuple[Tensor, Tensor]:
        with full_precision(anchors.device):
            return _forward(ctx, anchors, references, terms, symmetric)

    @staticmethod
    def backward(ctx: Any, by_total: Tensor, _: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        # Set by create_graph. Going on would lose the second derivative without a word.
        if torch.is_grad_enabled():
            raise InvalidInput("the gradient of this loss has no derivative of its own: leave out create_graph=True")
        by_anchors, by_references = (
            None if gradient is None else gradient * by_total.to(gradient.dtype) for gradient in ctx.saved_tensors
        )
        return by_anchors, by_references, None, None


def _forward(ctx: Any, anchors: Tensor, references: Tensor, terms: Terms, symmetric: bool) -> tuple[Tensor, Tensor]:
    dtype = wide(anchors.device)
    total = torch.zeros((), dtype=dtype, device=anchors.device)
    nonzero = total.clone()
    # Distances do not change when all rows move together; near the origin products round less.
    centre = references.mean(0, dtype=dtype) if len(references) else total
    x, y = anchors.to(dtype) - centre, references.to(dtype) - centre
    x_, y_ = x.to(anchors.dtype), y.to(anchors.dtype)
    by_x = torch.zeros_like(x_) if ctx.needs_input_grad[0] else None
    by_y = torch.zeros_like(y_) if ctx.needs_input_grad[1] else None
    y_weight = torch.zeros_like(y_[:, :1])
    height = (_CPU_BLOCK if anchors.device.type == "cpu" else _GPU_BLOCK) // max(1, len(references))
    if symmetric:
        # A staircase of eight steps leaves out most of what lies below the diagonal; small steps would cost more.
        height = min(height, max(64, -(-len(anchors) // 8)))
    height = max(1, height)
    for rows, columns, distances in _blocks_of_distances(x, y, height, symmetric):
        block_total, block_nonzero, slope = terms(rows, columns, distances.to(anchors.dtype))
        total += block_total
        nonzero += block_nonzero
        if by_x is not None:
            torch.sub(slope.sum(1, keepdim=True) * x_[rows], slope @ y_[columns], out=by_x[rows])
        if by_y is not None:
            by_y[columns].addmm_(slope.T, x_[rows], alpha=-1)
            y_weight[columns] += slope.sum(0)[:, None]
    if by_y is not None:
        by_y.addcmul_(y_weight, y_)
    ctx.save_for_backward(*(None if gradient is None else gradient.mul_(2) for gradient in (by_x, by_y)))
    ctx.mark_non_differentiable(nonzero)
    return total, nonzero


def _blocks_of_distances(x: Tensor, y: Tensor, height: int, symmetric: bool) -> Iterator[tuple[slice, slice, Tensor]]:
    """Slices of x, slices of y and the squared distances between them, in a buffer that the next block overwrites.

    |x|^2 - 2 x.y + |y|^2 as one product of longer rows. Its terms nearly cancel where rows are near each other, so the
    numbers are float64, and what is left of equal rows, their rounding, is set to 0: rows nearer to each other than
    about 1e-7 of the longest row count as equal.
    """
    x_squared, y_squared = x.square().sum(1, keepdim=True), y.square().sum(1, keepdim=True)
    left = torch.cat([-2 * x, x_squared, torch.ones_like(x_squared)], 1)
    right = torch.cat([y, torch.ones_like(y_squared), y_squared], 1)
    longest = max((float(squared.max()) for squared in (x_squared, y_squared) if len(squared)), default=0.0)
    rounding = (16 + x.shape[1] ** 0.5) * torch.finfo(x.dtype).eps * longest
    buffer = x.new_empty(min(height, len(x)) * len(y))
    for start in range(0, len(x), height):
        rows = slice(start, min(start + height, len(x)))
        columns = slice(start if symmetric else 0, len(y))
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        distances = buffer[: shape[0] * shape[1]].view(shape)
        torch.mm(left[rows], right[columns].T, out=distances)
        yield rows, columns, torch.threshold_(distances, rounding, 0.0)
