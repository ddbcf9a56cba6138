"""The seam of ways to score a class: examples in, a score of every class for every picture out.

Every score is a log likelihood ratio: a picture is e to the score times as likely one of the class as one of a
stranger, as far as the way can say. So scores of classes of one example and of many, and of any way, are on one scale
and have one threshold.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from nearkin.recognition.examples import Examples
from nearkin.recognition.space import Space
from nearkin.registry import Registry

# Score of a class without examples.
NEVER = np.float32(-1e9)


@runtime_checkable
class Fitted(Protocol):
    """A way to score, fitted to examples. It is never changed: `with_examples` gives another one."""

    @property
    def count(self) -> int:
        """Of classes."""

    def scores(
        self, pictures: Float[np.ndarray, "q dim"], classes: Int[np.ndarray, " c"] | None = None
    ) -> Float[np.ndarray, "q c"]:
        """Of unit vectors, as the encoder gives them, the scores of classes; NEVER of one without examples.

        Args:
            pictures: the vectors.
            classes: which; all by default.
        """

    def own_scores(self, examples: Examples, rows: Int[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        """Of some of the examples that it was fitted to the score of their class without them; NEVER if none is left.

        Args:
            examples: all that it was fitted to.
            rows: which.
        """

    def with_examples(self, examples: Examples, start: int) -> "Fitted":
        """With the examples from `start` on, positive ones of classes that may be new; no other class is fitted again.

        Args:
            examples: all; those before `start` are the ones that it was fitted to.
        """


@dataclass(frozen=True)
class Scorer:
    """A way to score classes, as a file of `nearkin.recognition.scorers` declares it.

    Args:
        summary: one line for the help.
        fit: fits it to examples; those that are negative, or of no class, do not count.
        kind: dataclass that `fit` gives, of arrays and numbers, so that it can be kept.
        apart: whether the score of a class hangs on its own examples and the space alone.
    """

    summary: str
    fit: Callable[[Examples, Space], Fitted]
    kind: type
    apart: bool = True


SCORERS: Registry[Scorer] = Registry("nearkin.recognition.scorers", "SCORER", "way to score a class")


def slope_and_offset(
    weight: Float[np.ndarray, " c"], squares: Float[np.ndarray, " c"], space: Space
) -> tuple[Float[np.ndarray, " c"], Float[np.ndarray, " c"]]:
    """A log likelihood ratio is slope * (dot product of the picture and the mean of a class's examples) + offset.

    A class lies anywhere around the centre with variance `same`, its pictures around it with 1 - same, both over `dim`
    directions. After examples that count as n pictures with mean m, the class lies around n same / (n same + 1 -
    same) m.

    Args:
        weight: as how many pictures the examples of each class count, > 0.
        squares: squared lengths of the means, seen from the centre.
        space: of all.

    Example:
        >>> space = Space(np.zeros(2), same=0.5, dim=2.0)
        >>> slope, offset = slope_and_offset(np.ones(1), np.ones(1), space)
        >>> round(float(slope[0] + offset[0]), 3), round(float(offset[0]), 3)
        (0.954, -0.379)

    Source: Prince & Elder 2007, Probabilistic linear discriminant analysis; here with one variance for all directions.
    """
    between, within = space.same, 1 - space.same
    share = weight * between / (weight * between + within)
    variance = within + between * within / (weight * between + within)
    slope = space.dim * share / variance
    offset = 0.5 * space.dim * (1 - (1 + share**2 * squares) / variance - np.log(variance))
    return slope, offset
