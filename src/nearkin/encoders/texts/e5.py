"""The vector that e5 makes of a text, and a small trained map of it."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from nearkin.encoders.texts._e5 import E5, mean_state
from nearkin.encoders.texts._on_e5 import OnE5, OnE5Config, OnE5Kind


class E5Tower(OnE5):
    """e5's vector of the text, standardised; a linear map of it, plus a small network's."""

    def __init__(self, config: OnE5Config, e5: E5) -> None:
        super().__init__(config, e5)
        # Vectors of e5 all have a cosine above 0.7: what they share says nothing, and is taken off.
        self.standardise = nn.BatchNorm1d(e5.width, affine=False)
        self.dropout = nn.Dropout(config.dropout)
        self.projection = nn.Linear(e5.width, config.dim)
        self.hidden = nn.Sequential(
            nn.Linear(e5.width, config.width),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.width, config.dim),
        )

    def forward(self, tokens: Int[Tensor, "n tokens"], lengths: Int[Tensor, " n"]) -> Float[Tensor, "n dim"]:
        vectors = self.dropout(self.standardise(mean_state(self.states(tokens, lengths), lengths)))
        mapped: Tensor = self.projection(vectors) + self.hidden(vectors)
        return mapped


TOWER = OnE5Kind("e5", "e5's vector of the text, and a small trained map of it", E5Tower)
