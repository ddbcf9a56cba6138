"""Text towers on top of e5, which stays as it is: an artefact names its file, and does not copy 72 MB."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float, Int
from tokenizers import Tokenizer
from torch import Tensor, nn

from nearkin.encoders.starts import STARTS
from nearkin.encoders.texts._e5 import E5, load_e5
from nearkin.encoders.texts._kind import TextTowerWithTokenizer, TowerOptions
from nearkin.encoders.texts._recurrent import drop_words
from nearkin.errors import ArtefactError


@dataclass(frozen=True)
class OnE5Config:
    """What a tower on e5 is made of.

    Args:
        tower: its name.
        dim: embedding dimension.
        width: of its hidden layer or recurrent state.
        dropout: share of its inputs that is dropped in training.
        sha256: of the file that e5 was read from.
    """

    tower: str
    dim: int
    width: int
    dropout: float
    sha256: str


class OnE5(nn.Module):
    """A tower on e5: token ids to vectors, not yet of unit length.

    Args:
        config: what to build.
        e5: the frozen network; it is no part of this module's weights.
    """

    def __init__(self, config: OnE5Config, e5: E5) -> None:
        super().__init__()
        self.config = config
        self.word_dropout = 0.0
        self.__dict__["e5"] = e5  # not by attribute: it would be saved with the weights

    def states(self, tokens: Int[Tensor, "n tokens"], lengths: Int[Tensor, " n"]) -> Float[Tensor, "n tokens width"]:
        """States of the tokens; 0 behind a text's end, and for words that are dropped in training."""
        states: Tensor = self.__dict__["e5"].states(tokens, lengths)
        return drop_words(states, self.word_dropout, self.training)


@dataclass(frozen=True)
class OnE5Kind:
    """A kind of tower on e5.

    Args:
        name: of the tower.
        summary: what it is, in a line.
        build: its class.
    """

    name: str
    summary: str
    build: type[OnE5]
    start: str | None = "e5"

    def make(self, captions: Sequence[str], options: TowerOptions) -> TextTowerWithTokenizer:
        sha256 = STARTS["e5"].files[0].sha256
        config = OnE5Config(self.name, options.dim, options.width, options.dropout, sha256)
        made = self._with_e5(config)
        made.tower.word_dropout = options.word_dropout  # type: ignore[assignment]
        return made

    def load(self, config: Mapping[str, Any], tokenizer: Tokenizer | None) -> TextTowerWithTokenizer:
        return self._with_e5(OnE5Config(**config))

    def _with_e5(self, config: OnE5Config) -> TextTowerWithTokenizer:
        if config.sha256 != STARTS["e5"].files[0].sha256:
            raise ArtefactError("the model was trained on another e5 than this version of nearkin knows")
        e5, tokenizer = load_e5()
        return TextTowerWithTokenizer(self.build(config, e5), tokenizer)
