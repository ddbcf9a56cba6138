"""Text towers, one file each: token ids to vectors of the space of the pictures."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nearkin.encoders.texts._kind import PaddedTokenizer, TextTowerKind, TextTowerWithTokenizer, TowerOptions
from nearkin.registry import Registry

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TEXT_TOWERS: Registry[TextTowerKind] = Registry("nearkin.encoders.texts", "TOWER", "text tower")

__all__ = [
    "TEXT_TOWERS",
    "PaddedTokenizer",
    "TextTowerKind",
    "TextTowerWithTokenizer",
    "TowerOptions",
    "load_text_tower",
]


def load_text_tower(config: Mapping[str, Any], tokenizer: "Tokenizer | None") -> TextTowerWithTokenizer:
    """The tower of a saved model, its weights not yet loaded.

    Args:
        config: of the tower, as its `config` was saved.
        tokenizer: that was saved beside it, if it has one of its own.

    Raises:
        UnknownName: no such tower.
        MissingDependency: the package of the start that it is built on is not installed.
    """
    # Models of before name the recurrent cell alone.
    return TEXT_TOWERS[config.get("tower") or config["cell"]].load(config, tokenizer)
