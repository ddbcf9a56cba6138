"""The seam of ways to score a class: examples in, a score of every class for every picture out.

Every score is a log likelihood ratio, as far as the way can say: how many times likelier a picture is as one of the
class than as one of a stranger, e to the score. So scores of classes of one example and of many, and of any way, can be
compared, and have one threshold.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float, Int

from nearkin.recognition.examples import Examples
from nearkin.recognition.space import Space
from nearkin.registry import Registry

# Cells of scores that are computed at once.
BLOCK = 1 << 24
# Score of a class without examples.
NEVER = np.float32(-1e9)


class Fitted(Protocol):
    """A way to score, fitted to examples. It is never changed: `with_example` gives another one."""

    @property
    def count(self) -> int:
        """Of classes."""

    def scores(self, pictures: Float[np.ndarray, "q dim"]) -> Float[np.ndarray, "q classes"]:
        """Of unit vectors, as the encoder gives them, the score of every class."""

    def without_own(
        self, rows: Int[np.ndarray, " m"]
    ) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, "m classes"]]:
        """For some of the examples it was fitted to: the score of its own class without the example itself (NEVER if it
        is the only one), and the scores of all classes as they are."""

    def with_example(self, example: Examples) -> "Fitted":
        """With a further example of one class, which may be new; nothing else is computed again."""


@dataclass(frozen=True)
class Scorer:
    """A way to score classes, as a file of `nearkin.recognition.scorers` declares it.

    Args:
        summary: one line for the help.
        fit: fits it to positive examples.
    """

    summary: str
    fit: Callable[[Examples, Space], Fitted]


SCORERS: Registry[Scorer] = Registry("nearkin.recognition.scorers", "SCORER", "way to score a class")


def log_ratios(
    dots: Float[np.ndarray, "q c"], weight: Float[np.ndarray, " c"], squares: Float[np.ndarray, " c"], space: Space
) -> Float[np.ndarray, "q c"]:
    """Log likelihood ratios of pictures for classes of which means of examples are known.

    A class lies anywhere with variance `same`, its pictures around it with 1 - same, both over `dim` directions. After
    examples that count as n pictures with mean m, the class lies around n same / (n same + 1 - same) m.

    Args:
        dots: of pictures with the means, both seen from the centre.
        weight: as how many pictures the examples of each class count.
        squares: squared lengths of the means.
        space: of all.

    Source: Prince & Elder 2007, Probabilistic linear discriminant analysis; here with one variance for all directions.
    """
    between, within = space.same, 1 - space.same
    share = weight * between / (weight * between + within)
    variance = within + between * within / (weight * between + within)
    distance = 1 - 2 * share * dots + share**2 * squares
    return (0.5 * space.dim * (1 - distance / variance - np.log(variance))).astype(np.float32)
