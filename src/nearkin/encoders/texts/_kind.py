"""What every kind of text tower can do: be made for captions, and be loaded again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import nn


@runtime_checkable
class PaddedTokenizer(Protocol):
    """A tokenizer that a start brings."""

    def encode_padded(self, texts: Sequence[str]) -> tuple[Any, Any]:
        """Token ids `[n, tokens]`, padded to the longest text, and the number of tokens of each `[n]`."""
        ...

    def to_str(self) -> str:
        """What identifies it, for fingerprints."""
        ...


class TextTowerWithTokenizer(NamedTuple):
    """A tower, a module `(tokens, lengths) -> vectors` with a `config`, and what makes tokens of texts."""

    tower: "nn.Module"
    tokenizer: "Tokenizer | PaddedTokenizer"


@dataclass(frozen=True)
class TowerOptions:
    """What a new tower is asked to be.

    Args:
        dim: embedding dimension.
        width: of the recurrent state, or of the hidden layer.
        vocabulary: most tokens of a tokenizer that is trained on the captions.
        dropout: share of its inputs that is dropped in training.
        word_dropout: share of a text's tokens that is dropped in training.
    """

    dim: int
    width: int = 256
    vocabulary: int = 8000
    dropout: float = 0.1
    word_dropout: float = 0.0


class TextTowerKind(Protocol):
    """A kind of text tower: a file of this package declares one as `TOWER`.

    Attributes:
        summary: what it is, in a line.
        start: the start that it is built on, if there is one.
    """

    @property
    def summary(self) -> str: ...

    @property
    def start(self) -> str | None: ...

    def make(self, captions: Sequence[str], options: TowerOptions) -> TextTowerWithTokenizer:
        """A tower to train on these captions."""
        ...

    def load(self, config: Mapping[str, Any], tokenizer: "Tokenizer | None") -> TextTowerWithTokenizer:
        """The tower of a saved model, its weights not yet loaded."""
        ...
