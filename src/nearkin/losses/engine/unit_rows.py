"""Batches compared with a weight of each class by angles: rows of unit length, and the gradient through them."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nearkin.errors import InvalidInput
from nearkin.losses.engine.batch import check_classes, check_embeddings

# Entries of a block of scores: on a CPU it stays in the cache.
_CPU_BLOCK = 1 << 18
_GPU_BLOCK = 1 << 26
# Blocks of fewer rows would spend their time on adding up what they give to the other side.
_LEAST_ROWS = 64


def check_class_batch(
    embeddings: Tensor, labels: Tensor, weight: Tensor
) -> tuple[Float[Tensor, "batch dim"], Int[Tensor, " batch"], Float[Tensor, "classes *more dim"]]:
    """What a loss over classes is given, checked, and all numbers in the precision of the embeddings.

    Raises:
        InvalidInput: as `check_embeddings` and `check_classes` do; or weights of another width.
    """
    embeddings = check_embeddings(embeddings)
    labels = check_classes(labels, len(embeddings), len(weight))
    if embeddings.shape[1] != weight.shape[-1]:
        raise InvalidInput(f"embeddings have {embeddings.shape[1]} numbers, the class weights {weight.shape[-1]}")
    return embeddings, labels, weight.to(embeddings.dtype)


def unit_rows(rows: Float[Tensor, "*n dim"]) -> tuple[Float[Tensor, "*n dim"], Float[Tensor, "*n 1"]]:
    """Rows of unit length, and the inverse of the lengths they had; zero rows stay zero, with inverse 0."""
    inverse = torch.linalg.vector_norm(rows, dim=-1, keepdim=True).reciprocal_()
    inverse.masked_fill_(inverse == torch.inf, 0)
    return rows * inverse, inverse


def through_unit_rows(by_unit: Tensor, unit: Tensor, inverse: Tensor) -> Tensor:
    """The gradient by rows, from that by their unit vectors, which it overwrites: what points along a row is no use."""
    along = torch.linalg.vecdot(by_unit, unit)[..., None]
    return by_unit.addcmul_(along, unit, value=-1).mul_(inverse)


def row_blocks(rows: int, columns: int, device: torch.device) -> Iterator[slice]:
    """Slices of the rows of a matrix, each a block that is worth its while."""
    height = max(_LEAST_ROWS, (_CPU_BLOCK if device.type == "cpu" else _GPU_BLOCK) // max(1, columns))
    for start in range(0, rows, height):
        yield slice(start, min(start + height, rows))
