"""Large batches on small memory: a batch is embedded in chunks, of which one at a time holds its activations."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def in_chunks(embed: Callable[..., Tensor], *rows: Tensor, size: int, network: nn.Module) -> Tensor:
    """embed(rows), computed chunk by chunk; the gradient is that of the whole batch.

    Each chunk is embedded without keeping its activations, and once more when the loss of the whole batch has told
    the gradient of its embeddings. So the loss sees every row beside every other, while memory is that of one chunk,
    and time that of a second forward pass. Random numbers, as dropout draws, are the same both times. A batch norm in
    training mode takes its mean and variance from the chunk, and counts it once in its running statistics.

    Args:
        embed: number of a chunk and its rows to their embeddings.
        rows: tensors with one entry per row.
        size: rows of a chunk.
        network: what `embed` runs, for its batch norms.

    Returns:
        One embedding per row.

    Example:
        >>> layer = nn.Linear(3, 2)
        >>> in_chunks(lambda chunk, rows: layer(rows), torch.zeros(5, 3), size=2, network=layer).shape
        torch.Size([5, 2])

    Source: Gao et al. 2021, arXiv:2101.06983 (GradCache), by way of activation checkpointing, Chen et al. 2016,
    arXiv:1604.06174, over the rows instead of the layers.
    """
    chunks = list(zip(*(tensor.split(size) for tensor in rows), strict=True))
    if len(chunks) == 1:
        return embed(0, *rows)

    def contexts() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
        return nullcontext(), _statistics_held(network)

    return torch.cat(
        [
            checkpoint(embed, number, *chunk, use_reentrant=False, context_fn=contexts)
            for number, chunk in enumerate(chunks)
        ]
    )


@contextmanager
def _statistics_held(network: nn.Module) -> Iterator[None]:
    """Batch norms leave their running statistics as they are: the second pass over a chunk is not news."""
    norms = [
        module
        for module in network.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training and module.track_running_stats
    ]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
