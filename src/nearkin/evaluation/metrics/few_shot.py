"""Few-shot classification: N classes from K pictures each, by the nearest prototype or the nearest neighbour."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float, Int

from nearkin.arrays import as_ids, as_vectors, check_count, check_seed, unit
from nearkin.errors import InvalidInput, UnknownName
from nearkin.intervals.episode_classes import EpisodeAccuracy
from nearkin.intervals.figure import Figure
from nearkin.intervals.mean_over_groups import MeanOverGroups
from nearkin.intervals.paired_samples import Estimate, Mean
from nearkin.similarity.ranking import ROUNDING

UNITS = ("classes", "groups", "episodes")
WAYS = ("prototype", "neighbour")


@dataclass(frozen=True)
class FewShot:
    """How episodes are made.

    Args:
        ways: classes in an episode, at least 2.
        shots: pictures shown of each class.
        queries: further pictures of each class that are asked for; classes with fewer than shots + queries pictures
            take no part.
        episodes: how many.

    Raises:
        InvalidInput: a number is too small.

    Example:
        >>> str(FewShot(ways=20))
        '20-way 1-shot'
    """

    ways: int = 5
    shots: int = 1
    queries: int = 15
    episodes: int = 600

    def __post_init__(self) -> None:
        check_count(self.ways, "ways", least=2)
        for name in ("shots", "queries", "episodes"):
            check_count(getattr(self, name), name)

    def __str__(self) -> str:
        return f"{self.ways}-way {self.shots}-shot"


@dataclass(frozen=True, eq=False)
class Episode:
    """One episode: rows of the pictures that are shown and asked for, and the class of each.

    Args:
        shown, asked: rows of the embeddings.
        shown_classes, asked_classes: class ids; every class asked for is shown.
        group: number of the group that its classes are of, such as an alphabet; None if they are of any.
    """

    shown: Int[np.ndarray, " s"]
    shown_classes: Int[np.ndarray, " s"]
    asked: Int[np.ndarray, " q"]
    asked_classes: Int[np.ndarray, " q"]
    group: int | None = None


def few_shot(
    embeddings: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    ways: int = 5,
    shots: int = 1,
    queries: int = 15,
    episodes: int = 600,
    within: npt.ArrayLike | None = None,
    unit_of_interval: str | None = None,
    seed: int = 0,
) -> dict[str, Figure]:
    """Accuracy over random episodes, each of which shows `shots` pictures of `ways` classes and asks for others.

    Args:
        embeddings: numbers `[n, dim]`; scaled to unit length here.
        labels: class ids `[n]`.
        ways, shots, queries, episodes: as in `FewShot`.
        within: a group for each picture `[n]`, such as its alphabet; an episode's classes are then of one group. Groups
            are drawn in proportion to their classes; those with fewer than `ways` take no part.
        unit_of_interval: "classes" for intervals that hold for other classes like these, the default; "groups" for
            ones that hold for other groups like these, the default with `within`; "episodes", as most papers have it,
            for ones that tell only what more episodes from these very classes would give.
        seed: of the episodes.

    Returns:
        "prototype": share of queries whose class has the nearest mean vector; "neighbour": whose class has the nearest
        shown picture. With ties a query counts as wrong (see `ranking`).

    Raises:
        InvalidInput: too few classes with enough pictures, a class in two groups, or a setting out of range.

    Example:
        >>> few_shot(np.eye(5).repeat(16, axis=0), np.arange(5).repeat(16), episodes=3)["prototype"].value
        1.0

    Source: Vinyals et al. 2016, arXiv:1606.04080 (episodes); Snell et al. 2017, arXiv:1703.05175 (prototypes).
    """
    drawn = draw_episodes(labels, FewShot(ways, shots, queries, episodes), within=within, seed=seed)
    unit_of_interval = unit_of_interval or ("classes" if within is None else "groups")
    return few_shot_episodes(embeddings, drawn, unit_of_interval=unit_of_interval, seed=seed)


def few_shot_episodes(
    embeddings: npt.ArrayLike, episodes: Sequence[Episode], *, unit_of_interval: str = "episodes", seed: int = 0
) -> dict[str, Figure]:
    """Accuracy over given episodes, such as the official runs of a data set.

    Args:
        embeddings: numbers `[n, dim]`; scaled to unit length here.
        episodes: at least one.
        unit_of_interval, seed, and what is returned: as in `few_shot`.

    Raises:
        InvalidInput: no episodes, or one that asks for a class it does not show.

    Example:
        >>> one = Episode(np.array([0, 1]), np.array([7, 8]), np.array([2]), np.array([8]))
        >>> few_shot_episodes(np.array([[1.0, 0.0], [0.0, 1.0], [0.1, 1.0]]), [one])["neighbour"].value
        1.0
    """
    estimates = score_episodes(embeddings, episodes, unit_of_interval=unit_of_interval)
    return {name: one.figure(seed=seed) for name, one in estimates.items()}


def score_episodes(
    embeddings: npt.ArrayLike, episodes: Sequence[Episode], *, unit_of_interval: str = "episodes"
) -> dict[str, Estimate]:
    """What `few_shot_episodes` makes figures of, for paired comparison."""
    if unit_of_interval not in UNITS:
        raise UnknownName("unit", unit_of_interval, UNITS)
    if not len(episodes):
        raise InvalidInput("no episodes: expected at least one")
    vectors = unit(as_vectors(embeddings, "embeddings"))
    right = [_score(vectors, episode) for episode in episodes]
    return {
        way: episode_accuracy([one[place] for one in right], episodes, unit_of_interval=unit_of_interval)
        for place, way in enumerate(WAYS)
    }


def episode_accuracy(
    right: Sequence[Bool[np.ndarray, " q"]], episodes: Sequence[Episode], *, unit_of_interval: str = "episodes"
) -> Estimate:
    """Accuracy over episodes that were answered in any way, for figures and paired comparison.

    Args:
        right: for each episode which of its queries were answered rightly.
        episodes: at least one.
        unit_of_interval: as in `few_shot`.

    Raises:
        InvalidInput: intervals over groups, and an episode has none.

    Example:
        >>> one = Episode(np.array([0, 1]), np.array([7, 8]), np.array([2, 3]), np.array([7, 8]))
        >>> episode_accuracy([np.array([True, False])], [one]).figure().value
        0.5
    """
    if unit_of_interval == "groups":
        groups = np.array([-1 if episode.group is None else episode.group for episode in episodes])
        if (groups < 0).any():
            raise InvalidInput("intervals over groups need a group for each episode")
        return MeanOverGroups(np.array([one.mean() for one in right]), groups)
    if unit_of_interval == "episodes":
        return Mean(np.array([one.mean() for one in right]))
    classes = np.concatenate([episode.asked_classes for episode in episodes])
    members = np.repeat(np.arange(len(episodes)), [len(episode.asked) for episode in episodes])
    kinds, cells = np.unique(np.stack([members, classes]), axis=1, return_inverse=True)
    numbers = np.unique(kinds[1], return_inverse=True)[1]
    shares = np.bincount(cells.ravel(), np.concatenate(right)) / np.bincount(cells.ravel())
    return EpisodeAccuracy(shares, numbers, kinds[0])


def draw_episodes(
    labels: npt.ArrayLike, settings: FewShot, *, within: npt.ArrayLike | None = None, seed: int = 0
) -> list[Episode]:
    """Random episodes; the same seed draws the same ones.

    Example:
        >>> episode, = draw_episodes(np.arange(2).repeat(3), FewShot(ways=2, queries=2, episodes=1))
        >>> len(episode.shown), len(episode.asked)
        (2, 4)
    """
    ids = as_ids(labels, "labels", length=np.size(labels))
    groups = None if within is None else np.asarray(within)
    if groups is not None and groups.shape != ids.shape:
        raise InvalidInput(f"within has shape {groups.shape}, expected {len(ids)} groups")
    ways, shots, pictures = settings.ways, settings.shots, settings.shots + settings.queries
    pools = _pools(ids, groups, ways, pictures)
    generator = np.random.default_rng(check_seed(seed))
    share = np.array([len(pool) for pool in pools]) / sum(len(pool) for pool in pools)
    episodes = []
    for _ in range(settings.episodes):
        number = int(generator.choice(len(pools), p=share))
        rows = _draw(pools[number], ways, pictures, generator)
        shown, asked = rows[:, :shots].ravel(), rows[:, shots:].ravel()
        episodes.append(Episode(shown, ids[shown], asked, ids[asked], None if within is None else number))
    return episodes


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
                raise InvalidInput(f"class {ids[rows[0]]} lies in several groups, expected each in one")
        if len(rows) >= pictures:
            pools.setdefault(group, []).append(rows)
    found = [pool for pool in pools.values() if len(pool) >= ways]
    if not found:
        enough = max((len(pool) for pool in pools.values()), default=0)
        where = "" if groups is None else " in any one group"
        raise InvalidInput(
            f"classes{where} with {pictures} pictures or more: {enough}, the largest has {max(sizes, default=0)}; "
            f"{ways} are needed: ask for fewer ways, shots or queries"
        )
    return found


def _draw(
    pool: Sequence[np.ndarray], ways: int, pictures: int, generator: np.random.Generator
) -> Int[np.ndarray, "ways pictures"]:
    """Rows of an episode: some classes, and some pictures of each."""
    chosen = generator.choice(len(pool), size=ways, replace=False)
    return np.stack([generator.choice(pool[number], size=pictures, replace=False) for number in chosen])


def _score(
    vectors: Float[np.ndarray, "n dim"], episode: Episode
) -> tuple[Bool[np.ndarray, " q"], Bool[np.ndarray, " q"]]:
    """Which answers are right, by prototype and by neighbour."""
    classes, members = np.unique(episode.shown_classes, return_inverse=True)
    own = np.searchsorted(classes, episode.asked_classes).clip(max=len(classes) - 1)
    if (classes[own] != episode.asked_classes).any():
        raise InvalidInput("an episode asks for a class that it does not show")
    order = np.argsort(members, kind="stable")
    starts = np.searchsorted(members[order], np.arange(len(classes)))
    shown, asked = vectors[episode.shown[order]], vectors[episode.asked]
    prototypes = np.add.reduceat(shown, starts) / np.bincount(members)[:, None].astype(np.float32)
    # Squared Euclidean distance, as prototypes are shorter than 1; |query|^2 is the same for all.
    by_prototype = 2 * asked @ prototypes.T - (prototypes**2).sum(axis=1)
    by_neighbour = np.maximum.reduceat(asked @ shown.T, starts, axis=1)
    return _right(by_prototype, own), _right(by_neighbour, own)


def _right(
    scores: Float[np.ndarray, "queries classes"], own: Int[np.ndarray, " queries"]
) -> Bool[np.ndarray, " queries"]:
    """Which queries score their own class above every other."""
    queries = np.arange(len(scores))
    right, others = scores[queries, own], scores.copy()
    others[queries, own] = -np.inf
    return right - ROUNDING > others.max(axis=1)
