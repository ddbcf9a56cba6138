"""Several contenders judged on the same queries: which differences are real.

Two things would differ if all were done again. Other classes would be held out: the classes of each repeat (a training
with its own seed) are drawn, the same for all contenders, so that what makes a class hard for all of them cancels out.
And each training would end elsewhere: by how much is told by how differences vary from repeat to repeat beyond what
their classes explain. A few repeats tell little of a single pair, so this variance is pooled over all pairs.
"""

from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int
from scipy.special import stdtrit

from nearkin.arrays import as_ids
from nearkin.errors import InvalidInput

_LEVEL = 0.95
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Difference:
    """How much better one contender is than another.

    Args:
        better, worse: their rows; `better` has the higher mean.
        value: difference of the means, >= 0.
        low, high: interval that holds, for all pairs at once, with 95 %.
    """

    better: int
    worse: int
    value: float
    low: float
    high: float

    @property
    def is_real(self) -> bool:
        """Whether the interval lies above 0."""
        return self.low > 0


def paired_differences(
    values: npt.ArrayLike,
    *,
    classes: npt.ArrayLike,
    repeats: npt.ArrayLike,
    seed: int = 0,
    resamples: int = 4000,
) -> tuple[Difference, ...]:
    """Differences of means, of every pair, with intervals that hold for all pairs at once.

    The simultaneous intervals come from the largest studentised difference in each resample (max-T): they allow for
    the number of pairs, and for how contenders hang together, as Bonferroni's correction cannot. With one repeat they
    hold for these trainings only, since nothing shows how others would end.

    Args:
        values: numbers `[contenders, n]`, one per contender and query.
        classes: class ids `[n]` of the queries.
        repeats: ids `[n]` of the trainings that the queries judge.
        seed: of the resamples.
        resamples: how many.

    Returns:
        One for each pair of contenders; a mean is that of the repeats' means.

    Raises:
        InvalidInput: lengths that differ, no queries, or fewer than two classes in a repeat.

    Example:
        >>> found = paired_differences([[1, 1, 1, 0], [0, 0, 0, 0]], classes=[0, 1, 2, 3], repeats=[0, 0, 0, 0])
        >>> found[0].value, found[0].is_real
        (0.75, True)

    Source: Westfall & Young 1993, Resampling-Based Multiple Testing (max-T); Satterthwaite 1946 (degrees of freedom).
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or not values.size:
        raise InvalidInput(f"values of shape {values.shape}: wanted numbers [contenders, queries], one at least")
    queries = values.shape[1]
    groups, repeat_of_group = _groups(
        as_ids(classes, "classes", length=queries), as_ids(repeats, "repeats", length=queries)
    )
    sums = np.stack([np.bincount(groups, weights=row) for row in values])
    counts = np.bincount(groups).astype(np.float64)
    # Every repeat counts the same, however many queries it has.
    share = np.bincount(repeat_of_group, weights=counts)[repeat_of_group]
    sums, counts = sums / share, counts / share
    generator = np.random.default_rng(seed)
    drawn = _means(_draw_classes(repeat_of_group, resamples, generator), sums, counts)
    by_repeat = _means((repeat_of_group == np.arange(repeat_of_group.max() + 1)[:, None]) * 1.0, sums, counts)
    return _differences(by_repeat, drawn, len(counts), generator)


def _groups(classes: np.ndarray, repeats: np.ndarray) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " groups"]]:
    """A number for each class of each repeat, and the repeat of each number."""
    kinds, groups = np.unique(np.stack([repeats, classes]), axis=1, return_inverse=True)
    repeat_of_group = np.unique(kinds[0], return_inverse=True)[1]
    if np.bincount(repeat_of_group).min() < 2:
        raise InvalidInput("a repeat is judged on one class only: nothing shows how classes differ, wanted 2 or more")
    return groups.reshape(-1), repeat_of_group


def _means(
    weights: Float[np.ndarray, "m groups"],
    sums: Float[np.ndarray, "contenders groups"],
    counts: Float[np.ndarray, " groups"],
) -> Float[np.ndarray, "m contenders"]:
    """The mean of each contender if each class is there so many times."""
    return (weights @ sums.T) / (weights @ counts)[:, None]


def _draw_classes(
    repeat_of_group: Int[np.ndarray, " groups"], resamples: int, generator: np.random.Generator
) -> Float[np.ndarray, "resamples groups"]:
    """How often each class is drawn if each repeat draws as many as it has."""
    weights = np.empty((resamples, len(repeat_of_group)))
    for repeat, size in enumerate(np.bincount(repeat_of_group).tolist()):
        weights[:, repeat_of_group == repeat] = generator.multinomial(size, np.full(size, 1 / size), size=resamples)
    return weights


def _differences(
    by_repeat: Float[np.ndarray, "repeats contenders"],
    drawn: Float[np.ndarray, "resamples contenders"],
    groups: int,
    generator: np.random.Generator,
) -> tuple[Difference, ...]:
    means = by_repeat.mean(axis=0)
    pairs = [(a, b) if means[a] >= means[b] else (b, a) for a, b in combinations(range(len(means)), 2)]
    if not pairs:
        return ()
    better, worse = np.array(pairs).T
    value = means[better] - means[worse]
    of_classes = (drawn[:, better] - drawn[:, worse]).var(axis=0)
    between = by_repeat[:, better] - by_repeat[:, worse]
    of_training, freedom = _variance_of_training(between, of_classes, groups, len(means))
    again = drawn + generator.normal(0, np.sqrt(of_training / 2), drawn.shape)
    error = np.sqrt(of_classes + of_training)
    # Contenders that agree on every query never differ, in no resample.
    studentised = np.abs(again[:, better] - again[:, worse] - value) / np.where(error > 0, error, np.inf)
    normal = float(np.quantile(studentised.max(axis=1), _LEVEL))
    reach = float(stdtrit(freedom, _NORMAL.cdf(normal))) * error
    return tuple(
        Difference(a, b, float(middle), float(middle - half), float(middle + half))
        for (a, b), middle, half in zip(pairs, value, reach, strict=True)
    )


def _variance_of_training(
    differences: Float[np.ndarray, "repeats pairs"],
    of_classes: Float[np.ndarray, " pairs"],
    groups: int,
    contenders: int,
) -> tuple[float, float]:
    """What training adds to the variance of a mean difference, and the degrees of freedom of both together."""
    repeats = len(differences)
    within = float(of_classes.mean())
    if repeats < 2:
        return 0.0, float(groups - 1)
    added = max(0.0, float(differences.var(axis=0, ddof=1).mean()) / repeats - within)
    if not added:
        return 0.0, float(groups - repeats)
    trainings = (contenders - 1) * (repeats - 1)
    freedom = (within + added) ** 2 / (added**2 / trainings + within**2 / (groups - repeats))
    return added, freedom
