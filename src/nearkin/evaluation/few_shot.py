"""Few-shot classification: N classes from K pictures each, by the nearest prototype or the nearest neighbour."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int

from nearkin.arrays import as_ids, as_vectors, unit
from nearkin.errors import InvalidInput
from nearkin.evaluation.intervals import Figure, bootstrap_mean
from nearkin.evaluation.ranking import ROUNDING


def few_shot(
    embeddings: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    ways: int = 5,
    shots: int = 1,
    queries: int = 15,
    episodes: int = 600,
    within: npt.ArrayLike | None = None,
    seed: int = 0,
) -> dict[str, Figure]:
    """Accuracy over random episodes, each of which shows `shots` pictures of `ways` classes and asks for others.

    Args:
        embeddings: numbers `[n, dim]`; scaled to unit length here.
        labels: class ids `[n]`.
        ways: classes in an episode, at least 2.
        shots: pictures shown of each class.
        queries: further pictures of each class that are asked for; classes with fewer than shots + queries pictures
            take no part.
        episodes: how many.
        within: a group for each picture `[n]`, such as its alphabet; an episode's classes are then of one group. Groups
            are drawn in proportion to their classes; those with fewer than `ways` take no part.
        seed: of the episodes and the bootstrap.

    Returns:
        "prototype": share of queries whose class has the nearest mean vector; "neighbour": whose class has the nearest
        shown picture. Intervals over episodes: they tell what more episodes from these classes would give, not what
        other classes would. With ties a query counts as wrong (see `ranking`).

    Raises:
        InvalidInput: too few classes with enough pictures, a class in two groups, or a setting out of range.

    Example:
        >>> few_shot(np.eye(5).repeat(16, axis=0), np.arange(5).repeat(16), episodes=3)["prototype"].value
        1.0

    Source: Vinyals et al. 2016, arXiv:1606.04080 (episodes); Snell et al. 2017, arXiv:1703.05175 (prototypes).
    """
    vectors = unit(as_vectors(embeddings, "embeddings"))
    ids = as_ids(labels, "labels", length=len(vectors))
    if ways < 2 or min(shots, queries, episodes) < 1:
        raise InvalidInput(
            f"ways {ways}, shots {shots}, queries {queries}, episodes {episodes}: wanted 2 ways or more, "
            "and 1 or more of the others"
        )
    groups = None if within is None else np.asarray(within)
    if groups is not None and groups.shape != ids.shape:
        raise InvalidInput(f"within has shape {groups.shape}, wanted {len(ids)} groups")
    pools = _pools(ids, groups, ways, shots + queries)
    generator = np.random.default_rng(seed)
    share = np.array([len(pool) for pool in pools]) / sum(len(pool) for pool in pools)
    right = np.array(
        [
            _episode(
                vectors, _draw(pools[generator.choice(len(pools), p=share)], ways, shots + queries, generator), shots
            )
            for _ in range(episodes)
        ]
    )
    return {
        name: bootstrap_mean(right[:, column], within=(0.0, 1.0), seed=seed)
        for column, name in enumerate(("prototype", "neighbour"))
    }


def _pools(
    ids: np.ndarray, groups: np.ndarray | None, ways: int, pictures: int
) -> list[list[Int[np.ndarray, " rows"]]]:
    """For each group the rows of each class that has enough pictures; groups with enough such classes."""
    pools: dict[object, list[np.ndarray]] = {}
    sizes = []
    order = np.argsort(ids, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(ids[order])) + 1):
        sizes.append(len(rows))
        group = None
        if groups is not None:
            group = groups[rows[0]].item()
            if (groups[rows] != group).any():
                raise InvalidInput(f"class {ids[rows[0]]} lies in several groups, wanted each in one")
        if len(rows) >= pictures:
            pools.setdefault(group, []).append(rows)
    found = [pool for pool in pools.values() if len(pool) >= ways]
    if not found:
        enough = max((len(pool) for pool in pools.values()), default=0)
        where = "" if groups is None else " in any one group"
        raise InvalidInput(
            f"{enough} classes{where} have {pictures} pictures or more, the largest class {max(sizes, default=0)}; "
            f"{ways} classes are needed: ask for fewer ways, shots or queries"
        )
    return found


def _draw(
    pool: Sequence[np.ndarray], ways: int, pictures: int, generator: np.random.Generator
) -> Int[np.ndarray, "ways pictures"]:
    """Rows of an episode: some classes, and some pictures of each."""
    chosen = generator.choice(len(pool), size=ways, replace=False)
    return np.stack([generator.choice(pool[number], size=pictures, replace=False) for number in chosen])


def _episode(
    vectors: Float[np.ndarray, "n dim"], rows: Int[np.ndarray, "ways pictures"], shots: int
) -> tuple[float, float]:
    """Shares of right answers by prototype and by neighbour."""
    shown, asked = vectors[rows[:, :shots]], vectors[rows[:, shots:]]
    prototypes = shown.mean(axis=1)
    # Squared Euclidean distance, as prototypes are shorter than 1; |query|^2 is the same for all.
    by_prototype = 2 * asked @ prototypes.T - (prototypes**2).sum(axis=1)
    by_neighbour = np.einsum("wqd,vsd->wqvs", asked, shown).max(axis=3)
    return _share_right(by_prototype), _share_right(by_neighbour)


def _share_right(scores: Float[np.ndarray, "ways queries ways"]) -> float:
    """How many queries score their own class above every other."""
    own = np.arange(len(scores))
    right = scores[own, :, own]
    others = scores.copy()
    others[own, :, own] = -np.inf
    return float((right - ROUNDING > others.max(axis=2)).mean())
