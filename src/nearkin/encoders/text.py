"""The text tower: token embeddings, a recurrent network, and a projection to the embedding's dimension."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nearkin.errors import UnknownName

CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}


@dataclass(frozen=True)
class TextTowerConfig:
    """What a text tower is made of.

    Args:
        tokens: size of the tokenizer's vocabulary; token 0 is padding.
        dim: numbers of an embedding.
        cell: "gru" or "lstm".
        width: numbers of a token's embedding, and of the recurrent state in each direction.
        dropout: share of a token embedding's numbers, and of the pooled state's, dropped in training.
    """

    tokens: int
    dim: int
    cell: str = "gru"
    width: int = 256
    dropout: float = 0.1


class TextTower(nn.Module):
    """Token ids to vectors, not yet of unit length: a bidirectional recurrent network, max-pooled over time.

    Raises:
        UnknownName: no such cell.

    Example:
        >>> tower = TextTower(TextTowerConfig(tokens=100, dim=32, width=16))
        >>> tower(torch.tensor([[5, 6, 7], [8, 0, 0]]), torch.tensor([3, 1])).shape
        torch.Size([2, 32])

    Source: Cho et al. 2014, arXiv:1406.1078 (GRU); Conneau et al. 2017, arXiv:1705.02364 (max over time).
    """

    def __init__(self, config: TextTowerConfig) -> None:
        super().__init__()
        if config.cell not in CELLS:
            raise UnknownName("text cell", config.cell, CELLS)
        self.config = config
        self.embedding = nn.Embedding(config.tokens, config.width, padding_idx=0)
        self.recurrent = CELLS[config.cell](config.width, config.width, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(config.dropout)
        self.projection = nn.Linear(2 * config.width, config.dim)

    def forward(self, tokens: Int[Tensor, "n tokens"], lengths: Int[Tensor, " n"]) -> Float[Tensor, "n dim"]:
        embedded = self.dropout(self.embedding(tokens))
        # Packed, so that the backward direction starts at a text's last token and not in its padding.
        packed = nn.utils.rnn.pack_padded_sequence(embedded, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = nn.utils.rnn.pad_packed_sequence(
            self.recurrent(packed)[0], batch_first=True, padding_value=-torch.inf, total_length=tokens.shape[1]
        )
        return self.projection(self.dropout(states.amax(1)))
