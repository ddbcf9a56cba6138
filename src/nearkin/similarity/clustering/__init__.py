"""Embeddings to groups: one file a clusterer.

A file `NAME.py` here is the clusterer that `--method NAME` runs; it declares it by `CLUSTERER = Clusterer(...)`.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from jaxtyping import Int

from nearkin.arrays import as_ids, as_unit_vectors, check_seed
from nearkin.errors import InvalidInput
from nearkin.registry import Registry
from nearkin.similarity.clustering.engine.clusterer import Clusterer, Task
from nearkin.similarity.clustering.engine.linking import Linking
from nearkin.similarity.clustering.engine.links import check_links, obey
from nearkin.similarity.clustering.engine.names import by_size, keep_names
from nearkin.similarity.clustering.engine.neighbours import Neighbours

__all__ = ["CLUSTERERS", "DEFAULT", "Clusterer", "Linking", "Task", "cluster", "clusterers_table"]

CLUSTERERS: Registry[Clusterer] = Registry(__name__, "CLUSTERER", "clusterer")
DEFAULT = "communities"


def cluster(
    vectors: npt.ArrayLike,
    method: str = DEFAULT,
    *,
    k: int | None = None,
    threshold: float | None = None,
    linking: Linking | None = None,
    must: Sequence[tuple[int, int]] = (),
    cannot: Sequence[tuple[int, int]] = (),
    previous: npt.ArrayLike | None = None,
    near: Callable[[int], Neighbours] | None = None,
    seed: int = 0,
) -> Int[np.ndarray, " n"]:
    """Sort vectors into groups.

    Args:
        vectors: `[n, dim]`; scaled to unit length here. A zero vector belongs nowhere.
        method: name of a clusterer.
        k: how many groups, 1 to n; None where the method finds out.
        threshold: score from which on vectors belong together, -1 to 1; None where the method finds out.
        linking: which neighbours are linked, as a calibration says (`communities`); None where the method finds out.
        must: pairs of rows that are in one group.
        cannot: pairs of rows that are not.
        previous: earlier groups of the same rows, -1 for none or for new rows: groups keep their numbers.
        near: gives the k nearest others of each vector, such as an index does; sought here if it is None.
        seed: random seed.

    Returns:
        For each vector the number of its group, -1 where it belongs nowhere. Without `previous` groups are numbered
        0, 1, ... from the largest on.

    Raises:
        InvalidInput: NaN; k out of range, or missing where the method needs it; links that contradict each other.
        UnknownName: no such method.
        MissingDependency: the method needs a package that is not installed.

    Example:
        >>> cluster(np.eye(3)[[0, 0, 1, 1, 1, 2]]).tolist()
        [1, 1, 0, 0, 0, -1]
    """
    units = as_unit_vectors(vectors, "vectors") if np.size(vectors) else np.empty((0, 1), np.float32)
    n = len(units)
    CLUSTERERS.check(method)
    check_seed(seed)
    if k is not None and not 1 <= k <= max(n, 1):
        raise InvalidInput(f"{k} groups of {n} vectors: expected 1 to {n}")
    if threshold is not None and not -1 <= threshold <= 1:
        raise InvalidInput(f"threshold is {threshold:g}: expected a score, -1 to 1")
    check_links(must, cannot, n)
    found = np.full(n, -1, dtype=np.int64)
    some = np.flatnonzero(units.any(axis=1))
    if len(some):
        whole = len(some) == n
        task = Task(
            units if whole else units[some],
            k if k is None else min(k, len(some)),
            threshold,
            linking,
            seed,
            near if whole else None,
        )
        found[some] = CLUSTERERS[method].run(task)
    found = by_size(obey(found, units, must, cannot))
    return found if previous is None else keep_names(found, as_ids(previous, "previous", length=n))


def clusterers_table() -> str:
    """The table of clusterers in docs/clusters.md, in Markdown."""
    rows = [["method", "what it does", "-k", "needs"], ["---"] * 4]
    for name, one in CLUSTERERS.items():
        rows.append([f"`{name}`", one.summary, "needed" if one.needs_k else "not needed", one.package or "-"])
    return "\n".join(f"| {' | '.join(row)} |".replace("| --- ", "|---").replace("--- |", "---|") for row in rows)
