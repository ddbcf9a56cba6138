"""Names of losses: what `--loss arcface+0.01*center` says. Read without torch, so that a typo is told at once."""

import re

from nearkin.errors import InvalidInput
from nearkin.losses import LOSSES


def weighted_names(text: str) -> list[tuple[float, str]]:
    """Weight and name of each term of a sum; a plus sign within a number, as in 1e+2, parts none.

    Args:
        text: a name, an import path, or a sum of such, each with its weight.

    Raises:
        UnknownName: no loss has one of the names; paths are not looked up.
        InvalidInput: the sum cannot be read, or names a loss twice.

    Example:
        >>> weighted_names("arcface+0.01*center")
        [(1.0, 'arcface'), (0.01, 'center')]
    """
    terms: list[tuple[float, str]] = []
    for number, part in enumerate(re.split(r"(?<!\d[eE])\+", text), 1):
        weight, star, name = (piece.strip() for piece in part.rpartition("*"))
        where = f"term {number} of loss '{text}'"
        if not name:
            raise InvalidInput(f"{where} has no name: expected a sum such as arcface+0.01*center")
        try:
            value = float(weight) if star else 1.0
        except ValueError:
            value = 0.0
        if not 0 < value < float("inf"):
            raise InvalidInput(f"{where} has the weight '{weight}', expected a number above 0")
        if "." not in name:
            name = name.replace("_", "-")
            LOSSES.check(name)
        if short_name(name) in (short_name(other) for _, other in terms):
            raise InvalidInput(f"loss '{text}' names {short_name(name)} twice: add up the weights")
        terms.append((value, name))
    return terms


def short_name(name: str) -> str:
    """A loss from elsewhere without its package.

    Example:
        >>> short_name("pytorch_metric_learning.losses.CircleLoss")
        'CircleLoss'
    """
    return name.rpartition(".")[2]
