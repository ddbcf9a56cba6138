"""A GRU over the states that e5 makes of a text's tokens, with its vector of the whole text beside it."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nearkin.encoders.texts._e5 import E5, mean_state
from nearkin.encoders.texts._on_e5 import OnE5, OnE5Config, OnE5Kind
from nearkin.encoders.texts._recurrent import max_over_time


class GruOnE5(OnE5):
    """A bidirectional GRU over e5's states, max-pooled over time, beside e5's vector of the text; a linear map."""

    def __init__(self, config: OnE5Config, e5: E5) -> None:
        super().__init__(config, e5)
        self.standardise = nn.BatchNorm1d(e5.width, affine=False)
        self.dropout = nn.Dropout(config.dropout)
        self.recurrent = nn.GRU(e5.width, config.width, batch_first=True, bidirectional=True)
        self.projection = nn.Linear(2 * config.width + e5.width, config.dim)

    def forward(self, tokens: Int[Tensor, "n tokens"], lengths: Int[Tensor, " n"]) -> Float[Tensor, "n dim"]:
        states = self.states(tokens, lengths)
        whole = self.standardise(mean_state(states, lengths))
        read = max_over_time(self.recurrent, self.dropout(states), lengths)
        vectors: Tensor = self.projection(self.dropout(torch.cat([read, whole], dim=1)))
        return vectors


TOWER = OnE5Kind("gru-e5", "a GRU over e5's states of the tokens, with e5's vector of the text beside it", GruOnE5)
