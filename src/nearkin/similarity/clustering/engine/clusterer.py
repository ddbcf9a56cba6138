"""What a clusterer is: one way to sort vectors into groups, declared by one file of `nearkin.similarity.clustering`."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from nearkin.errors import InvalidInput
from nearkin.similarity.clustering.engine.linking import Linking
from nearkin.similarity.clustering.engine.neighbours import Neighbours, find_neighbours


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be sorted into groups.

    Args:
        vectors: unit vectors, float32, at least one.
        k: how many groups, 1 to n; None where the clusterer shall find out.
        threshold: score from which on vectors belong together; None where the clusterer shall find out.
        linking: which neighbours are linked, as a calibration says; None where the clusterer shall find out.
        seed: random seed.
        index: gives the k nearest others of each vector, such as an index does; None: they are sought.
    """

    vectors: Float[np.ndarray, "n dim"]
    k: int | None = None
    threshold: float | None = None
    linking: Linking | None = None
    seed: int = 0
    index: Callable[[int], Neighbours] | None = None

    def __len__(self) -> int:
        return len(self.vectors)

    def near(self, k: int) -> Neighbours:
        """The k nearest others of each vector."""
        return self.index(k) if self.index else find_neighbours(self.vectors, k, seed=self.seed)

    def wanted_k(self, name: str) -> int:
        """The number of groups.

        Raises:
            InvalidInput: it was not given.
        """
        if self.k is None:
            raise InvalidInput(
                f"{name} needs the number of groups: give k (-k 20), or take 'communities', which does not"
            )
        return self.k


@dataclass(frozen=True)
class Clusterer:
    """One way to sort vectors into groups.

    Args:
        summary: what it does, in a sentence, for the docs and the help.
        run: a group for each vector: whole numbers, -1 for those that belong nowhere.
        needs_k: whether the number of groups must be given.
        package: what must be installed for it, beside nearkin; None if nothing.
    """

    summary: str
    run: Callable[[Task], Int[np.ndarray, " n"]]
    needs_k: bool = False
    package: str | None = None
