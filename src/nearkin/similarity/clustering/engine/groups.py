"""What a clustering found: groups with their medoid, size and cohesion, and what belongs nowhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from nearkin.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class Group:
    """Things that belong together.

    Args:
        id: its number, which the next clustering keeps.
        medoid: the member most like all others.
        size: how many members.
        cohesion: mean score between two members, -1 to 1.
        low, high: 95 % interval of the cohesion, for further members like these (jackknife over members); None of two.
        members: of those nearest to all others first.
    """

    id: int
    medoid: int
    size: int
    cohesion: float
    low: float | None
    high: float | None
    members: Int[np.ndarray, " size"]


@dataclass(frozen=True, eq=False)
class Clusters:
    """A clustering.

    Args:
        groups: the largest first.
        ungrouped: those that belong nowhere.
        method: the clusterer.
        things: what was sorted: ids of a gallery's items, or rows.
        group_ids: for each of them its group, -1 for none.
        uris: of each of them, where known.

    Example:
        >>> vectors = np.eye(3, dtype=np.float32)[[0, 0, 1, 1, 1, 2]]
        >>> found = describe(np.array([1, 1, 0, 0, 0, -1]), vectors, np.arange(6), "communities")
        >>> [(group.id, group.size, group.cohesion) for group in found.groups], found.ungrouped.tolist()
        ([(0, 3, 1.0), (1, 2, 1.0)], [5])
    """

    groups: tuple[Group, ...]
    ungrouped: Int[np.ndarray, " m"]
    method: str
    things: Int[np.ndarray, " n"]
    group_ids: Int[np.ndarray, " n"]
    uris: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.groups)

    def group(self, id: int) -> Group:
        """The group of this number.

        Raises:
            InvalidInput: there is none.
        """
        for group in self.groups:
            if group.id == id:
                return group
        raise InvalidInput(f"no group {id}: there are {len(self.groups):,} groups; `nearkin cluster` lists them")

    def uri_of(self, thing: int) -> str | None:
        """Where the picture of one of the things is."""
        return self.uris[int(np.flatnonzero(self.things == thing)[0])] if self.uris else None

    def to_dict(self) -> Mapping[str, Any]:
        """As JSON has it."""
        return {
            "method": self.method,
            "pictures": len(self.things),
            "groups": self.groups,
            "ungrouped": self.ungrouped,
        }


def describe(
    group_ids: Int[np.ndarray, " n"],
    vectors: Float[np.ndarray, "n dim"],
    things: Int[np.ndarray, " n"],
    method: str,
    uris: tuple[str, ...] = (),
) -> Clusters:
    """What there is to say of groups.

    Args:
        group_ids: for each vector its group, -1 for none.
        vectors: unit vectors.
        things, method, uris: see `Clusters`.
    """
    grouped = np.flatnonzero(group_ids >= 0)
    order = grouped[np.argsort(group_ids[grouped], kind="stable")]
    ids, starts, sizes = np.unique(group_ids[order], return_index=True, return_counts=True)
    found = []
    for id, start, size in zip(ids.tolist(), starts.tolist(), sizes.tolist(), strict=True):
        rows = order[start : start + size]
        members = vectors[rows].astype(np.float64)
        to_all = members @ members.sum(axis=0) - 1
        cohesion, low, high = _cohesion(to_all)
        ranked = np.argsort(-to_all.round(6), kind="stable")
        found.append(Group(id, int(things[rows[ranked[0]]]), size, cohesion, low, high, things[rows[ranked]]))
    found.sort(key=lambda group: (-group.size, group.id))
    return Clusters(tuple(found), things[group_ids < 0], method, things, group_ids, uris)


def _cohesion(to_all: Float[np.ndarray, " n"]) -> tuple[float, float | None, float | None]:
    """The mean score between two members, and its interval by leaving out each member once.

    Args:
        to_all: of each member the sum of its scores to all others.
    """
    from scipy.special import stdtrit

    n, total = len(to_all), float(to_all.sum())
    mean = min(total / (n * (n - 1)), 1.0)
    if n < 3:
        return mean, None, None
    without = (total - 2 * to_all) / ((n - 1) * (n - 2))
    spread = np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())
    reach = float(stdtrit(n - 1, 0.975) * spread)
    return mean, max(mean - reach, -1.0), min(mean + reach, 1.0)
