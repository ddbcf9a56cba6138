"""A recurrent text tower: embeddings of tokens that the captions teach, a GRU or LSTM, and a projection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from tokenizers import Tokenizer
from torch import Tensor, nn

from nearkin.data.captions import train_tokenizer
from nearkin.encoders.texts._kind import TextTowerWithTokenizer, TowerOptions
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
        self.word_dropout = 0.0
        self.projection = nn.Linear(2 * config.width, config.dim)

    def forward(self, tokens: Int[Tensor, "n tokens"], lengths: Int[Tensor, " n"]) -> Float[Tensor, "n dim"]:
        words = drop_words(self.embedding(tokens), self.word_dropout, self.training)
        pooled = max_over_time(self.recurrent, self.dropout(words), lengths)
        vectors: Tensor = self.projection(self.dropout(pooled))
        return vectors


def drop_words(
    vectors: Float[Tensor, "n tokens width"], share: float, training: bool
) -> Float[Tensor, "n tokens width"]:
    """In training, the vectors of words drawn by chance are 0: a text is to be understood without each of them."""
    if not training or not share:
        return vectors
    return vectors * (torch.rand(*vectors.shape[:2], 1, device=vectors.device) >= share)


def max_over_time(
    recurrent: nn.RNNBase, inputs: Float[Tensor, "n tokens width"], lengths: Int[Tensor, " n"]
) -> Float[Tensor, "n states"]:
    """The highest value over a text's tokens of each number of a recurrent state."""
    # Packed, so that the backward direction starts at a text's last token and not in its padding.
    packed = nn.utils.rnn.pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
    states, _ = nn.utils.rnn.pad_packed_sequence(
        recurrent(packed)[0], batch_first=True, padding_value=-torch.inf, total_length=inputs.shape[1]
    )
    return states.amax(1)


@dataclass(frozen=True)
class RecurrentKind:
    """A recurrent tower over tokens that the captions teach.

    Args:
        cell: "gru" or "lstm".
        summary: what it is, in a line.
    """

    cell: str
    summary: str
    start: str | None = None

    def make(self, captions: Sequence[str], options: TowerOptions) -> TextTowerWithTokenizer:
        tokenizer = train_tokenizer(captions, vocabulary=options.vocabulary)
        config = TextTowerConfig(
            tokenizer.get_vocab_size(), options.dim, self.cell, options.width, dropout=options.dropout
        )
        tower = TextTower(config)
        tower.word_dropout = options.word_dropout
        return TextTowerWithTokenizer(tower, tokenizer)

    def load(self, config: Mapping[str, Any], tokenizer: Tokenizer | None) -> TextTowerWithTokenizer:
        assert tokenizer is not None
        return TextTowerWithTokenizer(TextTower(TextTowerConfig(**config)), tokenizer)
